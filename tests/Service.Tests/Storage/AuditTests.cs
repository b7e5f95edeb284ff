using System.Reflection;
using System.Text.Json;
using MetaOpt.Runs;
using MetaOpt.Storage;
using Microsoft.EntityFrameworkCore;
using Npgsql;
using Xunit;

namespace MetaOpt.Service.Tests.Storage;

/// <summary>Whoever changes something is in the audit trail, or nothing changes.</summary>
public sealed class AuditTests : IAsyncLifetime
{
    // A database of its own, in which lines can be refused without anybody else noticing.
    readonly StorageFixture _storage = new();
    readonly Dictionary<string, Func<AuditEvent, Task>> _changes = [];

    public async Task InitializeAsync()
    {
        await _storage.InitializeAsync();
        var (queue, users, pool) = (_storage.Queue, _storage.Users, StorageFixture.Fresh("pool"));
        var ada = await users.CreateUserAsync("ada", UserRole.Admin, default);
        await users.CreateUserAsync("gone", UserRole.Member, default);
        var token = (await users.CreateTokenAsync(ada.Id, "laptop", Scopes.All, null, default)).Token;
        var caller = new Caller(ada.Id, ada.Name, ada.Role, token.Id, Scopes.All);
        var (cancelled, waiting, running) = (await EndAsync(null), await EndAsync(null), await EndAsync(null));
        var (ended, learned) = (await EndAsync(RunState.Failed), await EndAsync(RunState.Succeeded));
        await queue.PauseAsync(waiting, default);
        await _storage.ExecuteAsync($"""
            update runs
            set state = 'running', lease_owner = 'w', lease_expires_at = now() + interval '1 day', lease_ttl = '1 day', lease_charged_at = now()
            where id = '{running}'
            """);
        await queue.RegisterWorkerAsync(StorageFixture.Worker(pool) with { Name = "w" }, default);
        var checkpoint = await _storage.ScalarAsync<Guid>($"select id from checkpoints where run_id = '{learned}'");
        await _storage.Get<ModelStore>().PromoteAsync("kept", checkpoint, "", "ada", default);

        Add<RunQueue>(nameof(RunQueue.SubmitAsync),
            d => queue.SubmitAsync(new NewRun("evaluation", "new", "ada", []), d, default));
        Add<RunQueue>(nameof(RunQueue.RequestCancelAsync), d => queue.RequestCancelAsync(cancelled, d, default));
        Add<RunQueue>(nameof(RunQueue.RetryAsync), d => queue.RetryAsync(ended, d, default));
        Add<RunQueue>(nameof(RunQueue.PauseAsync), d => queue.PauseAsync(running, d, default));
        Add<RunQueue>(nameof(RunQueue.ResumeAsync), d => queue.ResumeAsync(waiting, d, default));
        Add<RunQueue>(nameof(RunQueue.YieldAsync), d => queue.YieldAsync(running, d, default));
        Add<RunQueue>(nameof(RunQueue.EditAsync),
            d => queue.EditAsync(waiting, new("renamed", null, null, null, null), null, d, default));
        Add<RunQueue>(nameof(RunQueue.DrainAsync), d => queue.DrainAsync("w", true, d, default));
        Add<RunQueue>(nameof(RunQueue.DeleteAsync), d => queue.DeleteAsync(ended, d, default));
        Add<UserStore>(nameof(UserStore.CreateUserAsync), d => users.CreateUserAsync("new", UserRole.Member, 1, d, default));
        Add<UserStore>(nameof(UserStore.ChangeUserAsync), d => users.ChangeUserAsync("ada", new(null, 3, null), d, default));
        Add<UserStore>(nameof(UserStore.DeleteUserAsync), d => users.DeleteUserAsync("gone", d, default));
        Add<UserStore>(nameof(UserStore.CreateTokenAsync),
            d => users.CreateTokenAsync(ada.Id, "new", Scopes.All, null, d, default));
        Add<UserStore>(nameof(UserStore.CreateSessionAsync),
            d => users.CreateSessionAsync(caller, TimeSpan.FromDays(1), d, default));
        Add<UserStore>(nameof(UserStore.RevokeTokenAsync), d => users.RevokeTokenAsync(ada.Id, token.Id, d, default));
        Add<QuotaStore>(nameof(QuotaStore.SetAsync),
            d => _storage.Get<QuotaStore>().SetAsync(new Quota { Owner = "ada", Running = 1 }, d, default));
        Add<ModelStore>(nameof(ModelStore.PromoteAsync),
            d => _storage.Get<ModelStore>().PromoteAsync("new", checkpoint, "", d, default));
        Add<ModelStore>(nameof(ModelStore.DemoteAsync), d => _storage.Get<ModelStore>().DemoteAsync("kept", 1, d, default));

        await AddSchedulesAsync();

        async Task<Guid> EndAsync(RunState? final)
        {
            var id = await _storage.SubmitAsync(pool);
            if (final is null) return id;
            // The newest waits last: what was submitted before would be claimed first.
            await _storage.ExecuteAsync($"update runs set priority = 1 where id = '{id}'");
            var run = _storage.Of(await _storage.ClaimAsync(pool));
            await run.SaveCheckpointAsync("final", 1, new byte[8], default);
            await run.FinishAsync(final.Value, [], final == RunState.Failed ? new("x", "y") : null, default);
            return id;
        }
    }

