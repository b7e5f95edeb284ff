using Hangfire;
using Hangfire.Storage;
using MetaOpt.Api.Background;
using MetaOpt.Service.Tests.Api;
using MetaOpt.Service.Tests.Workers;
using MetaOpt.Storage;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Xunit;

namespace MetaOpt.Service.Tests.Background;

/// <summary>Hangfire within the API: jobs are done, its pages are the administrators'.</summary>
public sealed class BackgroundTests(ApiFixture api) : IClassFixture<ApiFixture>
{
    /// <summary>Waits until a job has succeeded.</summary>
    internal static async Task DoneAsync(ApiFixture api, string job)
    {
        using var storage = api.App.Services.GetRequiredService<JobStorage>().GetConnection();
        await WorkerFixture.UntilAsync(
            () => Task.FromResult(storage.GetJobData(job)?.State is "Succeeded" or "Failed" or "Deleted"), $"job {job} to end");
        Assert.Equal("Succeeded", storage.GetJobData(job).State);
    }

    /// <summary>Waits until a recurring job is entered.</summary>
    internal static async Task RecurringAsync(ApiFixture api, string name)
    {
        using var storage = api.App.Services.GetRequiredService<JobStorage>().GetConnection();
        await WorkerFixture.UntilAsync(() => Task.FromResult(storage.GetRecurringJobs().Any(j => j.Id == name)),
            $"the recurring job {name}");
    }

    [Fact]
    public async Task The_recurring_jobs_are_entered_and_each_is_executed()
    {
        var jobs = api.App.Services.GetRequiredService<IRecurringJobManagerV2>();
        using var storage = api.App.Services.GetRequiredService<JobStorage>().GetConnection();
        foreach (var name in new[] { "retention", "sign-ins", "workers" })
        {
            await RecurringAsync(api, name);
            await DoneAsync(api, jobs.TriggerJob(name));
        }
    }

    [Fact]
    public async Task What_ended_long_ago_is_deleted_and_nothing_else()
    {
        var users = api.App.Services.GetRequiredService<UserStore>();
        var ada = await users.CreateUserAsync("ada", UserRole.Member, default);
        async Task<string> TokenAsync(string name) =>
            (await users.CreateTokenAsync(ada.Id, name, [Scopes.RunsRead], null, default)).Token.Id;
        var (kept, expired, revoked, lately, behind) = (await TokenAsync("kept"), await TokenAsync("expired"),
            await TokenAsync("revoked"), await TokenAsync("lately"), await TokenAsync("behind"));
        async Task<string> SessionAsync(string of) =>
            (await users.CreateSessionAsync(new(ada.Id, "ada", UserRole.Member, of, [Scopes.RunsRead]), TimeSpan.FromDays(1),
                default)).Token.Id;
        var (ended, open) = (await SessionAsync(kept), await SessionAsync(behind));
        await ExecuteAsync($"""
            update tokens set expires_at = now() - interval '91 days' where id in ('{expired}', '{behind}');
            update tokens set revoked_at = now() - interval '91 days', expires_at = now() + interval '1 day' where id = '{revoked}';
            update tokens set revoked_at = now() - interval '89 days' where id = '{lately}';
            update tokens set expires_at = now() - interval '8 days' where id = '{ended}';
            insert into workers (name, pool, datasets, facts, first_seen_at, last_seen_at) values
              ('gone', 'cpu', array[]::text[], '{"{}"}', now(), now() - interval '31 days'), ('resting', 'cpu', array[]::text[], '{"{}"}', now(), now() - interval '29 days')
            """);
        var retention = api.App.Services.GetRequiredService<Retention>();
        Assert.Equal(3, await retention.DeleteEndedTokensAsync(default));
        Assert.Equal(new[] { kept, lately, behind, open }.Order(),
            (await users.ListTokensAsync(ada.Id, default)).Select(t => t.Id).Order());
        Assert.Equal(1, await retention.DeleteStaleWorkersAsync(default));
    }

    [Fact]
    public async Task Hangfires_pages_are_the_administrators_and_have_a_policy_of_their_own()
    {
        var page = await api.Admin.GetAsync("/hangfire/recurring");
        Assert.Equal(200, (int)page.StatusCode);
        var html = await page.Content.ReadAsStringAsync();
        Assert.Contains("retention", html, StringComparison.Ordinal);
        Assert.DoesNotContain("Password", html, StringComparison.OrdinalIgnoreCase);
        // Read-only: no button that starts or deletes a job.
        Assert.DoesNotContain("recurring/trigger", html, StringComparison.Ordinal);
        Assert.Contains("style-src 'self' 'unsafe-inline'", page.Headers.GetValues("Content-Security-Policy").Single(),
            StringComparison.Ordinal);
        Assert.DoesNotContain("unsafe-inline",
            (await api.Admin.GetAsync("/hangfires")).Headers.GetValues("Content-Security-Policy").Single(),
            StringComparison.Ordinal);

        using var trigger = new FormUrlEncodedContent([new("jobs[]", "retention")]);
        Assert.Equal(401, (int)(await api.Admin.PostAsync("/hangfire/recurring/trigger", trigger)).StatusCode);
    }

    [Fact]
    public async Task A_browser_s_session_may_ask_for_the_statistics_and_change_nothing()
    {
        var users = api.App.Services.GetRequiredService<UserStore>();
        var session = await users.CreateSessionAsync((await users.VerifyAsync(api.AdminToken, default))!, TimeSpan.FromDays(1),
            default);
        using var client = new HttpClient(new SocketsHttpHandler { UseCookies = false }) { BaseAddress = api.Nobody.BaseAddress };
        client.DefaultRequestHeaders.Add("Cookie", $"metaopt-session={session.Text}");
        Assert.Equal(200, (int)(await client.GetAsync("/hangfire")).StatusCode);
        Assert.Equal(200,
            (int)(await client.PostAsync("/hangfire/stats",
                new FormUrlEncodedContent([new("metrics[]", "servers:count")]))).StatusCode);
        Assert.Equal(403,
            (int)(await client.PostAsync("/hangfire/recurring/remove",
                new FormUrlEncodedContent([new("jobs[]", "retention")]))).StatusCode);
    }

    [Fact]
    public async Task Several_processes_can_install_the_schemas_at_once()
    {
        await ExecuteAsync("create database both_schemas");
        var there = new NpgsqlConnectionStringBuilder(api.ConnectionString)
        {
            Database = "both_schemas",
            Pooling = false
        }.ConnectionString;
        await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => Task.Run(async () =>
        {
            await using var source = NpgsqlDataSource.Create(there);
            await BackgroundSchema.ApplyAsync(source, default);
        })));
        await using var check = NpgsqlDataSource.Create(there);
        await using var count = check.CreateCommand("select count(*) from hangfire.job");
        Assert.Equal(0L, await count.ExecuteScalarAsync());
    }

    async Task ExecuteAsync(string sql)
    {
        await using var command = api.Database.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }
}
