using FsCheck;
using FsCheck.Fluent;
using MetaOpt.Runs;
using MetaOpt.Storage;
using Xunit;
using static MetaOpt.Service.Tests.Storage.StorageFixture;

namespace MetaOpt.Service.Tests.Storage;

/// <summary>
/// Random operations, valid and not, on the queue and on a model of it in memory; after each both must agree. Where they do not,
/// the sequence is shortened as long as they do not. <c>./metaopt bench queue-model</c> is the long form.
/// </summary>
public class QueueModelTests
{
    const int Operations = 25, Lanes = 4;

    static readonly int s_sequences = LongForm.Wanted ? 10_000 : 300;

    // Each number draws one operation. Without any of them it may fail too.
    static readonly Arbitrary<int[]> s_sequence = Arb.From(Gen.Choose(0, int.MaxValue - 1).ArrayOf(Operations),
        sequence => sequence.Select((_, i) => (int[])[.. sequence[..i], .. sequence[(i + 1)..]]));

    [Fact]
    public async Task The_queue_does_what_its_model_does()
    {
        var (begun, kinds) = (System.Diagnostics.Stopwatch.StartNew(), new int[Sequence.Kinds]);
        await Task.WhenAll(Enumerable.Range(0, Lanes).Select(lane => Task.Run(async () =>
        {
            var storage = new StorageFixture();
            await storage.InitializeAsync();
            // Should two lanes draw the same numbers, they still do different things.
            Check.One(Config.QuickThrowOnFailure.WithMaxTest(s_sequences / Lanes), Prop.ForAll(s_sequence, operations =>
                ExecuteAsync(storage, [.. operations.Select(o => o ^ lane << 24)], kinds).GetAwaiter().GetResult()));
            await storage.DisposeAsync();
        })));
        LongForm.Report("Queue: random sequences of operations on the database and on a model", ("sequences", s_sequences),
            ("operations", kinds.Sum()), ("kinds of operations", kinds.Length), ("least often done", kinds.Min()),
            ("differences: 0", 0),
            ("seconds", Math.Round(begun.Elapsed.TotalSeconds)));
        Assert.DoesNotContain(0, kinds);
    }

    static async Task ExecuteAsync(StorageFixture storage, int[] operations, int[] kinds)
    {
        var sequence = new Sequence(storage);
        try
        {
            foreach (var operation in operations)
            {
                Interlocked.Increment(ref kinds[await sequence.StepAsync(new Random(operation))]);
                await sequence.CompareAsync();
            }
        }
        catch (Exception wrong)
        {
            throw new InvalidOperationException($"After: {string.Join("; ", sequence.Trace)}: {wrong.Message}", wrong);
        }
        finally
        {
            await storage.ExecuteAsync(
                "delete from runs; delete from usage; delete from usage_days; delete from quotas; delete from workers");
        }
    }

    sealed class Sequence
    {
        readonly StorageFixture storage;
        readonly string pool = Fresh("pool");
        readonly string[] owners = [Fresh("a"), Fresh("b"), Fresh("c")], workers = [Fresh("v"), Fresh("w")];
        readonly QueueModel model = new();
        readonly List<Lease> leases = [];
        readonly (int Weight, bool NeedsRun, bool NeedsLease, Func<Random, Task> Do)[] operations;

        public Sequence(StorageFixture storage)
        {
            this.storage = storage;
            operations =
            [
                (3, false, false, SubmitAsync), (3, false, false, ClaimAsync), (3, true, true, WriteAsync),
                (1, true, true, BeatAsync),
                (1, true, true, ExpireAsync), (1, false, false, ExpireLeasesAsync), (1, true, false, CancelAsync),
                (1, true, false, RetryAsync),
                (1, true, false, random => AskAsync(random, "pause", storage.Queue.PauseAsync, run => run.Pause())),
                (1, true, false, random => AskAsync(random, "resume", storage.Queue.ResumeAsync, run => run.Resume())),
                (1, true, false, random => AskAsync(random, "yield", storage.Queue.YieldAsync, run => run.Yield())),
                (1, true, false, DeleteAsync), (1, true, false, ComeDueAsync), (1, false, false, DrainAsync),
                (1, false, false, LimitAsync),
                (1, true, true, ReportCutOffAsync),
            ];
        }

        public const int Kinds = 16;

        public List<string> Trace { get; } = [];

        /// <summary>Does one that is possible; which.</summary>
        public async Task<int> StepAsync(Random random)
        {
            var possible = Enumerable.Range(0, operations.Length)
                .Where(i => (!operations[i].NeedsRun || model.Runs.Count > 0) && (!operations[i].NeedsLease || leases.Count > 0))
                .SelectMany(i => Enumerable.Repeat(i, operations[i].Weight)).ToList();
            var kind = random.Pick(possible);
            await operations[kind].Do(random);
            return kind;
        }

