namespace MetaOpt.Storage;

public sealed partial class LeasedRun
{
    /// <summary>Lines that are kept of a run: the newest.</summary>
    public const int MostLogLines = 5000;

    /// <summary>Appends to the run's log. Repeated after a lost connection, it may write a line twice.</summary>
    public async Task AppendLogAsync(int attempt, IReadOnlyList<string> lines, CancellationToken cancel)
    {
        if (lines.Count == 0)
            return;
        await FencedAsync(Fence.Share, async connection =>
        {
            await using var append = connection.Command(Sql.AppendLog, ("run", lease.RunId), ("attempt", attempt),
                // PostgreSQL stores no NUL.
                ("lines", lines.Select(l => l.Replace('\0', ' ')).ToArray()), ("most", MostLogLines));
            return await append.ExecuteNonQueryAsync(cancel);
        }, cancel);
    }
}
