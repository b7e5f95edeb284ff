using MetaOpt.Runs;
using MetaOpt.Storage;
using Xunit;
using static MetaOpt.Service.Tests.Storage.StorageFixture;

namespace MetaOpt.Service.Tests.Storage;

/// <summary>Random operations, valid and not, on the queue and on a model of it in memory; after each both must agree.</summary>
public class QueueModelTests(StorageFixture storage) : IClassFixture<StorageFixture>
{
    const int Sequences = 200, Operations = 25;

    [Fact]
    public async Task The_queue_does_what_its_model_does()
    {
        for (var seed = 1; seed <= Sequences; seed++)
        {
            var sequence = new Sequence(storage, new Random(seed));
            try
            {
                for (var i = 0; i < Operations; i++)
                    await sequence.StepAsync();
                await sequence.CompareAsync();
            }
            catch (Exception wrong)
            {
                throw new InvalidOperationException($"Seed {seed}, after: {string.Join("; ", sequence.Trace)}", wrong);
            }
            await storage.ExecuteAsync("delete from runs; delete from usage");
        }
    }

    sealed class Sequence(StorageFixture storage, Random random)
    {
        readonly string pool = Fresh("pool");
        readonly string[] owners = [Fresh("a"), Fresh("b"), Fresh("c")];
        readonly Dictionary<Guid, ModelRun> runs = [];
        readonly List<Lease> leases = [];
        int clock;

        public List<string> Trace { get; } = [];

        public async Task StepAsync()
        {
            var operation = random.Next(16);
            if (operation <= 2 || runs.Count == 0)
                await SubmitAsync();
            else if (operation <= 5 || leases.Count == 0)
                await ClaimAsync();
            else
                await (operation switch
                {
                    6 => ExpireAsync(),
                    7 => CancelAsync(),
                    8 => BeatAsync(),
                    9 => ReapAsync(),
                    10 => RetryAsync(),
                    11 => AskAsync("pause", storage.Queue.PauseAsync, run => run.Pause()),
                    12 => AskAsync("resume", storage.Queue.ResumeAsync, run => run.Resume()),
                    13 => AskAsync("yield", storage.Queue.YieldAsync, run => run.Yield()),
                    _ => WriteAsync(),
                });
            await CompareAsync();
        }

        async Task SubmitAsync()
        {
            var (owner, priority, maxDeaths) = (random.Pick(owners), random.Next(2), random.Next(1, 4));
            var dataset = random.Next(4) == 0 ? "mnist" : null;
            var id = await storage.SubmitAsync(pool, owner, priority, maxDeaths, dataset);
            runs.Add(id, new(owner, priority, dataset, maxDeaths, ++clock));
            Trace.Add($"submit {id} priority {priority}");
        }

        async Task ClaimAsync()
        {
            var datasets = random.Next(2) == 0 ? ["mnist"] : Array.Empty<string>();
            // Claiming reaps first; the shares of held leases then no longer count.
            await storage.Queue.ReapAsync(default);
            foreach (var run in runs.Values)
                run.Reap();
            var used = await SharesAsync();
            var expected = runs
                .Where(r => r.Value.State == RunState.Queued && !r.Value.Paused && (r.Value.Dataset is null || datasets.Contains(r.Value.Dataset)))
                .OrderByDescending(r => r.Value.Priority).ThenBy(r => used.GetValueOrDefault(r.Value.Owner))
                .ThenBy(r => r.Value.Joined)
                .Select(r => (Guid?)r.Key).FirstOrDefault();

            var claim = await storage.Queue.ClaimAsync(Worker(pool, datasets), Ttl, default);
            Trace.Add($"claim {claim?.Lease.RunId}");
            Assert.Equal(expected, claim?.Lease.RunId);
            if (claim is null)
                return;
            var claimed = runs[claim.Lease.RunId];
            claimed.Claim();
            Assert.Equal((claimed.Token, claimed.Outcomes.Count), (claim.Lease.Token, claim.Attempt));
            leases.Add(claim.Lease);
        }

        async Task<Dictionary<string, double>> SharesAsync()
        {
            await using var read = storage.Source.CreateCommand("select owner, used from fair_share");
            await using var reader = await read.ExecuteReaderAsync();
            var used = new Dictionary<string, double>();
            while (await reader.ReadAsync())
                used.Add(reader.GetString(0), reader.GetDouble(1));
            return used;
        }