        async Task SubmitAsync(Random random)
        {
            var (owner, later, dataset) = (random.Pick(owners), random.Next(6) == 0, random.Next(4) == 0 ? "mnist" : null);
            Guid[] after = model.Runs.Count > 0 && random.Next(3) == 0 ? [random.Pick(model.Runs.Keys.ToArray())] : [];
            var run = new ModelRun(owner, random.Next(2), dataset, random.Next(1, 4), after, later);
            Trace.Add($"submit for {owner} priority {run.Priority} after [{string.Join(", ", after)}]{(later ? " later" : "")}");
            Task<Guid> Submit() => storage.SubmitAsync(pool, owner, run.Priority, run.MaxDeaths, dataset, after,
                later ? DateTimeOffset.UtcNow.AddDays(1) : null);
            if (model.RefusalOf(owner) is { } refusal) await Assert.ThrowsAsync(refusal, Submit);
            else model.Submit(await Submit(), run);
        }

        async Task ClaimAsync(Random random)
        {
            var (worker, datasets) = (random.Pick(workers), random.Next(2) == 0 ? ["mnist"] : Array.Empty<string>());
            // Claiming reaps first; the shares of held leases then no longer count.
            await ExpireLeasesAsync(random);
            model.Workers.TryAdd(worker, false);
            var expected = model.Next(worker, datasets, await SharesAsync());
            var claim = await storage.Queue.ClaimAsync(new WorkerIdentity(worker, pool, datasets, []), Ttl, default);
            Trace.Add($"claim {claim?.Lease.RunId}");
            Assert.Equal(expected, claim?.Lease.RunId);
            if (claim is null) return;
            var claimed = model.Runs[claim.Lease.RunId];
            claimed.Claim();
            Assert.Equal((claimed.Token, claimed.Outcomes.Count), (claim.Lease.Token, claim.Attempt));
            leases.Add(claim.Lease);
        }

        async Task<Dictionary<string, double>> SharesAsync()
        {
            await using var read = storage.Source.CreateCommand("select owner, used from fair_share");
            await using var reader = await read.ExecuteReaderAsync();
            var used = new Dictionary<string, double>();
            while (await reader.ReadAsync()) used.Add(reader.GetString(0), reader.GetDouble(1));
            return used;
        }

        async Task ExpireAsync(Random random)
        {
            var (lease, whileAway) = (random.Pick(leases), random.Next(3) == 0);
            Trace.Add($"expire {lease.RunId}{(whileAway ? " while the database is away" : "")}");
            await storage.ExecuteAsync($"""
                update runs set lease_expires_at = now() - interval '1 second', lease_ttl = '1 microsecond',
                  lease_charged_at = {(whileAway ? "pg_postmaster_start_time() - interval '1 second'" : "now()")}
                where id = '{lease.RunId}' and state = 'running'
                """);
            if (model.Runs.TryGetValue(lease.RunId, out var run) && run.State == RunState.Running) run.Expire(whileAway);
        }

        async Task CancelAsync(Random random)
        {
            var (id, run) = random.Pick(model.Runs.ToArray());
            Trace.Add($"cancel {id}");
            Assert.Equal(run.Cancel(), await storage.Queue.RequestCancelAsync(id, default));
        }

        async Task RetryAsync(Random random)
        {
            var (id, run) = random.Pick(model.Runs.ToArray());
            Trace.Add($"retry {id}");
            if (model.RefusalOfRetry(run) is { } refusal)
                await Assert.ThrowsAsync(refusal, () => storage.Queue.RetryAsync(id, default));
            else Assert.Equal(model.Retry(run), await storage.Queue.RetryAsync(id, default));
        }

        async Task AskAsync(Random random, string verb, Func<Guid, CancellationToken, Task<bool>> ask,
            Func<ModelRun, bool> expect)
        {
            var (id, run) = random.Pick(model.Runs.ToArray());
            Trace.Add($"{verb} {id}");
            Assert.Equal(expect(run), await ask(id, default));
        }

        async Task DeleteAsync(Random random)
        {
            var id = random.Pick(model.Runs.Keys.ToArray());
            Trace.Add($"delete {id}");
            Assert.Equal(model.Delete(id), await storage.Queue.DeleteAsync(id, default));
        }

        async Task ComeDueAsync(Random random)
        {
            var (id, run) = random.Pick(model.Runs.ToArray());
            Trace.Add($"come due {id}");
            await storage.ExecuteAsync($"update runs set not_before = now() where id = '{id}'");
            run.ComeDue();
        }

