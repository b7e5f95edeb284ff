using System.CommandLine;

namespace MetaOpt.Cli.Data;

/// <summary><c>data</c>: the datasets of this machine. A worker offers those it finds when it starts.</summary>
public static class DataCommands
{
    /// <summary>The command with its parts.</summary>
    public static Command Create() => new("data", "Datasets: fetch and list.") { Fetch(), List() };

    static Command Fetch()
    {
        var name = new Argument<string>("dataset") { Description = "Which one." };
        name.AcceptOnlyFromAmong([.. PublicDataset.All.Select(d => d.Name)]);
        var from = new Option<string?>("--from")
        {
            Description = "Take its files (plain or .gz, or its authors' archive) from this folder; by default from public places.",
        };
        var command = new Command("fetch", "Fetch a dataset, check sizes and SHA-256, and store it in the data folder.") { name, from };
        command.SetAction(async (arguments, cancel) =>
        {
            var home = Home.FromEnvironment().Prepare();
            var dataset = PublicDataset.All.Single(d => d.Name == arguments.GetValue(name));
            if (dataset.IsComplete(home))
                Console.WriteLine($"Already there: {dataset.Folder(home)}");
            else
            {
                await dataset.EnsureAsync(home, arguments.GetValue(from), Console.WriteLine, cancel);
                Console.WriteLine($"Checked and stored: {dataset.Folder(home)}");
            }
        });
        return command;
    }

    static Command List()
    {
        var command = new Command("list", "List the datasets and where they lie.");
        command.SetAction(_ =>
        {
            var home = Home.FromEnvironment();
            foreach (var dataset in PublicDataset.All)
                Console.WriteLine(dataset.IsComplete(home)
                    ? $"{dataset.Name,-13}  {dataset.Files.Sum(f => f.Bytes) / 1e6:F0} MB  {dataset.Folder(home)}"
                    : $"{dataset.Name,-13}  not here; fetch it with: ./metaopt data fetch {dataset.Name}");
        });
        return command;
    }
}
