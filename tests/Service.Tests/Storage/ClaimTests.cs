using System.Text.Json.Nodes;
using MetaOpt.Runs;
using MetaOpt.Storage;
using Xunit;
using static MetaOpt.Service.Tests.Storage.StorageFixture;

namespace MetaOpt.Service.Tests.Storage;

public class ClaimTests(StorageFixture storage) : IClassFixture<StorageFixture>
{
    [Theory]
    [InlineData(2)]
    [InlineData(4)]
    public async Task Concurrent_claimers_take_each_run_exactly_once(int claimers)
    {
        var pool = Fresh("pool");
        var submitted = new List<Guid>();
        for (var i = 0; i < 60; i++)
            submitted.Add(await storage.SubmitAsync(pool, owner: $"owner{i % 3}"));

        var claimed = await Task.WhenAll(Enumerable.Range(0, claimers).Select(_ => Task.Run(async () =>
        {
            var (worker, mine) = (Worker(pool), new List<Guid>());
            while (await storage.Queue.ClaimAsync(worker, Ttl, default) is { } claim)
            {
                mine.Add(claim.Lease.RunId);
                await storage.Of(claim).FinishAsync(RunState.Succeeded, [], null, default);
            }
            return mine;
        })));

        Assert.Equal(submitted.Order(), claimed.SelectMany(c => c).Order());
    }

    [Fact]
    public async Task Higher_priority_goes_first_then_first_come()
    {
        var pool = Fresh("pool");
        var first = await storage.SubmitAsync(pool);
        var second = await storage.SubmitAsync(pool);
        var urgent = await storage.SubmitAsync(pool, priority: 5);
        var order = new List<Guid>();
        for (var i = 0; i < 3; i++)
            order.Add((await storage.ClaimAsync(pool)).Lease.RunId);
        Assert.Equal([urgent, first, second], order);
    }

    [Fact]
    public async Task Owners_take_turns_even_when_all_slots_are_claimed_at_once()
    {
        var (pool, a, b) = (Fresh("pool"), Fresh("a"), Fresh("b"));
        foreach (var owner in new[] { a, a, a, b, b })
            await storage.SubmitAsync(pool, owner);
        var owners = new List<string>();
        for (var i = 0; i < 5; i++)
            owners.Add((await storage.RowAsync((await storage.ClaimAsync(pool)).Lease.RunId)).Owner);
        Assert.Equal([a, b, a, b, a], owners);
    }

    [Fact]
    public async Task The_owner_who_used_less_for_his_weight_goes_first()
    {
        var (pool, a, b) = (Fresh("pool"), Fresh("a"), Fresh("b"));
        var user = await storage.Users.CreateUserAsync(a, UserRole.Member, default);
        await storage.ExecuteAsync($"update users set weight = 10 where id = '{user.Id}'");
        await storage.ExecuteAsync(
            $"insert into usage (owner, slot_seconds, updated_at) values ('{a}', 500, now()), ('{b}', 100, now())");
        await storage.SubmitAsync(pool, b);
        var heavy = await storage.SubmitAsync(pool, a);
        Assert.Equal(heavy, (await storage.ClaimAsync(pool)).Lease.RunId);
    }

    [Fact]
    public async Task Use_counts_half_after_a_day_and_nothing_after_years()
    {
        var (today, ago, ancient) = (Fresh("today"), Fresh("ago"), Fresh("ancient"));
        await storage.ExecuteAsync($"""
            insert into usage (owner, slot_seconds, updated_at) values
            ('{today}', 100, now()), ('{ago}', 100, now() - interval '1 day'), ('{ancient}', 100, now() - interval '9000 days')
            """);
        Task<double> Used(string owner) => storage.ScalarAsync<double>($"select used from fair_share where owner = '{owner}'");
        Assert.Equal(100, await Used(today), 1e-3);
        Assert.Equal(50, await Used(ago), 1e-3);
        Assert.Equal(0, await Used(ancient), 1e-3);
    }

