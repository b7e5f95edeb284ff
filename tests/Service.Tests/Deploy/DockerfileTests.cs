using System.Diagnostics;
using MetaOpt.Storage.Embedded;
using Npgsql;
using Xunit;

namespace MetaOpt.Service.Tests.Deploy;

/// <summary>
/// What operators deploy with: the compose file, and the steps of the Dockerfile, done one by one on this machine
/// (<see cref="Rehearsal"/>). Dockerfile.gpu is not: its packages and its base are for machines with a GPU.
/// </summary>
public sealed class DockerfileTests
{
    static readonly Dictionary<string, string> s_passwords =
        new[] { "POSTGRES", "METAOPT_OWNER", "METAOPT_API", "METAOPT_WORKER" }.ToDictionary(n => $"{n}_PASSWORD", _ => "x");

    [Fact]
    public async Task The_images_programs_start_as_another_user_on_a_read_only_root_and_are_healthy()
    {
        // Roots and namespaces are the superuser's, and not even root's within most containers.
        if (!await Rehearsal.IsPossibleAsync()) return;
        var folder = TestFolders.New("images");
        var context = Directory.CreateDirectory(Path.Combine(folder, "context")).FullName;
        var ignored = string.Join(' ', File.ReadLines(Path.Combine(Checkout.Folder, ".dockerignore"))
            .Select(l => $"--exclude='{l.Replace("**/", "", StringComparison.Ordinal)}'"));
        await RunAsync("sh", "-c", $"tar -C '{Checkout.Folder}' {ignored} -c . | tar -C '{context}' -x");
        var rehearsal = new Rehearsal(context, folder);
        foreach (var stage in Stage.Read(Path.Combine(Checkout.Folder, "Dockerfile"))) await rehearsal.BuildAsync(stage);

        var options = EmbeddedOptions.FromEnvironment() with { DataFolder = TestFolders.New("images-database") };
        try
        {
            var connection = new NpgsqlConnectionStringBuilder(await EmbeddedPostgres.EnsureStartedAsync(options, default));
            var socket = connection.Host!;
            // Let in the image's user, who is not the server's.
            await RunAsync("chmod", "755", socket);
            connection.Host = "/run/postgresql";
            var environment = new Dictionary<string, string>
            {
                ["METAOPT_DATABASE_URL"] = connection.ConnectionString,
                // Nothing outlives the tests.
                ["METAOPT_STOP_AT_END_OF_INPUT"] = "1",
            };
            var (migrated, said) = await rehearsal.StartAsync(rehearsal["api"], environment, socket, ["migrate"],
                untilItEnds: true);
            Assert.True(migrated && said.Contains("has this program's schema", StringComparison.Ordinal), said);
            environment["METAOPT_MIGRATE"] = "0";
            foreach (var image in new[] { "api", "worker" })
            {
                (var healthy, said) = await rehearsal.StartAsync(rehearsal[image], environment, socket, []);
                Assert.True(healthy, $"{image}: {said}");
            }
            // A health check that is always content would pass too.
            environment["METAOPT_DATABASE_URL"] = "Host=/run/nowhere;Database=metaopt;Username=metaopt";
            Assert.False(
                (await rehearsal.StartAsync(rehearsal["api"], environment, socket, [],
                    patience: TimeSpan.FromSeconds(15))).Healthy);
        }
        finally
        {
            await EmbeddedPostgres.StopAsync(options, default);
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("--profile gpu")]
    public async Task Compose_accepts_every_profile(string profile)
    {
        if (!File.Exists("/usr/bin/docker-compose")) return;
        await RunAsync("sh", "-c", $"docker-compose --file '{Checkout.Folder}/docker-compose.yml' {profile} config --quiet");
    }

    static async Task RunAsync(params string[] command)
    {
        var start = new ProcessStartInfo(command[0], command[1..]) { RedirectStandardError = true };
        foreach (var (name, value) in s_passwords) start.Environment[name] = value;
        using var process = Process.Start(start)!;
        var said = await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, $"{string.Join(' ', command)}: {said}");
    }
}
