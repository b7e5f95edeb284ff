using System.Net;
using MetaOpt.Runs;
using MetaOpt.Service.Tests.Workers;
using MetaOpt.Storage;
using Npgsql;
using Xunit;

namespace MetaOpt.Service.Tests.Api;

/// <summary>
/// A database that became read-only, hangs, or breaks connections in the middle: 503 and back by itself, for whoever waits on it.
/// </summary>
public sealed class DatabaseOutageTests
{
    [Theory]
    [InlineData("08006", true)]
    [InlineData("25006", true)]
    [InlineData("25P03", true)]
    [InlineData("28P01", true)]
    [InlineData("40001", true)]
    [InlineData("40P01", true)]
    [InlineData("53300", true)]
    [InlineData("55P03", true)]
    [InlineData("57014", true)]
    [InlineData("57P01", true)]
    [InlineData("57P02", true)]
    [InlineData("57P03", true)]
    [InlineData("57P05", true)]
    [InlineData("22001", false)]
    [InlineData("23505", false)]
    [InlineData("25P02", false)]
    [InlineData("42P01", false)]
    public void What_passes_is_told_from_what_is_wrong(string state, bool outage)
    {
        var error = new PostgresException("m", "ERROR", "ERROR", state);
        Assert.Equal(outage, DatabaseOutage.Is(error));
        Assert.Equal(outage, DatabaseOutage.Is(new Microsoft.EntityFrameworkCore.DbUpdateException("m", error)));
        Assert.Equal(outage, DatabaseOutage.Is(new InvalidOperationException("m", error)));
    }

    static async Task ExecuteAsync(string connectionString, string sql)
    {
        await using var source =
            NpgsqlDataSource.Create(
                new NpgsqlConnectionStringBuilder(connectionString) { Database = "postgres", Pooling = false }.ConnectionString);
        await using var command = source.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }

    /// <summary>As a failover does it: sessions end, and new ones meet a server that takes no writes.</summary>
    static async Task SetReadOnlyAsync(string connectionString, bool readOnly)
    {
        var name = new NpgsqlConnectionStringBuilder(connectionString).Database;
        await ExecuteAsync(connectionString,
            $"alter database {name} set default_transaction_read_only = {(readOnly ? "on" : "off")}");
        // The way back ends no session: those that began meanwhile stay read-only.
        if (readOnly)
            await ExecuteAsync(connectionString,
                $"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'");
    }

    static async Task<HttpStatusCode> StatusAsync(ApiFixture api, string request)
    {
        var parts = request.Split(' ', 3);
        using var message = new HttpRequestMessage(new HttpMethod(parts[0]), parts[1]);
        if (parts.Length > 2) message.Content = ApiFixture.Json(parts[2]);
        message.Headers.Add("X-MetaOpt", "1");
        using var answer = await api.Admin.SendAsync(message);
        if (answer.StatusCode == HttpStatusCode.ServiceUnavailable)
            Assert.Equal("5", answer.Headers.GetValues("Retry-After").Single());
        return answer.StatusCode;
    }

    static Task UntilAsync(ApiFixture api, string request, HttpStatusCode status) => WorkerFixture.UntilAsync(async () =>
    {
        var seen = await StatusAsync(api, request);
        Assert.True(seen == status || seen == HttpStatusCode.ServiceUnavailable || (int)seen is >= 200 and < 300,
            $"{request}: {seen}");
        return seen == status;
    }, $"{request} to be answered with {status}");

    [Fact]
    public async Task While_the_database_is_read_only_reads_are_answered_and_changes_refused_for_now()
    {
        var api = new ApiFixture();
        await api.InitializeAsync();
        try
        {
            var id = await api.SubmitAsync();
            // The time of a token's use is written again.
            await using (var old = api.Database.CreateCommand("update tokens set last_used_at = now() - interval '1 hour'"))
                await old.ExecuteNonQueryAsync();
            await SetReadOnlyAsync(api.ConnectionString, true);
            await UntilAsync(api, $"POST /api/v1/runs {ApiFixture.Training}", HttpStatusCode.ServiceUnavailable);
            await UntilAsync(api, "GET /healthz/ready", HttpStatusCode.ServiceUnavailable);
            foreach (var change in (string[])[$"POST /api/v1/session {{\"token\":\"{api.AdminToken}\"}}",
                $"POST /api/v1/runs/{id}/cancel {{}}",
                "POST /api/v1/me/tokens {\"name\":\"t\"}", "PATCH /api/v1/users/admin {\"weight\":2}", "PUT /api/v1/quotas {}"])
                Assert.Equal(HttpStatusCode.ServiceUnavailable, await StatusAsync(api, change));
            foreach (var read in (string[])["/api/v1/runs", $"/api/v1/runs/{id}", "/api/v1/queue", "/api/v1/me", "/metrics",
                "/api/v1/leaderboards"])
                await UntilAsync(api, $"GET {read}", HttpStatusCode.OK);
            await SetReadOnlyAsync(api.ConnectionString, false);
            await UntilAsync(api, $"POST /api/v1/runs {ApiFixture.Training}", HttpStatusCode.Accepted);
            await UntilAsync(api, "GET /healthz/ready", HttpStatusCode.OK);
            await UntilAsync(api, $"POST /api/v1/runs/{id}/cancel {{}}", HttpStatusCode.Accepted);
        }
        finally
        {
            await api.DisposeAsync();
        }
    }

