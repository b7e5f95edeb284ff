using Xunit;

namespace MetaOpt.Service.Tests.Deploy;

/// <summary>The GPU worker's image and its place in docker-compose.yml; nothing is built here.</summary>
public sealed class ContainerTests
{
    static readonly string[] s_lines = Manifest.Text("Dockerfile.gpu").Replace("\\\n", " ").Split('\n');

    static string Last(string instruction) => s_lines.Last(l => l.StartsWith(instruction + " ", StringComparison.Ordinal));

    [Fact]
    public void The_image_has_the_CUDA_runtime_a_user_that_is_not_root_and_a_health_check()
    {
        Assert.StartsWith("FROM nvidia/cuda:", Last("FROM"));
        Assert.Contains("-runtime-", Last("FROM"));
        Assert.NotEqual("0", Last("USER").Split(' ')[1]);
        Assert.True(int.TryParse(Last("USER").Split(' ')[1], out _), "Kubernetes cannot tell that a user with a name is not root.");
        Assert.Contains("NVIDIA_VISIBLE_DEVICES=", Last("ENV"));
        Assert.Contains("metaopt-worker", Last("HEALTHCHECK"));
        Assert.Contains(s_lines, l => l.Contains("-p:Gpu=cuda"));
    }

    [Fact]
    public void What_the_image_copies_is_there()
    {
        var copied = s_lines.Where(l => l.StartsWith("COPY ", StringComparison.Ordinal) && !l.Contains("--from")).SelectMany(l => l.Split(' ')[1..^1]);
        Assert.All(copied, path => Assert.True(Path.Exists(Path.Combine(Manifest.Folder, path)), path));
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
