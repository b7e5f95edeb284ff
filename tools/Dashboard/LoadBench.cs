using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using MetaOpt.Runs;
using MetaOpt.Storage;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Playwright;
using Npgsql;

namespace MetaOpt.Dashboard;

/// <summary>
/// How fast the dashboard is with much in the database: from navigation to the first drawn curve, and how long the main thread
/// was blocked (what is beyond 50 ms of each long task, until two seconds after the curve), in the browser, with an empty cache.
/// Exits 1 over the limits.
/// </summary>
static class LoadBench
{
    const double MostMs = 1000, MostBlockedMs = 200;
    const int Loads = 7, Compared = 8;

    // Long tasks are told to observers only; the chart marks when it has drawn.
    const string Observe = """
        window.longTasks = [];
        new PerformanceObserver(list => longTasks.push(...list.getEntries().map(e => e.duration))).observe({type: 'longtask', buffered: true});
        """;

    // Where the time goes: when the document, the scripts and styles, and the data that the curve needs were there.
    const string Arrived = """
        curve => {
            const last = entries => Math.max(0, ...entries.map(e => e.responseEnd).filter(end => end < curve));
            const [document] = performance.getEntriesByType('navigation'), rest = performance.getEntriesByType('resource');
            const data = rest.filter(e => e.name.includes('/api/')), scripts = rest.filter(e => /\.(js|css)$/.test(e.name));
            return [document.responseEnd, last(scripts), last(data)];
        }
        """;

    const string Drawn = "() => performance.getEntriesByName('metaopt-curve')[0]?.startTime";

    public static async Task<int> RunAsync(string[] args)
    {
        var (runs, points) = (Number(args, "--runs", 200), Number(args, "--points", 100_000));
        await using var server = await Server.StartAsync();
        var time = Stopwatch.StartNew();
        var ids = await FillAsync(server.App.Services, runs, points);
        Console.WriteLine($"{runs} runs of {points:N0} points stored in {time.Elapsed.TotalSeconds:F0} s. "
            + $"Median (largest) of {Loads} loads with an empty cache; limits {MostMs:F0} ms and {MostBlockedMs:F0} ms.");
        Console.WriteLine(
            $"{"page",-20}{"document, ms",14}{"scripts, ms",14}{"data, ms",14}{"first curve, ms",18}{"blocked, ms",18}"
            + $"{"points drawn",16}");
        var within = true;
        foreach (var (name, path) in (IEnumerable<(string, string)>)[
            ("Run", $"/runs/{ids[^1]}"),
            ($"Compare ({Math.Min(Compared, runs)} runs)", $"/compare?runs={string.Join(',', ids.TakeLast(Compared))}")])
        {
            var loads = new List<(double[] Arrived, double Curve, double Blocked, int Points)>();
            for (var i = 0; i < Loads; i++) loads.Add(await LoadAsync(server, path));
            var (curve, blocked) = (Of(loads.Select(l => l.Curve)), Of(loads.Select(l => l.Blocked)));
            var arrived = Enumerable.Range(0, 3).Select(i => $"{Of(loads.Select(l => l.Arrived[i])).Median,14:F0}");
            Console.WriteLine($"{name,-20}{string.Concat(arrived)}{$"{curve.Median:F0} ({curve.Largest:F0})",18}"
                + $"{$"{blocked.Median:F0} ({blocked.Largest:F0})",18}{loads[0].Points,16:N0}");
            within &= curve.Median <= MostMs && blocked.Median <= MostBlockedMs;
        }
        if (!within) Console.WriteLine("Over the limits.");
        return within ? 0 : 1;
    }

    static async Task<(double[], double, double, int)> LoadAsync(Server server, string path)
    {
        var page = await server.SignInAsync();
        await page.AddInitScriptAsync(Observe);
        await page.GotoAsync(path, new() { WaitUntil = WaitUntilState.Commit });
        await page.WaitForFunctionAsync(Drawn);
        var curve = await page.EvaluateAsync<double>(Drawn);
        var arrived = await page.EvaluateAsync<double[]>(Arrived, curve);
        await page.WaitForTimeoutAsync(2000);
        var blocked = await page.EvaluateAsync<double>("() => longTasks.reduce((sum, ms) => sum + Math.max(0, ms - 50), 0)");
        var points = await page.EvaluateAsync<int>(
            "() => document.querySelector('.plot').chart.lines.reduce((sum, line) => sum + line.curve.x.length, 0)");
        await page.Context.CloseAsync();
        return (arrived, curve, blocked, points);
    }

    static (double Median, double Largest) Of(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return (sorted[sorted.Length / 2], sorted[^1]);
    }

    /// <summary>Runs that are done, with noisy curves that fall, written through the worker's own door.</summary>
    static async Task<List<Guid>> FillAsync(IServiceProvider services, int runs, int points)
    {
        var (queue, source) = (services.GetRequiredService<RunQueue>(), services.GetRequiredService<NpgsqlDataSource>());
        var ids = new List<Guid>();
        for (var r = 0; r < runs; r++)
        {
            var random = new Random(r);
            var spec = SpecReader.Write(Catalog.RunKinds.Read("meta-training", JsonElement.Parse(
                $$"""
                {"seed":{{r}},"task":{"type":"quadratic"},"optimizer":{"type":"lstm"},
                 "training":{"metaEpochs":{{Math.Max(1, points / 5)}} } }
                """)));
            ids.Add(await queue.SubmitAsync(new NewRun("meta-training", $"run {r}", "admin", spec), new("admin", "run.submit"),
                default));
            var claim = await queue.ClaimAsync(new WorkerIdentity("bench", "cpu", [], []), TimeSpan.FromMinutes(5), default)
                ?? throw new InvalidOperationException("The run was not given out.");
            var lease = new LeasedRun(source, claim.Lease);
            await lease.BeginAttemptAsync([], default);
            await lease.AppendPointsAsync([.. Enumerable.Range(1, points).Select(i =>
                new RunEvent.Point("meta-loss", i,
                    (10 / (1 + 1e-3 * i) + 0.01) * Math.Exp(0.4 * (random.NextDouble() + random.NextDouble() - 1))))],
                default);
            await lease.FinishAsync(RunState.Succeeded, new() { ["kind"] = "meta-training" }, null, default);
        }
        return ids;
    }

    static int Number(string[] args, string name, int fallback)
    {
        var at = Array.IndexOf(args, name);
        if (at < 0) return fallback;
        return at + 1 < args.Length && int.TryParse(args[at + 1], NumberStyles.None, CultureInfo.InvariantCulture, out var value)
            && value is >= 1 and <= 1_000_000
            ? value
            : throw new ArgumentException($"{name} takes a whole number between 1 and 1000000.");
    }
}