    [Fact]
    public async Task While_the_database_hangs_requests_get_503_and_are_served_again_afterwards()
    {
        using var network = new Network(await PostgresFixture.CreateDatabaseAsync());
        var api = new ApiFixture();
        // No time-out of the driver's own: an answer comes because the server does not wait for the database.
        await api.StartAsync(
            new NpgsqlConnectionStringBuilder(network.ConnectionString) { Timeout = 0, CommandTimeout = 0 }.ConnectionString);
        try
        {
            Assert.Equal(HttpStatusCode.OK, await StatusAsync(api, "GET /api/v1/runs"));
            network.Cut();
            foreach (var request in (string[])["GET /healthz/ready", "GET /api/v1/runs", "GET /metrics",
                $"POST /api/v1/session {{\"token\":\"{api.AdminToken}\"}}"])
                Assert.Equal(HttpStatusCode.ServiceUnavailable, await StatusAsync(api, request));
            Assert.Equal(HttpStatusCode.OK, await StatusAsync(api, "GET /healthz/live"));
            Assert.Equal(HttpStatusCode.OK, await StatusAsync(api, "GET /"));
            network.Mend();
            await UntilAsync(api, "GET /healthz/ready", HttpStatusCode.OK);
            await UntilAsync(api, $"POST /api/v1/runs {ApiFixture.Training}", HttpStatusCode.Accepted);
        }
        finally
        {
            await api.DisposeAsync();
        }
    }

    [Fact]
    public async Task A_worker_stores_its_run_after_the_database_was_read_only_without_a_death()
    {
        var fixture = WorkerFixture.On(await PostgresFixture.CreateDatabaseAsync());
        try
        {
            var pool = WorkerFixture.Fresh("pool");
            var worker = fixture.Start(pool);
            var id = await fixture.SubmitAsync(pool, 1_000_000);
            await WorkerFixture.UntilAsync(async () => await fixture.ResumeStepAsync(id) > 0, "a resume point");
            await SetReadOnlyAsync(fixture.ConnectionString, true);
            await WorkerFixture.UntilAsync(() => Task.FromResult(worker.Log.Contains("is tried again")), "the worker to notice");
            fixture.Source.Clear();
            var stored = await fixture.StepAsync(id);
            await SetReadOnlyAsync(fixture.ConnectionString, false);
            fixture.Source.Clear();
            await WorkerFixture.UntilAsync(async () => await fixture.StepAsync(id) > stored, "points from behind the failover");
            await fixture.Queue.RequestCancelAsync(id, default);
            var run = await fixture.EndAsync(id);
            Assert.Equal((RunState.Cancelled, 0), (run.State, run.Deaths));
            Assert.DoesNotContain(run.Attempts, a => a.Outcome is "died" or "failed");
            await fixture.AssertEveryStepOnceAsync(id, await fixture.StepAsync(id));
        }
        finally
        {
            await fixture.DisposeAsync();
        }
    }

    [Fact]
    public async Task A_connection_that_ends_within_a_COPY_is_an_outage_and_the_next_try_stores()
    {
        var storage = new Storage.StorageFixture();
        await storage.InitializeAsync();
        try
        {
            var run = await storage.LeaseAsync();
            RunEvent.Point[] points = [.. Enumerable.Range(1, 400_000).Select(i => new RunEvent.Point("loss", i, i))];
            Exception? broken = null;
            while (broken is null)
            {
                var append = run.AppendPointsAsync(points, default);
                while (!append.IsCompleted)
                    await ExecuteAsync(storage.ConnectionString,
                        $"select pg_terminate_backend(pid) from pg_stat_activity where "
                        + $"datname = '{new NpgsqlConnectionStringBuilder(storage.ConnectionString).Database}' and query ilike "
                        + "'copy %'");
                try
                {
                    await append;
                }
                catch (Exception error)
                {
                    broken = error;
                }
            }
            Assert.True(DatabaseOutage.Is(broken), broken.ToString());
            await run.AppendPointsAsync(points[..10], default);
            Assert.Equal(10, (await storage.Series.ListAsync(run.Lease.RunId, default)).Single().Count);
        }
        finally
        {
            await storage.DisposeAsync();
        }
    }
}
