using System.Buffers.Text;
using System.Text.Json.Nodes;
using Hangfire;
using MetaOpt.Api.Notifications;
using MetaOpt.Runs;
using MetaOpt.Service.Tests.Api;
using MetaOpt.Service.Tests.Workers;
using MetaOpt.Storage;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace MetaOpt.Service.Tests.Notifications;

/// <summary>Events reach webhooks and mailboxes: signed, at least once under one id, and nowhere else.</summary>
public sealed class NotificationsTests : IAsyncLifetime
{
    readonly ApiFixture api = new();
    readonly MailServer mailServer = new(refusals: 1);

    public async Task InitializeAsync() => await api.StartAsync(await PostgresFixture.CreateDatabaseAsync(), 0,
        "--METAOPT_NOTIFY_HOSTS=127.0.0.1, hooks.example.org", $"--METAOPT_SMTP=127.0.0.1:{mailServer.Port}",
        "--METAOPT_SMTP_FROM=metaopt@lab.example",
        "--METAOPT_SMTP_SECURITY=none", "--METAOPT_NOTIFY_MAIL=lab.example");

    public async Task DisposeAsync()
    {
        await api.DisposeAsync();
        mailServer.Dispose();
    }

    Notifier Notifier => ActivatorUtilities.CreateInstance<Notifier>(api.App.Services);

    async Task<(string Id, byte[] Secret)> SubscribeAsync(string address, string events, string? tag = null,
        HttpClient? by = null)
    {
        var body = new JsonObject { ["address"] = address, ["events"] = JsonNode.Parse(events) };
        if (tag is not null) body["tag"] = tag;
        var answer = await (by ?? api.Admin).PostAsync("/api/v1/subscriptions", ApiFixture.Json(body.ToJsonString()));
        var document = JsonNode.Parse(await answer.Content.ReadAsStringAsync())!;
        Assert.True((int)answer.StatusCode == 201, document.ToJsonString());
        return ((string)document["id"]!, Base64Url.DecodeFromChars((string)document["secret"]!));
    }

    async Task<JsonArray> DeliveriesAsync(string subscription) =>
        (await api.GetAsync($"/api/v1/subscriptions/{subscription}/deliveries?limit=200"))["items"]!.AsArray();

    async Task<T> ScalarAsync<T>(string sql)
    {
        await using var command = api.Database.CreateCommand(sql);
        return (T)(await command.ExecuteScalarAsync())!;
    }

    async Task<Guid> EndRunAsync(RunState state, string body = ApiFixture.Training)
    {
        var id = await api.SubmitAsync(body);
        await (await api.ClaimAsync(id)).FinishAsync(state, state == RunState.Succeeded ? [] : null,
            state == RunState.Failed ? new("diverged", "the loss is not finite") : null, default);
        return id;
    }

    [Fact]
    public async Task A_thousand_deliveries_reach_a_difficult_receiver_under_one_id_each()
    {
        await using var receiver = new Receiver();
        var (id, secret) = await SubscribeAsync(new Uri(await receiver.StartAsync(), "/hook").AbsoluteUri, """["run-ended"]""");
        // Enqueued already: only this test sends them, again and again at once, as Hangfire does after its pauses.
        await using (var fill = api.Database.CreateCommand($"""
            insert into deliveries (id, subscription_id, event, event_key, payload, created_at, enqueued, attempts)
            select gen_random_uuid(), '{id}', 'run-ended', n::text, jsonb_build_object('n', n), now(), true, 0 from generate_series(1, 1000) n
            """)) await fill.ExecuteNonQueryAsync();
        var pending = new List<Guid>();
        await using (var read = api.Database.CreateCommand("select id from deliveries"))
        await using (var rows = await read.ExecuteReaderAsync())
            while (await rows.ReadAsync()) pending.Add(rows.GetGuid(0));

        var (notifier, most) = (Notifier, 0L);
        await Parallel.ForEachAsync(pending, new ParallelOptions { MaxDegreeOfParallelism = 8 }, async (delivery, cancel) =>
        {
            for (var attempt = 0; ; attempt++)
                try
                {
                    await notifier.DeliverAsync(delivery, null, cancel);
                    break;
                }
                catch (DeliveryFailedException) when (attempt < 5)
                {
                    InterlockedMax(ref most, GC.GetTotalMemory(forceFullCollection: false));
                }
        });

        Assert.Equal(1000L,
            await ScalarAsync<long>("select count(*) from deliveries where delivered_at is not null and failed_at is null"));
        Assert.Equal(pending.Select(p => p.ToString()).Order(), receiver.Came.Keys.Order());
        Assert.All(receiver.Came, came =>
        {
            Assert.Single(came.Value, attempt => attempt.Taken);
            Assert.All(came.Value, attempt =>
            {
                Assert.Equal("sha256=" + WebhookSender.Sign(secret, attempt.Timestamp, attempt.Body), attempt.Signature);
                Assert.Equal(came.Key, (string)JsonNode.Parse(attempt.Body)!["delivery"]!);
            });
        });
        Assert.True(receiver.Came.Values.Sum(attempts => attempts.Count) > 1300, "the receiver was too kind");
        Assert.Equal(0, receiver.Forbidden);
        // Socket buffers take some megabytes of each; nobody takes the gigabytes.
        Assert.InRange(receiver.Swallowed, 1, receiver.Long * (128L << 20));
        Assert.InRange(most, 0, 1L << 30);
    }