        async Task ExpireAsync()
        {
            var lease = random.Pick(leases);
            Trace.Add($"expire {lease.RunId}");
            await storage.ExecuteAsync($"""
                update runs set lease_expires_at = now() - interval '1 second', lease_ttl = '1 microsecond'
                where id = '{lease.RunId}' and state = 'running'
                """);
            runs[lease.RunId].Expire();
        }

        async Task CancelAsync()
        {
            var (id, run) = random.Pick(runs.ToArray());
            Trace.Add($"cancel {id}");
            Assert.Equal(run.Cancel(), await storage.Queue.RequestCancelAsync(id, default));
        }

        async Task RetryAsync()
        {
            var (id, run) = random.Pick(runs.ToArray());
            Trace.Add($"retry {id}");
            Assert.Equal(run.Retry(++clock), await storage.Queue.RetryAsync(id, default));
        }

        async Task AskAsync(string verb, Func<Guid, CancellationToken, Task<bool>> ask, Func<ModelRun, bool> expect)
        {
            var (id, run) = random.Pick(runs.ToArray());
            Trace.Add($"{verb} {id}");
            Assert.Equal(expect(run), await ask(id, default));
        }

        async Task BeatAsync()
        {
            var lease = random.Pick(leases);
            Trace.Add($"beat {lease.RunId} {lease.Token}");
            Assert.Equal(runs[lease.RunId].Beat(lease.Token), await storage.Queue.HeartbeatAsync(lease, Ttl, default));
        }

        async Task ReapAsync()
        {
            Trace.Add("reap");
            await storage.Queue.ReapAsync(default);
            foreach (var run in runs.Values)
                run.Reap();
        }

        /// <summary>A write under a lease that may long be over: then it must be refused and change nothing.</summary>
        async Task WriteAsync()
        {
            var lease = random.Pick(leases);
            var (leased, model, step) = (new LeasedRun(storage.Source, lease), runs[lease.RunId], random.Next(5));
            var holds = model.Holds(lease.Token);
            (string, Func<Task>, Action) operation = random.Next(6) switch
            {
                0 => ("finish", () => leased.FinishAsync(RunState.Succeeded, [], null, default),
                    () => model.Finish(RunState.Succeeded)),
                1 => ("fail", () => leased.FinishAsync(RunState.Failed, null, new("x", "y"), default),
                    () => model.Finish(RunState.Failed)),
                2 => ("hand back", () => leased.HandBackAsync(default), () => model.HandBack(++clock)),
                3 => ("die", () => leased.ReportDeathAsync("killed", default), () => model.Die("died")),
                4 => ("append", () => leased.AppendPointsAsync(Points("loss", step, 1), default), () => { }),
                _ => ($"resume point {step}", () => leased.SaveResumePointAsync(step, [1], default),
                    () => model.SaveResumePoint(step)),
            };
            var (name, write, expect) = operation;
            Trace.Add($"{name} {lease.RunId} {lease.Token}");
            if (holds)
            {
                await write();
                expect();
            }
            else
                await Assert.ThrowsAsync<LeaseLostException>(write);
        }

        public async Task CompareAsync()
        {
            await using var read = storage.Source.CreateCommand($"""
                select r.id, r.state, r.lease_token, r.deaths, r.cancel_requested_at is not null, p.step, r.paused, r.yield_requested,
                  (select string_agg(coalesce(outcome, '-'), ' ' order by number) from attempts a where a.run_id = r.id)
                from runs r left join resume_points p on p.run_id = r.id where r.pool = '{pool}'
                """);
            await using var reader = await read.ExecuteReaderAsync();
            while (await reader.ReadAsync())
            {
                var run = runs[reader.GetGuid(0)];
                var actual = (Enum.Parse<RunState>(reader.GetString(1), true), reader.GetInt64(2), reader.GetInt32(3),
                    reader.GetBoolean(4), reader.IsDBNull(5) ? (long?)null : reader.GetInt64(5),
                    reader.GetBoolean(6), reader.GetBoolean(7),
                    reader.IsDBNull(8) ? "" : reader.GetString(8));
                var outcomes = string.Join(' ', run.Outcomes.Select(o => o ?? "-"));
                Assert.Equal((run.State, run.Token, run.Deaths, run.CancelRequested, run.ResumeStep, run.Paused, run.YieldRequested, outcomes), actual);
            }
        }
    }
}

static class Picking
{
    public static T Pick<T>(this Random random, IReadOnlyList<T> from) => from[random.Next(from.Count)];
}
