using MetaOpt.Service.Tests.Api;
using MetaOpt.Service.Tests.Workers;
using Npgsql;
using Xunit;

namespace MetaOpt.Service.Tests.Faults;

/// <summary>Schedules while the API's processes are killed.</summary>
public class ScheduleFaultTests
{
    const int Schedules = 12, Minutes = 90, RunsBetweenKills = 90;

    [Fact]
    public async Task Two_servers_that_are_killed_again_and_again_make_each_occurrence_one_run()
    {
        var database = await PostgresFixture.CreateDatabaseAsync();
        await using var source = NpgsqlDataSource.Create(database);
        async Task<T> ScalarAsync<T>(string sql)
        {
            await using var command = source.CreateCommand(sql);
            return (T)(await command.ExecuteScalarAsync())!;
        }
        ApiProcess Start() => new(database, "--urls=http://127.0.0.1:0");
        using (var first = Start()) await first.AddressAsync();
        // Nothing submitted the last hour and a half of twelve schedules; the minutes that pass meanwhile come on top.
        await using (var insert = source.CreateCommand($"""
            insert into schedules (id, name, owner, cron, time_zone, missed, enabled, submission, last_runs, skipped, version, next_at)
            select gen_random_uuid(), 's' || n, 'admin', '* * * * *', 'UTC', 'all', true,
              jsonb_build_object('run', '{ApiFixture.Training}'::jsonb || jsonb_build_object('name', 's' || n)), array[]::uuid[], 0, 1,
              date_trunc('minute', now()) - interval '{Minutes} minutes'
            from generate_series(1, {Schedules}) n
            """)) await insert.ExecuteNonQueryAsync();
        var begin = await ScalarAsync<DateTime>("select min(next_at) from schedules");
        const string waiting = "select count(*) from schedules where next_at < now() - interval '2 minutes'";

        var (servers, kills) = (new[] { Start(), Start() }, 0);
        for (var finished = false; !finished;)
        {
            var before = await ScalarAsync<long>("select count(*) from runs");
            await WorkerFixture.UntilAsync(async () =>
            {
                finished = await ScalarAsync<long>(waiting) == 0;
                return finished || await ScalarAsync<long>("select count(*) from runs") >= before + RunsBetweenKills;
            }, async () =>
                $"{await ScalarAsync<long>(waiting)} schedules to "
                + $"go on; {await ScalarAsync<long>("select count(*) from runs")} runs so far");
            if (finished) break;
            // Every third time both.
            kills++;
            for (var i = 0; i < servers.Length; i++)
                if (kills % 3 == 0 || i == kills % 2)
                {
                    servers[i].Dispose();
                    servers[i] = Start();
                }
        }
        foreach (var server in servers) server.Dispose();

        Assert.True(kills >= 5, $"only {kills} kills");
        // Of each schedule: every minute from the first to the last that was dealt with, each once.
        Assert.Equal(Schedules, await ScalarAsync<long>($"""
            select count(*) from schedules s where
              (select array_agg(to_timestamp(split_part(idempotency_key, ':', 3), 'YYYYMMDD"T"HH24MISS"Z"') at time zone 'UTC' order by idempotency_key)
               from runs where name = s.name)
              = (select array_agg(m at time zone 'UTC') from generate_series(timestamptz '{begin:yyyy-MM-dd HH:mm:ss}Z', s.last_at, interval '1 minute') m)
            """));
        Assert.Equal(0L, await ScalarAsync<long>("select count(*) from schedules where last_error is not null or skipped > 0"));
    }
}
