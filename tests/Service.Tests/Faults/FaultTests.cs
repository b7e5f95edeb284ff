using System.Diagnostics;
using System.Text.Json.Nodes;
using MetaOpt.Runs;
using MetaOpt.Service.Tests.Workers;
using MetaOpt.Storage;
using MetaOpt.Storage.Embedded;
using Npgsql;
using Xunit;
using static MetaOpt.Service.Tests.Workers.WorkerFixture;

namespace MetaOpt.Service.Tests.Faults;

/// <summary>
/// Many short runs of three users on four workers while things die, then without. <c>./metaopt bench faults</c> is the long form.
/// </summary>
public class FaultTests
{
    const int Workers = 4;

    static readonly (int Runs, int Seeds, int Restarts) s_size = LongForm.Wanted ? (300, 5, 3) : (16, 2, 1);
    const int SharedRuns = 200;
    const double ShareTolerance = 0.1;

    static readonly (string Name, int Weight)[] s_owners = [("one", 1), ("another", 1), ("double", 2)];

    readonly string _pool = Fresh("faults");

    [Fact]
    public async Task Every_run_ends_once_with_the_bytes_of_an_undisturbed_one_whatever_dies()
    {
        var options = EmbeddedOptions.FromEnvironment() with { DataFolder = TestFolders.New("faults") };
        var fixture = On(await EmbeddedPostgres.EnsureStartedAsync(options, default));
        try
        {
            await Migrations.ApplyAsync(fixture.Source, default);
            await AddOwnersAsync(fixture);
            var epochs = await EpochsLastingAsync(TimeSpan.FromSeconds(1.5));
            var undisturbed = await UndisturbedAsync(fixture, epochs);
            await Witness.AddAsync(fixture);

            var runs = new List<(Guid Id, int Seed)>();
            for (var i = 0; i < s_size.Runs; i++)
            {
                var (seed, owner) = (i % s_size.Seeds, s_owners[i % s_owners.Length].Name);
                runs.Add((await fixture.SubmitAsync(_pool, epochs, seed, maxDeaths: 1000, owner: owner), seed));
            }
            var begun = Stopwatch.StartNew();
            var workers = Enumerable.Range(0, Workers).Select(_ => fixture.Start(_pool)).ToList();
            var disturbance = new Disturbance(fixture, options, _pool, workers);
            await disturbance.UntilEndedAsync(runs.Count, s_size.Restarts);
            await JudgeAsync(fixture, disturbance, runs, undisturbed, 2 * epochs, begun.Elapsed);
        }
        finally
        {
            await fixture.DisposeAsync();
            await EmbeddedPostgres.StopAsync(options, default);
        }
    }

    async Task JudgeAsync(
        WorkerFixture fixture, Disturbance disturbance, List<(Guid Id, int Seed)> runs, string[] undisturbed, long steps,
        TimeSpan took)
    {
        var (rows, wrongSteps, wrongBytes) = (new List<Run>(), 0, 0);
        foreach (var (id, seed) in runs)
        {
            rows.Add(await fixture.RowAsync(id));
            if (!await fixture.HasEveryStepOnceAsync(id, steps)) wrongSteps++;
            if (rows[^1].State != RunState.Succeeded || await fixture.FinalSha256Async(id) != undisturbed[seed]) wrongBytes++;
        }
        var attempts = rows.SelectMany(r => r.Attempts).ToList();
        var (stray, notOnce) = await Witness.CountAsync(fixture, _pool);
        var (stored, unstored) = await Witness.StepsAsync(fixture, _pool, disturbance.Ends);
        var needed = (double)steps * runs.Count;
        var (ratio, resumed) = ((stored + unstored) / needed, attempts.Count(a => a.ResumedFromStep > 0));
        LongForm.Report("Faults: a child or worker killed, or a worker stopped past its lease, each second; database restarts",
            ("runs", runs.Count), ("users, weights 1:1:2", s_owners.Length), ("workers at once", Workers),
            ("meta-steps of a run", steps), ("seconds", Math.Round(took.TotalSeconds)),
            ("children killed (-9)", disturbance.Children), ("workers killed (-9)", disturbance.Workers),
            ("workers stopped past their lease", disturbance.Stops), ("database restarts", disturbance.Restarts),
            ("attempts", attempts.Count), ("attempts that resumed above step 0", resumed),
            ("runs that did not end exactly once: 0", notOnce),
            ("runs that did not succeed: 0", rows.Count(r => r.State != RunState.Succeeded)),
            ("series without each step exactly once: 0", wrongSteps),
            ("final checkpoints unlike the undisturbed one: 0", wrongBytes), ("writes from a lost lease: 0", stray),
            ("meta-steps stored / needed", Math.Round(stored / needed, 3)),
            ("meta-steps computed, with those never stored / needed: < 1.5", Math.Round(ratio, 3)));
        Assert.All(rows, run => Assert.Equal((RunState.Succeeded, null), (run.State, run.ErrorDetail)));
        Assert.Equal((0, 0, 0, 0), (notOnce, wrongSteps, wrongBytes, stray));
        Assert.Equal(s_size.Restarts, disturbance.Restarts);
        Assert.True(resumed > 0, "No attempt resumed above step 0.");
        Assert.InRange(stored / needed, 1, 1.5);
        // An estimate, from times and speeds.
        if (LongForm.Wanted) Assert.InRange(ratio, 1, 1.5);
    }

