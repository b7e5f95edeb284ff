using System.CommandLine;
using MetaOpt.Storage.Embedded;

namespace MetaOpt.Cli;

/// <summary><c>metaopt db</c>: the embedded PostgreSQL.</summary>
public static class Db
{
    /// <summary>With all its subcommands.</summary>
    public static Command Command() => new("db", "The embedded PostgreSQL: start, stop, status, backup, restore.")
    {
        Start(), Stop(), Status(), Backup(), Restore(),
    };

    static Command Start() => Simple("start", "Start it, or do nothing when it runs.", async (options, cancel) =>
    {
        await EmbeddedPostgres.EnsureStartedAsync(options, cancel);
        await ShowAsync(options, cancel);
    });

    static Command Stop() => Simple("stop", "Stop it; what is connected is cut off.", async (options, cancel) =>
        Console.WriteLine(await EmbeddedPostgres.StopAsync(options, cancel)
            ? "The database stopped."
            : "The database was not running."));

    static Command Status() => Simple("status", "Whether it runs, and where it lies. Starts nothing.", ShowAsync);

    static Command Backup()
    {
        var file = new Argument<string>("file") { Description = "A new file." };
        var command = new Command("backup", "Write all of the database to a file.") { file };
        command.SetAction(async (words, cancel) =>
        {
            var path = words.GetValue(file)!;
            await EmbeddedPostgres.BackupAsync(Options(), path, cancel);
            Console.WriteLine($"Wrote {path} ({new FileInfo(path).Length / 1024.0:F0} KiB).");
        });
        return command;
    }

    static Command Restore()
    {
        var file = new Argument<string>("file") { Description = "A file that 'db backup' wrote." };
        var yes = new Option<bool>("--yes") { Description = "Replace a database that is not empty; its content is lost." };
        var command = new Command("restore", "Replace the database by a backup. Stop the server first (metaopt down).")
        {
            file,
            yes
        };
        command.SetAction(async (words, cancel) =>
        {
            await EmbeddedPostgres.RestoreAsync(Options(), words.GetValue(file)!, words.GetValue(yes), cancel);
            Console.WriteLine($"Restored {words.GetValue(file)}.");
        });
        return command;
    }

    static Command Simple(string name, string description, Func<EmbeddedOptions, CancellationToken, Task> action)
    {
        var command = new Command(name, description);
        command.SetAction((_, cancel) => action(Options(), cancel));
        return command;
    }

    static EmbeddedOptions Options() => Services.Database.IsEmbedded
        ? EmbeddedOptions.FromEnvironment()
        : throw new CommandException(
            "METAOPT_DATABASE_URL names a database of your own; 'metaopt db' looks after the embedded one only. Unset it to do "
            + "that.");

    static async Task ShowAsync(EmbeddedOptions options, CancellationToken cancellationToken)
    {
        var status = await EmbeddedPostgres.StatusAsync(options, cancellationToken);
        Console.WriteLine($"""
            state     {status.Describe()}
            data      {status.Folder}
            programs  {status.Binaries} (PostgreSQL {status.Version})
            """);
        if (status.Account is not null)
            Console.WriteLine($"account   {status.Account}");
    }
}
