using System.Diagnostics;
using System.Net.Http.Headers;
using MetaOpt.Service.Tests.Workers;
using MetaOpt.Storage;
using Microsoft.Extensions.DependencyInjection;
using Xunit;
using static MetaOpt.Service.Tests.Workers.WorkerFixture;

namespace MetaOpt.Service.Tests.Api;

/// <summary>
/// Many clients poll and follow while two one-thread runs train in the background (nice 10): nobody is refused, and the training
/// goes on. How fast is judged by the long form only, <c>./metaopt bench load</c>, which wants a quiet machine.
/// </summary>
public class LoadTests
{
    const int Users = 10;
    const double MostMs = 100, LeastRate = 0.6;

    // A server that was just started compiles what it is asked for the first time: some polls of each client are not counted.
    static readonly (int Clients, int Streams, int Polls, int WarmUp, int Baseline) s_size =
        LongForm.Wanted ? (200, 50, 30, 5, 30) : (40, 10, 3, 0, 0);
    static readonly TimeSpan s_interval = TimeSpan.FromSeconds(2);

    const string Spec = """
        {"seed":1,"task":{"type":"quadratic"},"optimizer":{"type":"lstm"},
         "training":{"metaBatch":64,"metaEpochs":1000000,"validation":{"every":1000,"instances":8} } }
        """;

    [Fact]
    public async Task Polls_and_streams_are_answered_while_two_runs_train()
    {
        var fixture = On(await PostgresFixture.CreateDatabaseAsync());
        using var api = new ApiProcess(fixture.ConnectionString, "--urls=http://127.0.0.1:0");
        try
        {
            var (address, pool) = (await api.AddressAsync(), Fresh("load"));
            var tokens = await TokensAsync(fixture);
            Guid[] runs = [await fixture.SubmitAsync(pool, 0, spec: Spec), await fixture.SubmitAsync(pool, 0, spec: Spec)];
            using var worker = new WorkerProcess(
                "load", fixture.ConnectionString, ["--pool", pool, "--slots", "2", "--threads", "1"], nice: 10);
            foreach (var run in runs) await UntilAsync(async () => await fixture.StepAsync(run) > 50, "both to train");

            var load = new Load(address, tokens, runs);
            var (before, during, after) = LongForm.Wanted
                ? (await RateAsync(fixture, runs, BaselineAsync()), await RateAsync(fixture, runs, load.RunAsync()),
                    await RateAsync(fixture, runs, BaselineAsync()))
                : (0, await RateAsync(fixture, runs, load.RunAsync()), 0);
            // Workers of low priority may have to wait while others compute.
            var trained = await StepsAsync(fixture, runs);
            await UntilAsync(async () => await StepsAsync(fixture, runs) > trained, "the training to go on");
            var (undisturbed, ms) = ((before + after) / 2, load.Milliseconds.Order().ToArray());
            LongForm.Report("Load: clients and streams while two one-thread children train at nice 10",
                ("clients, one poll each 2 s", s_size.Clients), ("event streams", s_size.Streams),
                ("polls of each client, after some to warm up", s_size.Polls),
                ("polls answered", ms.Length), ("polls or streams refused: 0", load.Refused), ("events received", load.Events),
                ("poll, median ms", At(ms, 0.5)), ($"poll, p99 ms: < {MostMs}", At(ms, 0.99)), ("poll, slowest ms", At(ms, 1)),
                ("meta-steps a second, undisturbed (before; after)", $"{before:F1}; {after:F1}"),
                ("meta-steps a second under load", Math.Round(during, 1)),
                ($"part of the undisturbed rate: >= {LeastRate}", LongForm.Wanted ? Math.Round(during / undisturbed, 3) : null));
            Assert.Equal(0, load.Refused);
            Assert.Equal(s_size.Clients * s_size.Polls, ms.Length);
            Assert.True(load.Events >= s_size.Streams);
            if (!LongForm.Wanted) return;
            Assert.InRange(At(ms, 0.99), 0, MostMs);
            Assert.InRange(during / undisturbed, LeastRate, double.MaxValue);
        }
        finally
        {
            await fixture.DisposeAsync();
        }
    }

