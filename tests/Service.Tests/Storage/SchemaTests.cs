using MetaOpt.Runs;
using MetaOpt.Storage;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Migrations;
using Npgsql;
using Xunit;
using static MetaOpt.Service.Tests.Storage.StorageFixture;

namespace MetaOpt.Service.Tests.Storage;

public class SchemaTests(StorageFixture storage) : IClassFixture<StorageFixture>
{
    [Fact]
    public async Task Every_change_of_the_model_has_its_migration()
    {
        await using var db = await storage.Get<IDbContextFactory<MetaOptDb>>().CreateDbContextAsync();
        Assert.False(db.Database.HasPendingModelChanges(), "Add a migration: see tools/NewMigration/NewMigration.csproj.");
    }

    [Fact]
    public async Task Several_processes_can_migrate_one_empty_database_at_once()
    {
        var name = Fresh("empty").Replace('-', '_');
        await storage.ExecuteAsync($"create database {name}");
        var there = new NpgsqlConnectionStringBuilder(storage.ConnectionString) { Database = name }.ConnectionString;
        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(async () =>
        {
            // A data source each, as two processes have.
            await using var source = NpgsqlDataSource.Create(there);
            await Migrations.ApplyAsync(source, default);
        })));
        await using var check = NpgsqlDataSource.Create(there);
        await using var count = check.CreateCommand("""select count(*) from "__EFMigrationsHistory" """);
        await using var db = await storage.Get<IDbContextFactory<MetaOptDb>>().CreateDbContextAsync();
        Assert.Equal(db.Database.GetMigrations().LongCount(), await count.ExecuteScalarAsync());
    }

    [Fact]
    public async Task The_schema_can_be_taken_back_and_made_again()
    {
        var fresh = new StorageFixture();
        await fresh.InitializeAsync();
        await using (var db = await fresh.Get<IDbContextFactory<MetaOptDb>>().CreateDbContextAsync())
        {
            await db.Database.MigrateAsync(Migration.InitialDatabase);
            Assert.Equal(0, await fresh.ScalarAsync<long>(
                """
                select (select count(*) from pg_class
                        where relnamespace = 'public'::regnamespace and relname not like '%EFMigrationsHistory')
                     + (select count(*) from pg_proc where pronamespace = 'public'::regnamespace)
                """));
        }
        await Migrations.ApplyAsync(fresh.Source, default);
        await fresh.SubmitAsync("cpu");
        await fresh.DisposeAsync();
    }

    [Fact]
    public async Task A_database_of_the_first_version_is_upgraded_with_all_that_is_in_it()
    {
        var old = new StorageFixture();
        await old.InitializeAsync();
        await using (var db = await old.Get<IDbContextFactory<MetaOptDb>>().CreateDbContextAsync())
            await db.Database.MigrateAsync("Initial");
        var secret = new byte[32];
        secret[0] = 7;
        await old.ExecuteAsync($"""
            insert into users (id, name, role) values ('{Guid.NewGuid()}', 'ada', 'member');
            insert into tokens (id, user_id, name, secret_sha256, scopes)
            select 'abcdefgh', id, 'laptop', decode('{Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(secret))}', 'hex'), array['runs:read', 'runs:write'] from users;
            insert into runs (id, kind, name, tags, notes, owner, pool, priority, spec, spec_sha256, max_deaths, not_before, deaths, attempt, lease_token)
            values ('{Guid.CreateVersion7()}', 'evaluation', 'old', array['kept'], '', 'ada', 'old-pool', 0, '{"{}"}', '', 3, clock_timestamp(), 0, 0, 0);
            insert into audit (actor, action, subject, detail) values ('ada', 'run.submit', 'old', '{"{}"}')
            """);

        await Migrations.ApplyAsync(old.Source, default);

        var text = $"mo_abcdefgh_{System.Buffers.Text.Base64Url.EncodeToString(secret)}";
        Assert.Equal("ada", (await old.Users.VerifyAsync(text, default))!.Name);
        var claim = await old.ClaimAsync("old-pool");
        Assert.Equal(["kept"], (await old.RowAsync(claim.Lease.RunId)).Tags);
        await old.Of(claim).BeginAttemptAsync([], default);
        await old.Of(claim).FinishAsync(RunState.Succeeded, [], null, default);
        Assert.Equal("old",
            Assert.Single(await old.Get<AuditLog>().ListAsync("ada", null, null, null, null, null, 10, default)).Subject);
        await old.DisposeAsync();
    }

    [Fact]
    public async Task The_database_lets_a_state_be_left_along_the_edges_of_the_state_machine_only()
    {
        foreach (var from in Enum.GetValues<RunState>())
            foreach (var to in Enum.GetValues<RunState>())
            {
                var id = await InStateAsync(from);
                var update = $"update runs set {To(to)} where id = '{id}'";
                if (from.CanBecome(to) || from == to)
                    await storage.ExecuteAsync(update);
                else
                    await Assert.ThrowsAsync<PostgresException>(() => storage.ExecuteAsync(update));
            }
    }

    [Theory]
    [InlineData("state = 'paused'")]
    [InlineData("state = 'running'")]
    [InlineData("state = 'succeeded'")]
    [InlineData("lease_owner = 'w'")]
    [InlineData("finished_at = now()")]
    [InlineData("cancel_requested_at = now()")]
    [InlineData("error_code = 'x'")]
    [InlineData("started_at = now()")]
    [InlineData("priority = 101")]
    [InlineData("deaths = 4")]
    public async Task The_database_refuses_a_queued_run_that_breaks_an_invariant(string change)
    {
        var id = await storage.SubmitAsync("nobody");
        var update = $"update runs set {change} where id = '{id}'";
        var refused = await Assert.ThrowsAsync<PostgresException>(() => storage.ExecuteAsync(update));
        Assert.Equal(PostgresErrorCodes.CheckViolation, refused.SqlState);
    }

    [Fact]
    public async Task The_version_grows_with_what_a_client_sees_and_not_with_beats()
    {
        var run = await storage.LeaseAsync();
        var claimed = await storage.RowAsync(run.Lease.RunId);
        var (before, moved) = (claimed.Version, claimed.MovedAt);
        await storage.Queue.HeartbeatAsync(run.Lease, Ttl, default);
        await run.AppendPointsAsync(Points("loss", 1, 1), default);
        Assert.Equal(before, (await storage.RowAsync(run.Lease.RunId)).Version);
        await run.SetProgressAsync(new("meta-steps", 1, 2, double.PositiveInfinity, double.NaN), default);
        var row = await storage.RowAsync(run.Lease.RunId);
        Assert.Equal((before + 1, moved), (row.Version, row.MovedAt));
        await storage.Queue.RequestCancelAsync(run.Lease.RunId, default);
        Assert.True((await storage.RowAsync(run.Lease.RunId)).MovedAt > moved);
    }

    [Fact]
    public async Task People_edit_a_run_through_the_model()
    {
        var id = await storage.SubmitAsync("nobody");
        await using var db = await storage.Get<IDbContextFactory<MetaOptDb>>().CreateDbContextAsync();
        var run = await db.Runs.SingleAsync(r => r.Id == id);
        (run.Name, run.Notes, run.Tags) = ("renamed", "a note", ["one", "two"]);
        await db.SaveChangesAsync();
        Assert.Equal(2, run.Version);
        var found = db.Runs.Where(r => r.Tags.Contains("two") && r.State == RunState.Queued);
        Assert.Equal(id, (await found.SingleAsync()).Id);
    }

    async Task<Guid> InStateAsync(RunState state)
    {
        if (state == RunState.Queued)
            return await storage.SubmitAsync("nobody");
        var run = await storage.LeaseAsync();
        if (state != RunState.Running)
            await run.FinishAsync(state, null, state == RunState.Failed ? new("x", "y") : null, default);
        return run.Lease.RunId;
    }

    static string To(RunState state)
    {
        var lease = state == RunState.Running
            ? "lease_owner = 'w', lease_expires_at = now(), lease_ttl = '1 s', lease_charged_at = now(), "
                + "attempt = 1, started_at = now()"
            : "lease_owner = null, lease_expires_at = null, lease_ttl = null, lease_charged_at = null";
        var (finished, error) = (state.IsFinal() ? "now()" : "null", state == RunState.Failed ? "'x'" : "null");
        return $"state = '{state.ToString().ToLowerInvariant()}', finished_at = {finished}, error_code = {error}, {lease}";
    }
}
