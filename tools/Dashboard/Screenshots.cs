using System.Diagnostics;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;

namespace MetaOpt.Dashboard;

/// <summary>The README's pictures, made of runs that a real worker computes, so that they show what there is.</summary>
static class Screenshots
{
    static readonly TimeSpan s_patience = TimeSpan.FromMinutes(5);

    public static async Task<int> RunAsync(string[] args)
    {
        var folder = Directory.CreateDirectory(args is [var given] ? given : "docs/images").FullName;
        await using var server = await Server.StartAsync();
        // Its own server: never through a proxy.
        using var api = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = new Uri(server.Address) };
        api.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", server.Token);
        using var worker = StartWorker(server);
        try
        {
            var (contest, paths) = await ComputeAsync(api);
            // Something that runs and something that waits.
            for (var seed = 2; seed < 5; seed++)
                await SubmitAsync(api,
                    $$"""{"kind":"meta-training","name":"RNNprop on quadratics, seed {{seed}}","spec":{"seed":{{seed}},"task":{"type":"quadratic"},"optimizer":{"type":"rnnprop"},"training":{"metaBatch":64,"metaEpochs":4000} } }""");
            await Task.Delay(3000);
            await ShootAsync(server, folder, ("queue", "/"), ("contest", $"/runs/{contest}"),
                ("trajectory", $"/trajectory?run={paths}"), ("leaderboard", "/leaderboard"), ("new", "/new?preset=quadratics"));
        }
        finally
        {
            worker.Kill(entireProcessTree: true);
            await worker.WaitForExitAsync();
        }
        return 0;
    }

    /// <summary>An LSTM on quadratics, its contest, and a contest on a valley of two coordinates.</summary>
    static async Task<(string Benchmark, string Paths)> ComputeAsync(HttpClient api)
    {
        var training = await SubmitAsync(api, """
            {"kind":"meta-training","name":"LSTM on quadratics","tags":["figure 4"],"spec":{"seed":1,"task":{"type":"quadratic"},"optimizer":{"type":"lstm"},
             "training":{"metaBatch":32,"metaEpochs":300,"metaOptimizer":{"learningRate":0.003},"validation":{"every":5,"instances":256} } } }
            """);
        var valley = await SubmitAsync(api, """
            {"kind":"meta-training","name":"RNNprop in Rosenbrock's valley","spec":{"seed":1,"task":{"type":"rosenbrock"},"optimizer":{"type":"rnnprop"},
             "training":{"metaBatch":32,"metaEpochs":200} } }
            """);
        var contest = await SubmitAsync(api, $$"""
            {"kind":"evaluation","name":"LSTM against tuned baselines","spec":{"task":{"type":"quadratic"},"horizon":100,"instances":1000,
             "contestants":[{"checkpoint":"{{await FinalAsync(api, training)}}"},{"optimizer":{"type":"adam"} },{"optimizer":{"type":"momentum"} },
             {"optimizer":{"type":"rmsprop"} },{"optimizer":{"type":"sgd"} }] } }
            """);
        var paths = await SubmitAsync(api, $$"""
            {"kind":"evaluation","name":"Rosenbrock's valley","spec":{"task":{"type":"rosenbrock"},"horizon":200,"instances":200,
             "contestants":[{"checkpoint":"{{await FinalAsync(api, valley)}}"},{"optimizer":{"type":"adam"} },{"optimizer":{"type":"momentum"} },{"optimizer":{"type":"sgd"} }] } }
            """);
        await EndAsync(api, paths);
        await EndAsync(api, contest);
        return (contest, paths);
    }

    static async Task ShootAsync(Server server, string folder, params (string Name, string Path)[] views)
    {
        var page = await server.SignInAsync();
        foreach (var (name, path) in views)
        {
            await page.GotoAsync(path);
            await page.WaitForTimeoutAsync(2500);
            var file = Path.Combine(folder, $"dashboard-{name}.png");
            await page.ScreenshotAsync(new() { Path = file });
            Console.WriteLine(file);
        }
        await page.Context.CloseAsync();
    }

    static Process StartWorker(Server server)
    {
        var here = new DirectoryInfo(AppContext.BaseDirectory);
        var program = Path.Combine(here.Parent!.Parent!.FullName, "MetaOpt.Worker", here.Name, "metaopt-worker.dll");
        var start = new ProcessStartInfo("dotnet", [program, "--name", "hopper"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true
        };
        start.Environment["METAOPT_DATABASE_URL"] = server.DatabaseUrl;
        var worker = Process.Start(start)!;
        worker.BeginOutputReadLine();
        worker.BeginErrorReadLine();
        return worker;
    }

    static async Task<string> SubmitAsync(HttpClient api, string body)
    {
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        var answer = await api.PostAsync("/api/v1/runs", content);
        var text = await answer.Content.ReadAsStringAsync();
        return answer.IsSuccessStatusCode ? (string)JsonNode.Parse(text)!["id"]! : throw new InvalidOperationException(text);
    }

    static async Task EndAsync(HttpClient api, string id)
    {
        for (var time = Stopwatch.StartNew(); time.Elapsed < s_patience; await Task.Delay(200))
            switch ((string?)JsonNode.Parse(await api.GetStringAsync($"/api/v1/runs/{id}"))!["state"])
            {
                case "succeeded": return;
                case "failed" or "cancelled": throw new InvalidOperationException($"Run {id} did not succeed.");
            }
        throw new InvalidOperationException($"Run {id} took longer than {s_patience}.");
    }

    static async Task<string> FinalAsync(HttpClient api, string run)
    {
        await EndAsync(api, run);
        return (string)JsonNode.Parse(await api.GetStringAsync($"/api/v1/runs/{run}/checkpoints"))!["items"]!.AsArray()
            .First(c => (string?)c!["name"] == "final")!["id"]!;
    }
}