    [Theory]
    [InlineData("cpu", 1)]
    [InlineData("gpu", 8)]
    public async Task A_beat_charges_the_seconds_since_the_last_one_and_gpu_seconds_weigh_more(string kind, int weight)
    {
        var (pool, owner) = (Fresh(kind), Fresh("owner"));
        await storage.SubmitAsync(pool, owner);
        var claim = await storage.ClaimAsync(pool);
        Task Back() => storage.ExecuteAsync(
            $"update runs set lease_charged_at = lease_charged_at - interval '100 seconds' where id = '{claim.Lease.RunId}'");
        Task<double> Charged() => storage.ScalarAsync<double>($"select slot_seconds from usage where owner = '{owner}'");

        await Back();
        await storage.Queue.HeartbeatAsync(claim.Lease, Ttl, default);
        Assert.InRange(await Charged(), 100 * weight, 199 * weight);
        await Back();
        await storage.Of(claim).FinishAsync(RunState.Succeeded, [], null, default);
        Assert.InRange(await Charged(), 200 * weight - 0.1, 299 * weight);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_is_charged_is_added_to_what_the_old_use_is_worth_by_then(bool lost)
    {
        var (pool, owner) = (Fresh("gpu"), Fresh("owner"));
        await storage.SubmitAsync(pool, owner);
        var claim = await storage.ClaimAsync(pool);
        await storage.ExecuteAsync(
            $"insert into usage (owner, slot_seconds, updated_at) values ('{owner}', 1000000, now() - interval '1 day')");
        await storage.ExecuteAsync($"""
            update runs set lease_charged_at = now() - interval '1000 seconds', lease_expires_at = now() {(lost ? "" : "+ interval '1 hour'")},
              lease_ttl = '1 microsecond' where id = '{claim.Lease.RunId}'
            """);
        if (lost) await storage.Queue.ExpireLeasesAsync(default);
        else await storage.Queue.HeartbeatAsync(claim.Lease, Ttl, default);
        // A GPU second counts eight times. The test itself may take a while.
        Assert.InRange(await storage.ScalarAsync<double>($"select slot_seconds from usage where owner = '{owner}'"), 507_900,
            520_000);
    }

    [Fact]
    public async Task A_run_began_when_it_was_claimed_first()
    {
        var pool = Fresh("pool");
        var id = await storage.SubmitAsync(pool);
        var first = await storage.ClaimAsync(pool);
        var began = (await storage.RowAsync(id)).StartedAt;
        await storage.Of(first).HandBackAsync(default);
        await storage.ClaimAsync(pool);
        Assert.NotNull(began);
        Assert.Equal(began, (await storage.RowAsync(id)).StartedAt);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_worker_is_seen_with_its_claims_and_its_beats(bool claims)
    {
        var pool = Fresh("pool");
        await storage.SubmitAsync(pool);
        var worker = Worker(pool);
        var claim = await storage.Queue.ClaimAsync(worker, Ttl, default);
        await storage.ExecuteAsync(
            $"update workers set last_seen_at = now() - interval '10 seconds' where name = '{worker.Name}'");
        if (claims) await storage.Queue.ClaimAsync(worker, Ttl, default);
        else await storage.Queue.HeartbeatAsync(claim!.Lease, Ttl, default);
        Assert.True(
            await storage.ScalarAsync<bool>(
                $"select last_seen_at >= (select started_at from attempts where "
                + $"run_id = '{claim!.Lease.RunId}') from workers where name = '{worker.Name}'"));
    }

    [Fact]
    public async Task A_worker_without_the_dataset_takes_the_next_run_that_it_can()
    {
        var pool = Fresh("pool");
        var images = await storage.SubmitAsync(pool, dataset: "mnist");
        var plain = await storage.SubmitAsync(pool);
        Assert.Equal(plain, (await storage.Queue.ClaimAsync(Worker(pool), Ttl, default))!.Lease.RunId);
        Assert.Null(await storage.Queue.ClaimAsync(Worker(pool, "cifar10"), Ttl, default));
        Assert.Equal(images, (await storage.Queue.ClaimAsync(Worker(pool, "cifar10", "mnist"), Ttl, default))!.Lease.RunId);
    }

    [Fact]
    public async Task A_claim_returns_the_specification_as_submitted_and_makes_the_attempt()
    {
        var pool = Fresh("pool");
        var spec = new JsonObject { ["seed"] = 9007199254740991, ["task"] = new JsonObject { ["x"] = 0.1 } };
        var id = await storage.Queue.SubmitAsync(
            new NewRun("meta-training", "n", "ada", spec) { Pool = pool, Tags = ["a", "b"] }, default);
        var claim = await storage.ClaimAsync(pool);
        Assert.True(JsonNode.DeepEquals(spec, JsonNode.Parse(claim.Spec.GetRawText())));
        Assert.Equal(("meta-training", 1, 1L), (claim.Kind, claim.Attempt, claim.Lease.Token));
        var row = await storage.RowAsync(id);
        Assert.Equal((RunState.Running, claim.Lease.Worker), (row.State, row.LeaseOwner));
        Assert.Equal(["a", "b"], row.Tags);
        var attempt = Assert.Single(row.Attempts);
        Assert.Equal((1, claim.Lease.Worker, null), (attempt.Number, attempt.Worker, attempt.Outcome));
    }

    [Fact]
    public async Task The_same_idempotency_key_is_the_same_run_and_refuses_another_submission()
    {
        NewRun Submission(string name) => new("evaluation", name, "ada", []) { IdempotencyKey = "key", Pool = "nobody" };
        var ids = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => storage.Queue.SubmitAsync(Submission("one"), default)));
        Assert.Single(ids.Distinct());
        await Assert.ThrowsAsync<IdempotencyConflictException>(() => storage.Queue.SubmitAsync(Submission("two"), default));
        Assert.NotEqual(ids[0], await storage.Queue.SubmitAsync(Submission("one") with { Owner = "bob" }, default));
    }

