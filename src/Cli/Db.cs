using MetaOpt.Storage.Embedded;

namespace MetaOpt.Cli;

/// <summary><c>metaopt db</c>: the embedded PostgreSQL.</summary>
public static class Db
{
    /// <summary>Runs one command; returns the exit status.</summary>
    public static async Task<int> RunAsync(string[] words, CancellationToken cancellationToken)
    {
        var options = EmbeddedOptions.FromEnvironment();
        switch (words.FirstOrDefault())
        {
            case "start":
                await EmbeddedPostgres.EnsureStartedAsync(options, cancellationToken);
                return await ShowAsync(options, cancellationToken);
            case "stop":
                var stopped = await EmbeddedPostgres.StopAsync(options, cancellationToken);
                Console.WriteLine(stopped ? "The database stopped." : "The database was not running.");
                return 0;
            case "status":
                return await ShowAsync(options, cancellationToken);
            default:
                return 2;
        }
    }

    static async Task<int> ShowAsync(EmbeddedOptions options, CancellationToken cancellationToken)
    {
        Console.WriteLine(await EmbeddedPostgres.StatusAsync(options, cancellationToken));
        return 0;
    }
}
