using System.Runtime.CompilerServices;
using System.Threading.Channels;
using MetaOpt.Runs;
using Npgsql;

namespace MetaOpt.Storage;

public sealed partial class RunQueue
{
    // How long a connection may be silent before it is tried: a dropped one can look alive for ever.
    static readonly TimeSpan ListenPatience = TimeSpan.FromSeconds(10);
    // A change is stamped before its commit makes it visible; looking back this far finds the late ones.
    static readonly TimeSpan CommitDelay = TimeSpan.FromSeconds(5);
    static readonly TimeSpan ReconnectDelay = TimeSpan.FromMilliseconds(250);

    /// <summary>
    /// State changes and cancel requests of all runs from now on, until cancelled. Reconnects by itself, and then tells what
    /// changed in between: nothing is missed, some may come twice.
    /// </summary>
    public async IAsyncEnumerable<RunNotification> ListenAsync([EnumeratorCancellation] CancellationToken cancel)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var heard = Channel.CreateUnbounded<RunNotification>();
        var listening = KeepListeningAsync(heard.Writer, stop.Token);
        try
        {
            await foreach (var notification in heard.Reader.ReadAllAsync(cancel))
                yield return notification;
        }
        finally
        {
            await stop.CancelAsync();
            await listening;
        }
    }

    async Task KeepListeningAsync(ChannelWriter<RunNotification> heard, CancellationToken stop)
    {
        DateTime? upTo = null;
        while (!stop.IsCancellationRequested)
        {
            try
            {
                await using var connection = await dataSource.OpenConnectionAsync(stop);
                connection.Notification += (_, e) => heard.TryWrite(Parse(e.Payload));
                await using (var listen = connection.Command("listen metaopt_runs"))
                    await listen.ExecuteNonQueryAsync(stop);
                upTo = await RepeatChangesAsync(connection, upTo, heard, stop);
                while (true)
                {
                    while (await connection.WaitAsync(ListenPatience, stop)) { }
                    await using var ask = connection.Command("select now()");
                    upTo = (DateTime)(await ask.ExecuteScalarAsync(stop))!;
                }
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception dropped) when (dataSource.IsAway(dropped) || dropped is InvalidOperationException or IOException)
            {
                await Task.Delay(ReconnectDelay, stop).ContinueWith(_ => { }, TaskScheduler.Default);
            }
            catch (Exception fault)
            {
                // Whoever listens must hear of it: silence would look like a queue in which nothing happens.
                heard.TryComplete(fault);
                return;
            }
        }
    }

    /// <summary>Writes what changed after <paramref name="since"/> (null: just now), and returns the database's time.</summary>
    static async Task<DateTime> RepeatChangesAsync(
        NpgsqlConnection connection, DateTime? since, ChannelWriter<RunNotification> heard, CancellationToken stop)
    {
        await using var read = connection.Command(Sql.ChangedRuns, ("since", since), ("commit_delay", CommitDelay));
        await using var reader = await read.ExecuteReaderAsync(stop);
        var now = DateTime.MinValue;
        while (await reader.ReadAsync(stop))
        {
            if (reader.IsDBNull(1))
                now = reader.GetDateTime(0);
            else
                heard.TryWrite(new(reader.GetGuid(1), Enum.Parse<RunState>(reader.GetString(2), true), reader.GetBoolean(3)));
        }
        return now;
    }

    static RunNotification Parse(string payload)
    {
        var parts = payload.Split(':');
        return new(Guid.Parse(parts[0]), Enum.Parse<RunState>(parts[1], true), parts is [_, _, "cancel"]);
    }
}