    [Fact]
    public async Task Device_time_goes_by_the_weights_while_everybody_has_work()
    {
        var fixture = On(await PostgresFixture.CreateDatabaseAsync());
        try
        {
            await AddOwnersAsync(fixture);
            var epochs = LongForm.Wanted ? await EpochsLastingAsync(TimeSpan.FromSeconds(0.5)) : 1;
            var weights = s_owners.Sum(o => o.Weight);
            foreach (var (name, weight) in s_owners)
                for (var i = 0; i < SharedRuns * weight / weights; i++)
                    await fixture.SubmitAsync(_pool, epochs, seed: i, owner: name);
            async Task<bool> AllHaveWorkAsync() => await fixture.ScalarAsync<long>(
                $"select count(distinct owner) from runs where pool = '{_pool}' and state = 'queued'") == s_owners.Length;
            if (LongForm.Wanted)
            {
                for (var i = 0; i < Workers; i++) fixture.Start(_pool);
                await UntilAsync(async () => !await AllHaveWorkAsync(), "somebody to run out of work");
            }
            else
            {
                await PlayWorkersAsync(fixture, AllHaveWorkAsync);
            }
            var seconds = new List<double>();
            foreach (var (name, _) in s_owners)
                seconds.Add(await fixture.ScalarAsync<double>($"""
                    select sum(extract(epoch from coalesce(a.ended_at, clock_timestamp()) - a.started_at))::float8
                    from attempts a join runs r on r.id = a.run_id
                    where r.pool = '{_pool}' and r.owner = '{name}'
                    """));
            var parts = s_owners.Zip(seconds, (o, s) => s / seconds.Sum() * weights / o.Weight).ToList();
            LongForm.Report("Fair share: device time while everybody has work, without kills", [
                ("runs", SharedRuns),
                .. s_owners.Zip(seconds, (o, s) => ($"{o.Name}, weight {o.Weight}: device seconds", (JsonNode?)Math.Round(s, 1))),
                .. s_owners.Zip(parts, (o, p) => (
                    $"{o.Name}: part of what the weight promises: {1 - ShareTolerance} to {1 + ShareTolerance}",
                    (JsonNode?)Math.Round(p, 3)))]);
            Assert.All(parts, part => Assert.InRange(part, 1 - ShareTolerance, 1 + ShareTolerance));
        }
        finally
        {
            await fixture.DisposeAsync();
        }
    }

    /// <summary>Claims and finishes runs as workers would, each after a minute or some: the clock is put back by that.</summary>
    async Task PlayWorkersAsync(WorkerFixture fixture, Func<Task<bool>> goOn)
    {
        var (random, held) = (new Random(1), new List<Claim>());
        while (await goOn())
        {
            while (held.Count < Workers)
                held.Add((await fixture.Queue.ClaimAsync(new WorkerIdentity($"played-{held.Count}", _pool, [], []),
                    WorkerFixture.Lease, default))!);
            var claim = held[random.Next(Workers)];
            held.Remove(claim);
            var earlier = $"- interval '{random.Next(60, 180)} seconds' where";
            await fixture.ScalarAsync<int>($"""
                update runs set lease_charged_at = lease_charged_at {earlier} id = '{claim.Lease.RunId}';
                update attempts set started_at = started_at {earlier} run_id = '{claim.Lease.RunId}'
                """);
            await new LeasedRun(fixture.Source, claim.Lease).FinishAsync(RunState.Succeeded, [], null, default);
        }
    }

    static async Task AddOwnersAsync(WorkerFixture fixture)
    {
        foreach (var (name, weight) in s_owners)
            await fixture.ScalarAsync<int>(
                $"insert into users (id, name, role, weight) values ('{Guid.CreateVersion7()}', '{name}', 'member', {weight})");
    }

    /// <summary>The final checkpoint of each seed, on a worker that nobody disturbs.</summary>
    static async Task<string[]> UndisturbedAsync(WorkerFixture fixture, int epochs)
    {
        var pool = Fresh("undisturbed");
        using var worker = fixture.Start(pool);
        var hashes = new string[s_size.Seeds];
        for (var seed = 0; seed < hashes.Length; seed++)
        {
            var id = await fixture.SubmitAsync(pool, epochs, seed);
            await fixture.EndAsync(id);
            hashes[seed] = await fixture.FinalSha256Async(id);
        }
        return hashes;
    }

    [Theory]
    [InlineData("holder", false)]
    [InlineData("another", true)]
    public async Task The_witness_sees_who_writes(string writer, bool stray)
    {
        var fixture = On(await PostgresFixture.CreateDatabaseAsync());
        await Witness.AddAsync(fixture);
        await fixture.SubmitAsync(_pool, 1);
        var claim = await fixture.Queue.ClaimAsync(new WorkerIdentity("holder", _pool, [], []), WorkerFixture.Lease, default);
        var connection =
            new NpgsqlConnectionStringBuilder(fixture.ConnectionString) { ApplicationName = writer }.ConnectionString;
        await using (var source = NpgsqlDataSource.Create(connection))
            await new LeasedRun(source, claim!.Lease).AppendPointsAsync([new("meta-loss", 1, 1)], default);
        var (seen, notOnce) = await Witness.CountAsync(fixture, _pool);
        Assert.Equal((stray, 1), (seen > 0, notOnce));
        await fixture.DisposeAsync();
    }
}
