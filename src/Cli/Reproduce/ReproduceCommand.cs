using System.CommandLine;
using MetaOpt.Cli.Client;
using MetaOpt.Cli.Services;

namespace MetaOpt.Cli.Reproduce;

/// <summary><c>reproduce [NAME ..]</c>: a paper's figures and tables, from nothing, next to the published numbers.</summary>
public static class ReproduceCommand
{
    /// <summary>The command line.</summary>
    public static Command Create()
    {
        var names = new Argument<string[]>("names")
        {
            Description = "Presets, or all; none lists them.",
            Arity = ArgumentArity.ZeroOrMore,
        };
        var full = new Option<bool>("--full") { Description = "The published size instead of minutes on two cores." };
        var seed = new Option<long>("--seed") { Description = "Added to every seed.", DefaultValueFactory = _ => 0 }
            .Between(0, 1_000_000_000);
        var json = new Option<string?>("--json") { Description = "Write ratios, intervals and thresholds to this file." };
        var output = new Option<string>("--out")
        {
            Description = "Folder for figures, tables and the list of runs.",
            DefaultValueFactory = _ => "reproduce-out"
        };
        var docs = new Option<string?>(
            "--docs")
        { Description = "Also bring reproduction.md and its pictures in this folder up to date." };
        var command = new Command("reproduce",
            "Make figures and tables of papers again; exits 1 when a result misses its threshold.")
        {
            names, full, seed, json, output, docs,
        };
        command.SetAction(async (arguments, cancel) =>
        {
            var settings = new ReproduceSettings(
                arguments.GetValue(full) ? "full" : "quick", arguments.GetValue(seed), arguments.GetValue(json),
                arguments.GetValue(output)!, arguments.GetValue(docs));
            var home = Home.FromEnvironment().Prepare();
            var exitCode = ExitCode.Success;
            async Task WorkAsync(Uri address)
            {
                using var api = new ApiClient(address, ApiClient.Token(home));
                exitCode = arguments.GetValue(names) is { Length: > 0 } wanted
                    ? await new Reproduction(settings, home, api).RunAsync(wanted, cancel)
                    : await ListAsync(api, cancel);
            }
            // Small runs leave a second core nearly idle, so several are done at once.
            await Server.WithAsync(home, "reproduce", () => { }, WorkAsync, cancel,
                slots: Math.Clamp(Environment.ProcessorCount, 1, 4));
            return exitCode;
        });
        return command;
    }

    static async Task<int> ListAsync(ApiClient api, CancellationToken cancel)
    {
        foreach (var preset in (await api.GetAsync("presets", cancel)).Items())
        {
            var minutes = preset.Field("minutes") ?? default;
            Console.WriteLine($"{preset.Text("name"),-22} {minutes.Text("quick"),4} min  {preset.Text("title")}");
            Console.WriteLine($"{"",-32}  {preset.Text("source")}");
        }
        return ExitCode.Success;
    }
}

/// <summary>The command's options.</summary>
/// <param name="Size">quick or full.</param>
/// <param name="Seed">Added to every seed of the preset.</param>
/// <param name="JsonFile">Where the findings go, if anywhere.</param>
/// <param name="Output">Folder for figures, tables and the list of runs.</param>
/// <param name="Docs">Folder whose reproduction.md is brought up to date, if any.</param>
public sealed record ReproduceSettings(string Size, long Seed, string? JsonFile, string Output, string? Docs);