    async Task AddSchedulesAsync()
    {
        var (schedules, subscriptions) = (_storage.Get<ScheduleStore>(), _storage.Get<SubscriptionStore>());
        var (kept, left) = (NewSchedule(), NewSchedule());
        foreach (var schedule in new[] { kept, left }) await schedules.AddAsync(schedule, new("ada", "test"), default);
        var (heard, unheard) = (NewSubscription(), NewSubscription());
        foreach (var subscription in new[] { heard, unheard })
            await subscriptions.AddAsync(subscription, new("ada", "test"), default);
        Add<ScheduleStore>(nameof(ScheduleStore.AddAsync), d => schedules.AddAsync(NewSchedule(), d, default));
        Add<ScheduleStore>(nameof(ScheduleStore.ChangeAsync), d => schedules.ChangeAsync(kept, 1, d, default));
        Add<ScheduleStore>(nameof(ScheduleStore.DeleteAsync), d => schedules.DeleteAsync(left.Id, d, default));
        Add<SubscriptionStore>(nameof(SubscriptionStore.AddAsync), d => subscriptions.AddAsync(NewSubscription(), d, default));
        Add<SubscriptionStore>(nameof(SubscriptionStore.EnableAsync),
            d => subscriptions.EnableAsync(heard.Id, false, d, default));
        Add<SubscriptionStore>(nameof(SubscriptionStore.DeleteAsync), d => subscriptions.DeleteAsync(unheard.Id, d, default));
    }

    void Add<T>(string method, Func<AuditEvent, Task> change) => _changes.Add($"{typeof(T).Name}.{method}", change);

    static Schedule NewSchedule() => new()
    {
        Id = Guid.CreateVersion7(),
        Name = "nightly",
        Owner = "ada",
        Cron = "0 3 * * *",
        TimeZone = "Etc/UTC",
        Submission = JsonElement.Parse("""{"run":{}}"""),
    };

    static Subscription NewSubscription() => new()
    {
        Id = Guid.CreateVersion7(),
        Owner = "ada",
        Address = "https://example.org/",
        Secret = new byte[32],
        Events = [EventNames.RunEnded],
        WaitMinutes = 60,
    };

    public Task DisposeAsync() => _storage.DisposeAsync();

    [Fact]
    public async Task Every_change_writes_one_line_of_whoever_made_it()
    {
        foreach (var (name, change) in _changes.Where(c => c.Key != $"{nameof(RunQueue)}.{nameof(RunQueue.DeleteAsync)}"))
        {
            await change(new("grace", name));
            var line = Assert.Single(
                await _storage.Get<AuditLog>().ListAsync("grace", name, null, null, null, null, 10, default));
            Assert.True(line.At > DateTimeOffset.UtcNow.AddHours(-1));
        }
    }

    [Fact]
    public async Task A_change_whose_line_cannot_be_written_does_not_happen()
    {
        await _storage.ExecuteAsync("alter table audit add constraint refused check (actor <> 'eve') not valid");
        var before = await SnapshotAsync();
        foreach (var (name, change) in _changes)
        {
            var refused = await Record.ExceptionAsync(() => change(new("eve", name)));
            Assert.True(refused is PostgresException or DbUpdateException { InnerException: PostgresException },
                $"{name}: {refused}");
            Assert.Equal(before, await SnapshotAsync());
        }
    }

    [Fact]
    public void Nothing_else_changes_what_people_change()
    {
        var all = typeof(RunQueue).Assembly.GetExportedTypes().Where(t => t != typeof(AuditEvent))
            .SelectMany(t => t.GetMethods(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly))
            .Where(m => m.GetParameters().Any(p => p.ParameterType == typeof(AuditEvent)))
            .Select(m => $"{m.DeclaringType!.Name}.{m.Name}").Distinct();
        Assert.Equal(all.Order(), _changes.Keys.Order());
        // The API reads the model as it likes, and changes it by nothing but those.
        string[] ways = ["SaveChanges", "ExecuteUpdate", "ExecuteDelete", "ExecuteSql", "CreateCommand", "ExecuteNonQuery"];
        foreach (var file in Directory.EnumerateFiles(Path.Combine(Checkout.Folder, "src/Api"), "*.cs",
            SearchOption.AllDirectories))
            Assert.DoesNotContain(ways, w => File.ReadAllText(file).Contains(w, StringComparison.Ordinal));
    }

    Task<string> SnapshotAsync() => _storage.ScalarAsync<string>("""
        select (select json_agg(r order by id) from runs r)::text || (select json_agg(u order by id) from users u)::text
          || (select json_agg(t order by id) from tokens t)::text || coalesce((select json_agg(q order by owner) from quotas q)::text, '')
          || (select json_agg(w order by name) from workers w)::text || (select json_agg(m order by name) from models m)::text
          || (select json_agg(s order by id) from schedules s)::text || (select json_agg(s order by id) from subscriptions s)::text
        """);
}
