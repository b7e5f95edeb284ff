using Npgsql;

namespace MetaOpt.Storage;

/// <summary>
/// Whether the database still answers, before a request waits for it. A server that hangs keeps its connections, and whoever
/// waits on one cannot be called back: to cancel a statement, Npgsql asks the same server. So each request first waits for the
/// answer to a question that was asked after it came; requests that come together share it. It has a connection of its own.
/// </summary>
public sealed class DatabasePulse(string connectionString) : IAsyncDisposable
{
    // Requests are to be answered within 5 s whatever the database does.
    static readonly TimeSpan s_patience = TimeSpan.FromSeconds(4);

    readonly NpgsqlDataSource _database = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(connectionString)
    {
        MaxPoolSize = 1,
        Timeout = 10,
        CommandTimeout = 10,
        CancellationTimeout = -1,
        ApplicationName = "metaopt-pulse",
    }.ConnectionString);

    readonly Lock _lock = new();
    Task<bool> _asked = Task.FromResult(true);
    Task<bool>? _next;

    /// <summary>False when the database was silent for 4 s. One that refuses or breaks connections is not silent.</summary>
    public async Task<bool> BeatsAsync(CancellationToken cancel)
    {
        Task<bool> next;
        lock (_lock) next = _next ??= AskAfterAsync(_asked);
        try
        {
            return await next.WaitAsync(s_patience, cancel);
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    async Task<bool> AskAfterAsync(Task<bool> before)
    {
        await before.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        lock (_lock) (_asked, _next) = (_next!, null);
        try
        {
            await using var ask = _database.CreateCommand("select 1");
            await ask.ExecuteScalarAsync();
            return true;
        }
        catch (Exception error) when (DatabaseOutage.Is(error) || error is ObjectDisposedException)
        {
            return error.GetBaseException() is not TimeoutException;
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _database.DisposeAsync();
}
