using System.CommandLine;

namespace MetaOpt.Cli.Demo;

/// <summary><c>demo [mnist]</c>: the whole path of the product, driven through the HTTP API alone.</summary>
public static class DemoCommand
{
    /// <summary>The command line.</summary>
    public static Command Create()
    {
        var name = new Argument<string>("name") { Description = "What to learn on.", DefaultValueFactory = _ => "quadratic" };
        name.AcceptOnlyFromAmong("quadratic", "mnist");
        var seed = new Option<long>("--seed") { Description = "Every random draw follows from it.", DefaultValueFactory = _ => 1 }
            .Between(0, 9007199254740991);
        var json = new Option<string?>("--json") { Description = "Write the result and the times to this file, then exit." };
        var output = new Option<string?>(
            "--out")
        { Description = "Folder for the plot and the checkpoint; by default demo-out in the checkout." };
        // For trying out other numbers, and for the tests.
        var plan = new Option<FileInfo?>("--plan")
        {
            Description = "A plan's document instead of the built-in one.",
            Hidden = true
        };
        var command = new Command("demo", "Learn an optimizer, measure it against tuned baselines, and show the result.")
        {
            name,
            seed,
            json,
            output,
            plan
        };
        command.SetAction(async (arguments, cancel) =>
        {
            var settings = new DemoSettings(
                arguments.GetValue(name)!, arguments.GetValue(seed), arguments.GetValue(json),
                arguments.GetValue(output) ?? Path.Combine(Checkout(), "demo-out"));
            await new Demonstration(settings, Load(arguments.GetValue(plan), settings.Name), Home.FromEnvironment().Prepare())
                .RunAsync(cancel);
        });
        return command;
    }

    static DemoPlan Load(FileInfo? file, string name)
    {
        if (file is null)
            return DemoPlan.Load(name);
        using var stream = file.OpenRead();
        return DemoPlan.Parse(stream);
    }

    // The folder with the solution, above the build output; the current one when the program was installed elsewhere.
    static string Checkout()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "MetaOpt.sln")))
                return folder.FullName;
        return Environment.CurrentDirectory;
    }
}

/// <summary>The command's options.</summary>
/// <param name="Name">What is optimised.</param>
/// <param name="Seed">Seed of both runs.</param>
/// <param name="JsonFile">Where the summary goes, if anywhere.</param>
/// <param name="Output">Folder for plot and checkpoint.</param>
public sealed record DemoSettings(string Name, long Seed, string? JsonFile, string Output);