    [Fact]
    public async Task A_queued_run_says_why_it_waits()
    {
        var pool = Fresh("pool");
        async Task<(int, WaitCause)?> Why(Guid id) =>
            await storage.Queue.WhyWaitingAsync(id, default) is { } w ? (w.Position, w.Cause) : null;
        var first = await storage.SubmitAsync(pool);
        var images = await storage.SubmitAsync(pool, dataset: "mnist");
        var later = await storage.Queue.SubmitAsync(
            new NewRun("evaluation", "later", "ada", []) { Pool = pool, NotBefore = DateTimeOffset.Now.AddHours(1) }, default);

        Assert.Equal((1, WaitCause.NoWorker), await Why(first));
        await storage.Queue.RegisterWorkerAsync(Worker(pool), default);
        Assert.Equal((1, WaitCause.Position), await Why(first));
        Assert.Equal((2, WaitCause.NoDataset), await Why(images));
        Assert.Contains("'mnist'", (await storage.Queue.WhyWaitingAsync(images, default))!.Reason);
        await storage.Queue.RegisterWorkerAsync(Worker(pool, "mnist"), default);
        Assert.Equal((2, WaitCause.Position), await Why(images));
        Assert.Equal((3, WaitCause.NotBefore), await Why(later));

        await storage.ExecuteAsync($"update workers set last_seen_at = now() - interval '10 minutes' where pool = '{pool}'");
        Assert.Equal((2, WaitCause.NoWorker), await Why(images));
        Assert.Equal(first, (await storage.ClaimAsync(pool)).Lease.RunId);
        Assert.Null(await Why(first));
        Assert.Null(await Why(Guid.NewGuid()));
        var several = await storage.Queue.WhyWaitingAsync([first, images, later], default);
        Assert.Equal([images, later], several.OrderBy(w => w.Value.Position).Select(w => w.Key));
    }

    [Fact]
    public async Task A_run_with_a_start_time_is_not_claimed_before_it()
    {
        var pool = Fresh("pool");
        var id = await storage.Queue.SubmitAsync(
            new NewRun("evaluation", "later", "ada", []) { Pool = pool, NotBefore = DateTimeOffset.Now.AddHours(1) }, default);
        Assert.Null(await storage.Queue.ClaimAsync(Worker(pool), Ttl, default));
        await storage.ExecuteAsync($"update runs set not_before = now() where id = '{id}'");
        Assert.Equal(id, (await storage.ClaimAsync(pool)).Lease.RunId);
    }

    [Fact]
    public async Task A_run_that_names_a_kernel_set_waits_for_a_worker_that_has_it()
    {
        var pool = Fresh("pool");
        Task<Guid> SubmitAsync(string kernels) =>
            storage.Queue.SubmitAsync(
                new NewRun("evaluation", "test", "ada", new JsonObject { ["kernels"] = kernels }) { Pool = pool }, default);
        var (torch, scalar) = (await SubmitAsync("torch-cuda"), await SubmitAsync("scalar"));
        var without = Worker(pool);
        await storage.Queue.RegisterWorkerAsync(without, default);
        var why = (await storage.Queue.WhyWaitingAsync(torch, default))!;
        Assert.Equal(WaitCause.NoKernels, why.Cause);
        Assert.Contains("'torch-cuda'", why.Reason);
        Assert.Equal(WaitCause.Position, (await storage.Queue.WhyWaitingAsync(scalar, default))!.Cause);
        Assert.Equal(scalar, (await storage.Queue.ClaimAsync(without, Ttl, default))!.Lease.RunId);
        Assert.Null(await storage.Queue.ClaimAsync(without, Ttl, default));
        var with = Worker(pool) with { Facts = new JsonObject { ["kernelSets"] = new JsonArray("torch-cuda", "simd") } };
        Assert.Equal(torch, (await storage.Queue.ClaimAsync(with, Ttl, default))!.Lease.RunId);
    }
}
