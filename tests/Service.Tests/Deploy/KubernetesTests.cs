using MetaOpt.Service.Tests.Storage;
using MetaOpt.Storage;
using MetaOpt.Workers;
using Npgsql;
using Xunit;
using YamlDotNet.RepresentationModel;

namespace MetaOpt.Service.Tests.Deploy;

/// <summary>The structure of deploy/kubernetes: what a cluster would refuse or silently do wrong.</summary>
public sealed class KubernetesTests(StorageFixture storage) : IClassFixture<StorageFixture>
{
    const string Here = "deploy/kubernetes";

    static readonly IReadOnlyList<YamlMappingNode> s_objects =
        [.. Manifest.Documents($"{Here}/kustomization.yaml").Single().TextsAt("resources")
            .SelectMany(file => Manifest.Documents($"{Here}/{file}"))];

    static IEnumerable<YamlMappingNode> Kind(params string[] kinds) => s_objects.Where(o => kinds.Contains(o.TextAt("kind")));

    static string Name(YamlNode node) => node.TextAt("metadata/name")!;

    static IEnumerable<(string Owner, YamlNode Pod)> Pods =>
        Kind("Deployment", "Job").Select(o => (Name(o), o.At("spec/template/spec")!));

    static IEnumerable<(string Owner, YamlNode Container)> Containers =>
        Pods.SelectMany(p => p.Pod.ListAt("containers").Select(c => (p.Owner, c)));

    [Fact]
    public void Every_file_is_a_resource_and_every_object_has_a_name_of_its_own()
    {
        var files = Directory.GetFiles(Path.Combine(Checkout.Folder, Here), "*.yaml").Select(Path.GetFileName)
            .Where(f => f != "kustomization.yaml").Order();
        Assert.Equal(files, Manifest.Documents($"{Here}/kustomization.yaml").Single().TextsAt("resources").Order());
        Assert.All(s_objects, o => Assert.NotNull(o.TextAt("apiVersion")));
        Assert.Equal(s_objects.Count, s_objects.Select(o => (o.TextAt("kind"), Name(o))).Distinct().Count());
        Assert.Equal(["metaopt-api", "metaopt-migrate", "metaopt-worker-cpu", "metaopt-worker-gpu"],
            Pods.Select(p => p.Owner).Order());
    }

    [Fact]
    public void Selectors_find_their_pods_and_scalers_their_workers()
    {
        foreach (var deployment in Kind("Deployment"))
            Assert.Equal(deployment.TextAt("spec/selector/matchLabels/app"),
                deployment.TextAt("spec/template/metadata/labels/app"));
        var apps = Kind("Deployment").Select(d => d.TextAt("spec/template/metadata/labels/app"));
        Assert.All(Kind("Service"), s => Assert.Contains(s.TextAt("spec/selector/app"), apps));
        Assert.Equal(["metaopt-worker-cpu", "metaopt-worker-gpu"],
            Kind("ScaledObject").Select(s => s.TextAt("spec/scaleTargetRef/name")).Order());
        // The scaler's number, and not an apply, says how many workers there are.
        Assert.All(Kind("Deployment").Where(d => Name(d).StartsWith("metaopt-worker", StringComparison.Ordinal)),
            d => Assert.Null(d.At("spec/replicas")));
    }

    [Fact]
    public void No_container_runs_as_root_or_writes_where_it_need_not()
    {
        foreach (var (owner, pod) in Pods)
        {
            Assert.True(pod.TextAt("securityContext/runAsNonRoot") == "true", owner);
            Assert.True(pod.TextAt("automountServiceAccountToken") == "false", owner);
        }
        foreach (var (owner, container) in Containers)
        {
            Assert.True(container.TextAt("securityContext/readOnlyRootFilesystem") == "true", owner);
            Assert.True(container.TextAt("securityContext/allowPrivilegeEscalation") == "false", owner);
            Assert.Equal(["ALL"], container.TextsAt("securityContext/capabilities/drop"));
            Assert.NotNull(container.TextAt("resources/limits/memory"));
        }
    }

