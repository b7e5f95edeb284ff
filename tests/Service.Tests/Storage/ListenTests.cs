using System.Threading.Channels;
using MetaOpt.Runs;
using MetaOpt.Storage;
using Xunit;
using static MetaOpt.Service.Tests.Storage.StorageFixture;

namespace MetaOpt.Service.Tests.Storage;

public class ListenTests(StorageFixture storage) : IClassFixture<StorageFixture>
{
    [Fact]
    public async Task A_listener_hears_each_move_of_a_run_and_its_cancel_request()
    {
        await using var ear = await Ear.OpenAsync(storage);
        var pool = Fresh("pool");
        var id = await storage.SubmitAsync(pool);
        await ear.HearAsync(new(id, RunState.Queued, false));
        var run = storage.Of(await storage.ClaimAsync(pool));
        await ear.HearAsync(new(id, RunState.Running, false));
        await storage.Queue.RequestCancelAsync(id, default);
        await ear.HearAsync(new(id, RunState.Running, true));
        await run.FinishAsync(RunState.Cancelled, null, null, default);
        await ear.HearAsync(new(id, RunState.Cancelled, true));
    }

    [Fact]
    public async Task A_listener_hears_of_pauses_and_yields()
    {
        await using var ear = await Ear.OpenAsync(storage);
        var waiting = await storage.SubmitAsync("nobody");
        await ear.HearAsync(new(waiting, RunState.Queued, false));
        var running = (await storage.LeaseAsync()).Lease.RunId;
        await ear.HearAsync(new(running, RunState.Running, false));
        foreach (var (ask, id) in new (Func<Guid, CancellationToken, Task<bool>>, Guid)[]
                 { (storage.Queue.PauseAsync, waiting), (storage.Queue.ResumeAsync, waiting),
                     (storage.Queue.YieldAsync, running) })
        {
            Assert.True(await ask(id, default));
            Assert.Equal(id, (await ear.NextAsync()).RunId);
        }
    }

    [Fact]
    public async Task What_happens_while_the_connection_is_down_is_told_after_it_is_back()
    {
        await using var ear = await Ear.OpenAsync(storage);
        for (var i = 0; i < 3; i++)
        {
            var dropped = await storage.ScalarAsync<long>(
                """
                select count(pg_terminate_backend(pid)) from pg_stat_activity
                where datname = current_database() and pid <> pg_backend_pid()
                  and (query like 'listen %' or query like '%moved_at >= %')
                """);
            Assert.True(dropped > 0);
            var id = await storage.SubmitAsync("nobody");
            await ear.HearAsync(new(id, RunState.Queued, false));
        }
    }

    [Fact]
    public async Task Points_progress_and_beats_are_not_told()
    {
        await using var ear = await Ear.OpenAsync(storage);
        var run = await storage.LeaseAsync();
        await ear.HearAsync(new(run.Lease.RunId, RunState.Running, false));
        await run.AppendPointsAsync(Points("loss", 1, 1, 2, 3), default);
        await run.SetProgressAsync(new("meta-steps", 1, 2, 1, 1), default);
        await storage.Queue.HeartbeatAsync(run.Lease, Ttl, default);
        var next = await storage.SubmitAsync("nobody");
        Assert.Equal(next, (await ear.NextAsync()).RunId);
    }

    /// <summary>Hears everything from when it was opened.</summary>
    sealed class Ear : IAsyncDisposable
    {
        readonly Channel<RunNotification> heard = Channel.CreateUnbounded<RunNotification>();
        readonly CancellationTokenSource stop = new();
        Task listening = Task.CompletedTask;

        public static async Task<Ear> OpenAsync(StorageFixture storage)
        {
            var ear = new Ear();
            ear.listening = Task.Run(async () =>
            {
                await foreach (var notification in storage.Queue.ListenAsync(ear.stop.Token))
                    await ear.heard.Writer.WriteAsync(notification);
            });
            // Heard once: from here on it listens.
            await ear.HearAsync(new(await storage.SubmitAsync("nobody"), RunState.Queued, false));
            return ear;
        }

        public async Task<RunNotification> NextAsync() => await heard.Reader.ReadAsync().AsTask().WaitAsync(Patience.Limit);

        public async Task HearAsync(RunNotification expected)
        {
            while (await NextAsync() != expected)
            {
            }
        }

        public async ValueTask DisposeAsync()
        {
            await stop.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => listening);
            stop.Dispose();
        }
    }
}