    static void InterlockedMax(ref long most, long value)
    {
        for (var seen = Interlocked.Read(ref most); value > seen; seen = Interlocked.Read(ref most))
            if (Interlocked.CompareExchange(ref most, value, seen) == seen) return;
    }

    [Fact]
    public async Task Ended_failed_and_waiting_runs_and_lost_workers_are_told_once()
    {
        await using var receiver = new Receiver(kind: true);
        var hook = new Uri(await receiver.StartAsync(), "/hook").AbsoluteUri;
        var users = api.App.Services.GetRequiredService<UserStore>();
        var ada = await users.CreateUserAsync("ada", UserRole.Member, default);
        using var member = api.WithToken((await users.CreateTokenAsync(ada.Id, "test", Scopes.All, null, default)).Text);
        await EndRunAsync(RunState.Succeeded);
        var (mine, _) = await SubscribeAsync(hook, """["run-ended","run-failed","run-waits","worker-offline"]""");
        var (failures, _) = await SubscribeAsync(hook, """["run-failed"]""");
        var (tagged, _) = await SubscribeAsync(hook, """["run-failed","run-ended"]""", "nightly", member);
        var (others, _) = await SubscribeAsync(hook, """["run-failed","run-ended","run-waits"]""", null, member);

        var succeeded = await EndRunAsync(RunState.Succeeded);
        var failed = await EndRunAsync(RunState.Failed,
            ApiFixture.Training.Replace("{\"kind\"", "{\"tags\":[\"nightly\"],\"kind\"", StringComparison.Ordinal));
        var waiting = await api.SubmitAsync();
        await using (var age = api.Database.CreateCommand($"""
            update runs set queued_at = now() - interval '2 hours', not_before = now() - interval '2 hours' where id = '{waiting}';
            update subscriptions set created_at = created_at - interval '3 hours';
            update runs set finished_at = now() - interval '4 hours' where state = 'succeeded' and id <> '{succeeded}';
            update workers set last_seen_at = now() - interval '1 hour'
            """)) await age.ExecuteNonQueryAsync();
        for (var i = 0; i < 3; i++) await Notifier.NoticeAsync(default);
        await WorkerFixture.UntilAsync(
            async () => await ScalarAsync<long>("select count(*) from deliveries where delivered_at is null") == 0,
            "the deliveries");

        static string[] Events(JsonArray deliveries) =>
            [.. deliveries.Select(d => $"{d!["event"]} {d["payload"]!["run"] ?? d["payload"]!["worker"]}").Order()];
        Assert.Equal(
            new[] { $"run-ended {succeeded}", $"run-failed {failed}", $"run-waits {waiting}", "worker-offline test" }.Order(),
            Events(await DeliveriesAsync(mine)));
        Assert.Equal([$"run-failed {failed}"], Events(await DeliveriesAsync(failures)));
        Assert.Equal([$"run-failed {failed}"], Events(await DeliveriesAsync(tagged)));
        Assert.Empty(await DeliveriesAsync(others));
        Assert.Equal("diverged", (string)(await DeliveriesAsync(failures))[0]!["payload"]!["error"]!["code"]!);
        Assert.Equal(6, receiver.Came.Count);
        Assert.Equal(404, (int)(await member.GetAsync($"/api/v1/subscriptions/{mine}/deliveries")).StatusCode);
        Assert.DoesNotContain(mine, await member.GetStringAsync("/api/v1/subscriptions"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_mail_is_sent_again_until_the_server_takes_it()
    {
        var (id, _) = await SubscribeAsync("mailto:ada@lab.example", """["run-failed"]""");
        var run = await EndRunAsync(RunState.Failed,
            ApiFixture.Training.Replace("{\"kind\"", "{\"name\":\"a\\nBcc: eve@evil.example\",\"kind\"",
                StringComparison.Ordinal));
        await Notifier.NoticeAsync(default);
        // Hangfire tries again, ten seconds later.
        await WorkerFixture.UntilAsync(() => Task.FromResult(!mailServer.Mails.IsEmpty), "a mail");
        var (from, to, text) = Assert.Single(mailServer.Mails);
        Assert.Contains("<metaopt@lab.example>", from, StringComparison.Ordinal);
        Assert.Contains("<ada@lab.example>", to, StringComparison.Ordinal);
        Assert.Contains("Subject: Run a Bcc: eve@evil.example failed", text, StringComparison.Ordinal);
        Assert.DoesNotContain("\nBcc:", text.ReplaceLineEndings("\n"), StringComparison.Ordinal);
        Assert.Contains(run.ToString(), text, StringComparison.Ordinal);
        await WorkerFixture.UntilAsync(async () => (string)(await DeliveriesAsync(id))[0]!["state"]! == "delivered",
            "the note of it");
        var delivery = (await DeliveriesAsync(id))[0]!;
        Assert.Equal(2, (int)delivery["attempts"]!);
        Assert.Contains($"{delivery["id"]}@metaopt", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_address_that_is_not_allowed_is_refused()
    {
        foreach (var address in new[]
        {
            "http://127.0.0.2:9/hook", "http://[::1]/hook", "http://169.254.169.254/latest/meta-data",
            "https://user:password@127.0.0.1/hook", "ftp://127.0.0.1/hook",
            "file:///etc/passwd", "/hook", "mailto:eve@evil.example", "mailto:ada@lab.example,eve@evil.example",
            "mailto:ada@lab.example?cc=eve@evil.example",
        })
        {
            var body = new JsonObject { ["address"] = address, ["events"] = new JsonArray("run-ended") };
            var answer = await api.Admin.PostAsync("/api/v1/subscriptions", ApiFixture.Json(body.ToJsonString()));
            Assert.True((int)answer.StatusCode == 422, address);
            Assert.Equal("/address",
                (string)JsonNode.Parse(await answer.Content.ReadAsStringAsync())!["errors"]![0]!["pointer"]!);
        }
    }

    [Fact]
    public async Task A_delivery_to_an_address_that_is_not_allowed_any_more_is_given_up_at_once()
    {
        var (id, _) = await SubscribeAsync("http://127.0.0.1:9/hook", """["run-ended"]""");
        // Its name was listed once, and its address leads to where nobody may send.
        await using (var change =
            api.Database.CreateCommand($"update subscriptions set address = 'http://127.0.0.2:9/hook' where id = '{id}'"))
            await change.ExecuteNonQueryAsync();
        var delivery = await api.App.Services.GetRequiredService<SubscriptionStore>().AddTestAsync(Guid.Parse(id), [], default);
        await Notifier.DeliverAsync(delivery, null, default);
        var told = Assert.Single(await DeliveriesAsync(id))!;
        Assert.Equal(("failed", 1), ((string)told["state"]!, (int)told["attempts"]!));
        Assert.Contains("METAOPT_NOTIFY_HOSTS", (string)told["outcome"]!, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_test_is_sent_on_request_and_a_stopped_subscription_is_silent()
    {
        await using var receiver = new Receiver(kind: true);
        var (id, _) = await SubscribeAsync(new Uri(await receiver.StartAsync(), "/hook").AbsoluteUri, """["run-ended"]""");
        var answer = await api.Admin.PostAsync($"/api/v1/subscriptions/{id}/test", null);
        Assert.Equal(202, (int)answer.StatusCode);
        await WorkerFixture.UntilAsync(() => Task.FromResult(receiver.Came.Count == 1), "the test");

        Assert.Equal(200,
            (int)(await api.Admin.PatchAsync($"/api/v1/subscriptions/{id}",
                ApiFixture.Json("""{"enabled":false}"""))).StatusCode);
        await EndRunAsync(RunState.Succeeded);
        await Notifier.NoticeAsync(default);
        Assert.Single(await DeliveriesAsync(id));
        Assert.Equal(204, (int)(await api.Admin.DeleteAsync($"/api/v1/subscriptions/{id}")).StatusCode);
        Assert.Equal(0L, await ScalarAsync<long>("select count(*) from deliveries"));
    }

    [Fact]
    public void Pauses_between_attempts_grow()
    {
        var delays = typeof(Notifier).GetMethod(nameof(Notifier.DeliverAsync))!
            .GetCustomAttributes(typeof(AutomaticRetryAttribute), false)
            .Cast<AutomaticRetryAttribute>().Single().DelaysInSeconds;
        Assert.Equal(Notifier.Retries, delays.Length);
        Assert.Equal(delays.Order(), delays);
    }
}
