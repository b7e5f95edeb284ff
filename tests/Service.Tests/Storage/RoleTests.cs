using Hangfire;
using MetaOpt.Api;
using MetaOpt.Api.Background;
using MetaOpt.Runs;
using MetaOpt.Service.Tests.Api;
using MetaOpt.Service.Tests.Background;
using MetaOpt.Storage;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Xunit;

namespace MetaOpt.Service.Tests.Storage;

/// <summary>Each process has a database role of its own that can do its work and no more.</summary>
public sealed class RoleTests(PostgresFixture postgres) : IClassFixture<PostgresFixture>
{
    // The space: names are quoted.
    const string apiRole = "test api", workerRole = "test worker";

    static async Task ExecuteAsync(NpgsqlDataSource source, string sql)
    {
        await using var command = source.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }

    /// <summary>The same database, as somebody with the role's rights only.</summary>
    string As(string role) =>
        new NpgsqlConnectionStringBuilder(postgres.ConnectionString)
        {
            Username = "postgres",
            Options = $"-c role={role.Replace(" ", "\\ ")}"
        }.ConnectionString;

    [Fact]
    public async Task The_API_and_a_worker_do_their_work_with_their_own_roles_and_nothing_else()
    {
        await using var superuser =
            NpgsqlDataSource.Create(
                new NpgsqlConnectionStringBuilder(postgres.ConnectionString) { Username = "postgres" }.ConnectionString);
        await ExecuteAsync(superuser, $"create role \"{apiRole}\"; create role \"{workerRole}\"");
        var api = new ApiFixture();
        // Again after an upgrade: it must not mind.
        for (var i = 0; i < 2; i++)
            await ApiHost.MigrateAsync([
                "--METAOPT_DATABASE_URL", postgres.ConnectionString, "--METAOPT_HOME", api.Home,
                "--METAOPT_API_ROLE", apiRole, "--METAOPT_WORKER_ROLE", workerRole,
            ]);
        await api.StartAsync(As(apiRole), 0, "--METAOPT_MIGRATE=0");
        await using var asApi = NpgsqlDataSource.Create(As(apiRole));
        await using var asWorker = NpgsqlDataSource.Create(As(workerRole));
        try
        {
            var id = await api.SubmitAsync();
            var claim = await new RunQueue(asWorker)
                .ClaimAsync(new WorkerIdentity("w", "cpu", [], []), TimeSpan.FromMinutes(5), default);
            Assert.Equal(id, claim!.Lease.RunId);
            var run = new LeasedRun(asWorker, claim.Lease);
            await run.BeginAttemptAsync([], default);
            Assert.Equal(Beat.Renewed,
                await new RunQueue(asWorker).HeartbeatAsync(claim.Lease, TimeSpan.FromMinutes(5), default));
            await run.SaveCheckpointAsync("final", 1, new byte[10], default);
            await run.FinishAsync(RunState.Succeeded, [], null, default);
            Assert.Equal("succeeded", (string)(await api.GetAsync($"/api/v1/runs/{id}"))["state"]!);
            Assert.True((await api.Admin.DeleteAsync($"/api/v1/runs/{id}")).IsSuccessStatusCode);
            // Its role does for Hangfire too: jobs are entered and executed.
            var jobs = api.App.Services.GetRequiredService<IBackgroundJobClient>();
            await BackgroundTests.DoneAsync(api,
                jobs.Enqueue<Cleanup>(cleanup => cleanup.DeleteStaleWorkersAsync(CancellationToken.None)));
            await BackgroundTests.RecurringAsync(api, "retention");
        }
        finally
        {
            await api.DisposeAsync();
        }
        foreach (var (source, sql) in new[]
        {
            (asWorker, "select * from tokens"), (asWorker, "select * from audit"),
            (asWorker, "update schedules set enabled = false"),
            (asWorker, "select secret from subscriptions"), (asWorker, "select * from deliveries"),
            (asWorker, "update users set role = 'admin'"), (asWorker, "create table mine (x int)"),
            (asApi, "delete from audit"), (asApi, "update audit set actor = 'eve'"), (asApi, "drop table runs"),
            (asApi, "create table mine (x int)"),
            (asApi, "delete from \"__EFMigrationsHistory\""),
            // Whoever writes there has the API execute any method.
            (asWorker, "select * from hangfire.job"),
            (asWorker, "insert into hangfire.job (invocationdata, arguments, createdat) values ('{}', '[]', now())"),
            (asWorker, "insert into hangfire.jobqueue (jobid, queue) values (1, 'default')"),
            (asWorker, "update hangfire.hash set value = ''"),
            (asWorker, "delete from hangfire.lock"), (asWorker, "select nextval('hangfire.job_id_seq')"),
            (asWorker, "create table hangfire.mine (x int)"),
            (asApi, "drop table hangfire.job"), (asApi, "create table hangfire.mine (x int)"),
            (asApi, "update hangfire.schema set version = 1"),
        })
            Assert.Equal(PostgresErrorCodes.InsufficientPrivilege,
                (await Assert.ThrowsAsync<PostgresException>(() => ExecuteAsync(source, sql))).SqlState);
    }
}
