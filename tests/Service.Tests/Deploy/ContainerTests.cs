using Xunit;

namespace MetaOpt.Service.Tests.Deploy;

/// <summary>The GPU worker's image and its place in docker-compose.yml; nothing is built here.</summary>
public sealed class ContainerTests
{
    static readonly IReadOnlyList<Stage> s_stages = Stage.Read(Path.Combine(Checkout.Folder, "Dockerfile.gpu"));

    static IEnumerable<Step> Steps => s_stages.SelectMany(s => s.Steps);

    static string Last(string instruction) => Steps.Last(s => s.Name == instruction).Text;

    [Fact]
    public void The_image_has_the_CUDA_runtime_a_user_that_is_not_root_and_a_health_check()
    {
        Assert.StartsWith("nvidia/cuda:", s_stages[^1].From);
        Assert.Contains("-runtime-", s_stages[^1].From);
        Assert.NotEqual("0", Last("USER"));
        Assert.True(int.TryParse(Last("USER"), out _), "Kubernetes cannot tell that a user with a name is not root.");
        Assert.Contains("NVIDIA_VISIBLE_DEVICES=", Last("ENV"));
        Assert.Contains("metaopt-worker", Last("HEALTHCHECK"));
        Assert.Contains(Steps, s => s.Text.Contains("-p:Gpu=cuda"));
    }

    [Fact]
    public void What_the_image_copies_is_there()
    {
        var copied = Steps.Where(s => s.Name == "COPY" && !s.Text.Contains("--from")).SelectMany(s => s.Text.Split(' ')[..^1]);
        Assert.All(copied, path => Assert.True(Path.Exists(Path.Combine(Checkout.Folder, path)), path));
    }

    [Fact]
    public void The_profile_gpu_reserves_devices_for_a_worker_of_that_pool()
    {
        var worker = Manifest.Documents("docker-compose.yml").Single().At("services/worker-gpu");
        Assert.Equal(["gpu"], worker.TextsAt("profiles"));
        Assert.Equal("Dockerfile.gpu", worker.TextAt("build/dockerfile"));
        Assert.Equal(["--pool", "gpu"], worker.TextsAt("command"));
        var device = worker.ListAt("deploy/resources/reservations/devices").Single();
        Assert.Equal("nvidia", device.TextAt("driver"));
        Assert.Equal(["gpu"], device.TextsAt("capabilities"));
        Assert.Equal("true", worker.TextAt("read_only"));
    }
}
