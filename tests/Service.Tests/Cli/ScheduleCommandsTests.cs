using MetaOpt.Service.Tests.Api;
using MetaOpt.Service.Tests.Notifications;
using Xunit;

namespace MetaOpt.Service.Tests.Cli;

/// <summary>Schedules and notifications from the command line.</summary>
public sealed class ScheduleCommandsTests : IAsyncLifetime
{
    readonly ApiFixture api = new();
    readonly string home = TestFolders.New("schedules");

    public async Task InitializeAsync()
    {
        await api.StartAsync(await PostgresFixture.CreateDatabaseAsync(), 0, "--METAOPT_NOTIFY_HOSTS=127.0.0.1");
        await RunAsync($"login {api.App.Urls.First()}", api.AdminToken);
    }

    public Task DisposeAsync() => api.DisposeAsync();

    async Task<string[]> RunAsync(string arguments, string? input = null, int expected = 0)
    {
        var (code, output) = await CommandLine.RunAsync(home, "", arguments, input);
        Assert.True(code == expected, $"{arguments}: {code}\n{output}");
        return output.Trim().Split('\n');
    }

    [Fact]
    public async Task A_schedule_is_created_listed_disabled_and_deleted()
    {
        var file = Path.Combine(home, "run.json");
        await File.WriteAllTextAsync(file, ApiFixture.Training);
        var id = Assert.Single(
            await RunAsync($"schedules create {file} --name nightly --cron @daily --time-zone Europe/Berlin --missed all"));
        Assert.Contains(await RunAsync("schedules"),
            line => line.StartsWith(id[^8..], StringComparison.Ordinal) && line.EndsWith("nightly", StringComparison.Ordinal));
        Assert.Equal(3, (await RunAsync($"schedules next {id[^8..]} --count 3")).Length);
        Assert.Contains(await RunAsync($"schedules show {id}"), line => line.Contains("Europe/Berlin", StringComparison.Ordinal));
        Assert.Equal(["disabled"], await RunAsync($"schedules disable {id[^8..]}"));
        Assert.StartsWith("next: ", Assert.Single(await RunAsync($"schedules enable {id[^8..]}")));
        Assert.Contains("/cron",
            string.Join('\n', await RunAsync($"schedules create {file} --name wrong --cron never", expected: 1)),
            StringComparison.Ordinal);
        Assert.Equal(["Deleted nightly."], await RunAsync($"schedules delete {id[^8..]}"));
        Assert.Contains("No schedule", string.Join('\n', await RunAsync($"schedules show {id[^8..]}", expected: 1)),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_subscription_is_created_tried_and_deleted()
    {
        await using var receiver = new Receiver(kind: true);
        var hook = new Uri(await receiver.StartAsync(), "/hook");
        var created =
            Assert.Single(await RunAsync($"subscriptions create {hook} --event run-failed --event worker-offline --tag nightly"))
                .Split("  ");
        var id = created[0][^8..];
        Assert.Equal(43, created[1].Length);
        Assert.Contains(await RunAsync("subscriptions"),
            line => line.StartsWith(id, StringComparison.Ordinal) && line.Contains("nightly", StringComparison.Ordinal));
        await RunAsync($"subscriptions test {id}");
        await Workers.WorkerFixture.UntilAsync(
            async () => (await RunAsync($"subscriptions deliveries {id}"))[0].Contains("HTTP 204", StringComparison.Ordinal),
            "the test");
        Assert.Equal(["Deleted."], await RunAsync($"subscriptions delete {id}"));
        Assert.Contains("METAOPT_NOTIFY_HOSTS",
            string.Join('\n', await RunAsync("subscriptions create http://127.0.0.2:9/", expected: 1)), StringComparison.Ordinal);
    }
}