        async Task DrainAsync(Random random)
        {
            var (worker, drain) = (random.Pick(workers), random.Next(2) == 0);
            Trace.Add($"drain {worker} {drain}");
            Assert.Equal(model.Drain(worker, drain), await storage.Queue.DrainAsync(worker, drain, default));
        }

        async Task LimitAsync(Random random)
        {
            var (owner, running, queued) = (random.Pick(owners), Some(0, 2), Some(0, 4));
            Trace.Add($"limit {owner} to {running} running, {queued} queued");
            await storage.Get<QuotaStore>().SetAsync(new Quota { Owner = owner, Running = running, Queued = queued }, default);
            model.Quotas[owner] = (running, queued);

            int? Some(int least, int most) => random.Next(2) == 0 ? null : random.Next(least, most + 1);
        }

        async Task BeatAsync(Random random)
        {
            var lease = random.Pick(leases);
            Trace.Add($"beat {lease.RunId} {lease.Token}");
            var expected = model.Runs.TryGetValue(lease.RunId, out var run) ? run.Beat(lease.Token) : Beat.Lost;
            Assert.Equal(expected, await storage.Queue.HeartbeatAsync(lease, Ttl, default));
        }

        async Task ReportCutOffAsync(Random random)
        {
            var lease = random.Pick(leases);
            Trace.Add($"cut off {lease.RunId} {lease.Token}");
            await storage.Queue.ReportCutOffAsync(lease, default);
            if (model.Runs.TryGetValue(lease.RunId, out var run)) run.CutOff(lease.Token);
        }

        async Task ExpireLeasesAsync(Random random)
        {
            Trace.Add("reap");
            await storage.Queue.ExpireLeasesAsync(default);
            model.Reap();
        }

        /// <summary>A write under a lease that may long be over: then it must be refused and change nothing.</summary>
        async Task WriteAsync(Random random)
        {
            var lease = random.Pick(leases);
            var (leased, run, step) = (new LeasedRun(storage.Source, lease), model.Runs.GetValueOrDefault(lease.RunId),
                random.Next(5));
            (string, Func<Task>, Action) operation = random.Next(6) switch
            {
                0 => ("finish", () => leased.FinishAsync(RunState.Succeeded, [], null, default),
                    () => run!.Finish(RunState.Succeeded)),
                1 => ("fail", () => leased.FinishAsync(RunState.Failed, null, new("x", "y"), default),
                    () => run!.Finish(RunState.Failed)),
                2 => ("hand back", () => leased.HandBackAsync(default), () => model.HandBack(run!)),
                3 => ("die", () => leased.ReportDeathAsync("killed", default), () => run!.Die("died")),
                4 => ("append", () => leased.AppendPointsAsync(Points("loss", step, 1), default), () => { }),
                _ => ($"resume point {step}", () => leased.SaveResumePointAsync(step, [1], default),
                    () => run!.SaveResumePoint(step)),
            };
            var (name, write, expect) = operation;
            Trace.Add($"{name} {lease.RunId} {lease.Token}");
            if (!model.Holds(lease))
            {
                await Assert.ThrowsAsync<LeaseLostException>(write);
                return;
            }
            await write();
            expect();
        }

        public async Task CompareAsync()
        {
            await using var read = storage.Source.CreateCommand($"""
                select r.id, r.state, r.lease_token, r.deaths, r.cancel_requested_at is not null, p.step, r.paused, r.yield_requested,
                  (select string_agg(coalesce(outcome, '-'), ' ' order by number) from attempts a where a.run_id = r.id)
                from runs r left join resume_points p on p.run_id = r.id where r.pool = '{pool}'
                """);
            await using var reader = await read.ExecuteReaderAsync();
            var there = 0;
            for (; await reader.ReadAsync(); there++)
            {
                var run = model.Runs[reader.GetGuid(0)];
                var actual = (Enum.Parse<RunState>(reader.GetString(1), true), reader.GetInt64(2), reader.GetInt32(3),
                    reader.GetBoolean(4), reader.IsDBNull(5) ? (long?)null : reader.GetInt64(5),
                    reader.GetBoolean(6), reader.GetBoolean(7), reader.IsDBNull(8) ? "" : reader.GetString(8));
                var outcomes = string.Join(' ', run.Outcomes.Select(o => o ?? "-"));
                Assert.Equal((run.State, run.Token, run.Deaths, run.CancelRequested, run.ResumeStep, run.Paused,
                    run.YieldRequested, outcomes), actual);
            }
            Assert.Equal(model.Runs.Count, there);
        }
    }
}

static class Picking
{
    public static T Pick<T>(this Random random, IReadOnlyList<T> from) => from[random.Next(from.Count)];
}