    static double At(double[] sorted, double part) => Math.Round(sorted[(int)Math.Ceiling(part * (sorted.Length - 1))], 1);

    static async Task<string[]> TokensAsync(WorkerFixture fixture)
    {
        await using var services = new ServiceCollection().AddMetaOptStorage(fixture.ConnectionString).BuildServiceProvider();
        var (users, tokens) = (services.GetRequiredService<UserStore>(), new string[Users]);
        for (var i = 0; i < Users; i++)
        {
            var user = await users.CreateUserAsync($"user-{i}", UserRole.Member, default);
            tokens[i] = (await users.CreateTokenAsync(user.Id, "load", Scopes.All, null, default)).Text;
        }
        return tokens;
    }

    /// <summary>Meta-steps a second of all runs while something goes on.</summary>
    static async Task<double> RateAsync(WorkerFixture fixture, Guid[] runs, Task meanwhile)
    {
        var (begun, from) = (Stopwatch.StartNew(), await StepsAsync(fixture, runs));
        await meanwhile;
        return (await StepsAsync(fixture, runs) - from) / begun.Elapsed.TotalSeconds;
    }

    static Task BaselineAsync() => Task.Delay(TimeSpan.FromSeconds(s_size.Baseline));

    static async Task<long> StepsAsync(WorkerFixture fixture, Guid[] runs) =>
        await fixture.StepAsync(runs[0]) + await fixture.StepAsync(runs[1]);

    sealed class Load(Uri address, string[] tokens, Guid[] runs)
    {
        readonly List<double> _milliseconds = [];
        int _refused;
        long _events;

        public IReadOnlyList<double> Milliseconds => _milliseconds;
        public int Refused => _refused;
        public long Events => _events;

        public async Task RunAsync()
        {
            using var end = new CancellationTokenSource();
            var heard = Enumerable.Range(0, s_size.Streams).Select(_ => new TaskCompletionSource()).ToList();
            var streams = heard.Select((first, i) => FollowAsync(i, first, end.Token)).ToList();
            await Task.WhenAll(Enumerable.Range(0, s_size.Clients).Select(PollAsync));
            await Task.WhenAll(heard.Select(h => h.Task)).WaitAsync(Patience.Limit);
            await end.CancelAsync();
            await Task.WhenAll(streams);
        }

        /// <summary>A connection of its own for each.</summary>
        HttpClient Client(int i)
        {
            var client = new HttpClient { BaseAddress = address };
            client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", tokens[i % tokens.Length]);
            return client;
        }

        async Task PollAsync(int i)
        {
            using var client = Client(i);
            await Task.Delay(s_interval * i / s_size.Clients);
            using var timer = new PeriodicTimer(s_interval);
            for (var n = 0; n < s_size.WarmUp + s_size.Polls; n++)
            {
                var begun = Stopwatch.GetTimestamp();
                var path = (i + n) % 4 == 0 ? "/api/v1/runs?limit=20" : $"/api/v1/runs/{runs[(i + n) % 2]}";
                using var answer = await client.GetAsync(path);
                if (!answer.IsSuccessStatusCode) Interlocked.Increment(ref _refused);
                if (n >= s_size.WarmUp)
                    lock (_milliseconds) _milliseconds.Add(Stopwatch.GetElapsedTime(begun).TotalMilliseconds);
                await timer.WaitForNextTickAsync();
            }
        }

        async Task FollowAsync(int i, TaskCompletionSource first, CancellationToken end)
        {
            using var client = Client(i);
            try
            {
                var path = $"/api/v1/runs/{runs[i % 2]}/stream";
                using var answer = await client.GetAsync(path, HttpCompletionOption.ResponseHeadersRead, end);
                if (!answer.IsSuccessStatusCode) Interlocked.Increment(ref _refused);
                using var lines = new StreamReader(await answer.Content.ReadAsStreamAsync(end));
                while (await lines.ReadLineAsync(end) is { } line)
                {
                    if (!line.StartsWith("event:", StringComparison.Ordinal)) continue;
                    Interlocked.Increment(ref _events);
                    first.TrySetResult();
                }
            }
            catch (OperationCanceledException) when (end.IsCancellationRequested)
            {
            }
        }
    }
}