    [Fact]
    public void Passwords_are_references_and_each_process_has_a_role_of_its_own()
    {
        Assert.Empty(Kind("Secret"));
        var roles = new Dictionary<string, string?>();
        foreach (var (owner, container) in Containers)
        {
            var environment = container.ListAt("env").ToDictionary(e => e.TextAt("name")!);
            Assert.Null(environment["PASSWORD"].At("value"));
            Assert.Equal("metaopt-passwords", environment["PASSWORD"].TextAt("valueFrom/secretKeyRef/name"));
            var connection = new NpgsqlConnectionStringBuilder(environment["METAOPT_DATABASE_URL"].TextAt("value"));
            Assert.Equal("$(PASSWORD)", connection.Password);
            Assert.Equal($"metaopt_{environment["PASSWORD"].TextAt("valueFrom/secretKeyRef/key")}", connection.Username);
            roles[owner] = connection.Username;
        }
        Assert.Equal("metaopt_owner", roles["metaopt-migrate"]);
        Assert.Equal("metaopt_api", roles["metaopt-api"]);
        Assert.Equal("metaopt_worker", roles["metaopt-worker-cpu"]);
        Assert.Equal("metaopt_worker", roles["metaopt-worker-gpu"]);
    }

    [Fact]
    public void Volumes_are_declared_and_mounts_name_them()
    {
        var claims = Kind("PersistentVolumeClaim").Select(Name).ToList();
        foreach (var (owner, pod) in Pods)
        {
            var volumes = pod.ListAt("volumes");
            Assert.All(volumes.Select(v => v.TextAt("persistentVolumeClaim/claimName")).OfType<string>(),
                c => Assert.Contains(c, claims));
            foreach (var container in pod.ListAt("containers"))
                Assert.All(container.ListAt("volumeMounts"),
                    m => Assert.True(volumes.Any(v => v.TextAt("name") == m.TextAt("name")), owner));
        }
    }

    [Theory]
    [InlineData("cpu", null, "metaopt-worker")]
    [InlineData("gpu", "1", "metaopt-worker-gpu")]
    public void A_worker_takes_its_pool_and_only_that_of_GPUs_has_one(string pool, string? gpus, string image)
    {
        var worker = Containers.Single(c => c.Owner == $"metaopt-worker-{pool}").Container;
        Assert.Equal(gpus,
            worker.At("resources/limits") is YamlMappingNode limits
                && limits.Children.TryGetValue("nvidia.com/gpu", out var count) ? $"{count}" : null);
        Assert.Equal(image, worker.TextAt("image"));
        Assert.Contains(image,
            Manifest.Documents($"{Here}/kustomization.yaml").Single().ListAt("images").Select(i => i.TextAt("name")));
        // The worker's own reader of its command line.
        Assert.Equal(pool, WorkerSettings.Parse(worker.TextsAt("args")).Pool);
    }

    [Fact]
    public void The_API_is_probed_where_it_answers()
    {
        var api = Containers.Single(c => c.Owner == "metaopt-api").Container;
        Assert.Equal("/healthz/ready", api.TextAt("readinessProbe/httpGet/path"));
        Assert.Equal("/healthz/live", api.TextAt("livenessProbe/httpGet/path"));
        Assert.Equal("5080", api.ListAt("ports").Single().TextAt("containerPort"));
    }

    [Fact]
    public async Task Scalers_count_what_runs_and_what_could_run_in_their_pool()
    {
        Task<long> CountAsync(string pool) =>
            ScalarAsync(Kind("ScaledObject").Single(s => Name(s) == $"metaopt-worker-{pool}").ListAt("spec/triggers").Single());
        Assert.Equal(0, await CountAsync("gpu"));
        var running = await storage.SubmitAsync("gpu");
        await storage.ClaimAsync("gpu");
        await storage.SubmitAsync("gpu");
        await storage.SubmitAsync("cpu");
        await storage.Queue.SubmitAsync(
            new NewRun("evaluation", "later", "ada", []) { Pool = "gpu", NotBefore = DateTimeOffset.UtcNow.AddHours(1) },
            default);
        await storage.Queue.SubmitAsync(new NewRun("evaluation", "after", "ada", []) { Pool = "gpu", After = [running] },
            default);
        Assert.Equal(2, await CountAsync("gpu"));
        Assert.Equal(1, await CountAsync("cpu"));
    }

    async Task<long> ScalarAsync(YamlNode trigger)
    {
        Assert.Equal("postgresql", trigger.TextAt("type"));
        Assert.Contains(trigger.TextAt("authenticationRef/name"), Kind("TriggerAuthentication").Select(Name));
        await using var command = storage.Source.CreateCommand(trigger.TextAt("metadata/query")!);
        return (long)(await command.ExecuteScalarAsync())!;
    }
}
