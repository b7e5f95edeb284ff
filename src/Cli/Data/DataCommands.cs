using System.CommandLine;

namespace MetaOpt.Cli.Data;

/// <summary><c>data</c>: the datasets of this machine. A worker offers those it finds when it starts.</summary>
public static class DataCommands
{
    /// <summary>The command with its parts.</summary>
    public static Command Create() =>
        Listing(new("data", "List the datasets and where they lie, or fetch one.") { Fetch(), List() });

    static Command Fetch()
    {
        var name = new Argument<string>("dataset") { Description = "Which one." };
        name.AcceptOnlyFromAmong([.. PublicDataset.All.Select(d => d.Name), "images", "text"]);
        var source = new Option<string?>("--from")
        {
            Description =
                "Take its files (plain, .gz, or in its authors' archive, which may be given itself) from this folder or a folder "
                + $"in it; by default from public places. images: a folder of at least three "
                + $"pictures ({Picture.Kinds}) and at least one "
                + "style in its subfolder styles; by default Debian's gnome-backgrounds. text: a file.",
        };
        var command = new Command("fetch", "Fetch a dataset, check sizes and SHA-256, and store it in the data folder.")
        {
            name,
            source
        };
        command.SetAction(async (arguments, cancel) =>
        {
            var home = Home.FromEnvironment().Prepare();
            var (chosen, from) = (arguments.GetValue(name), arguments.GetValue(source));
            if (chosen == "images")
            {
                await Images.FetchAsync(home, from, Console.WriteLine, cancel);
                Console.WriteLine($"Stored: {Images.Folder(home)}");
                return;
            }
            if (chosen == "text")
            {
                TextData.Fetch(home, from);
                Console.WriteLine($"Stored: {TextData.Path(home)}");
                return;
            }
            var dataset = PublicDataset.All.Single(d => d.Name == chosen);
            if (dataset.IsComplete(home))
                Console.WriteLine($"Already there: {dataset.Folder(home)}");
            else
            {
                await dataset.EnsureAsync(home, from, Console.WriteLine, cancel);
                Console.WriteLine($"Checked and stored: {dataset.Folder(home)}");
            }
        });
        return command;
    }

    static Command List() => Listing(new("list", "List the datasets and where they lie."));

    static Command Listing(Command command)
    {
        command.SetAction(_ =>
        {
            var home = Home.FromEnvironment();
            foreach (var dataset in PublicDataset.All)
                Console.WriteLine(dataset.IsComplete(home)
                    ? $"{dataset.Name,-13}  {dataset.Files.Sum(f => f.Bytes) / 1e6:F0} MB  {dataset.Folder(home)}"
                    : $"{dataset.Name,-13}  not here; fetch it with: ./metaopt data fetch {dataset.Name}");
            Console.WriteLine(
                $"{"images",-13}  {(Images.IsComplete(home) ? Images.Folder(home) : "not here; fetch them with: ./metaopt data fetch images")}");
            Console.WriteLine(
                $"{"text",-13}  {(File.Exists(TextData.Path(home)) ? TextData.Path(home) : "not here; give one with: ./metaopt data fetch text --from FILE")}");
        });
        return command;
    }
}
