using System.Text;
using MetaOpt.Storage;
using Microsoft.EntityFrameworkCore;
using Npgsql;
using Xunit;
using static MetaOpt.Service.Tests.Storage.StorageFixture;

namespace MetaOpt.Service.Tests.Storage;

public class UserTests(StorageFixture storage) : IClassFixture<StorageFixture>
{
    [Fact]
    public async Task Of_several_first_starts_at_once_one_makes_the_admin()
    {
        await using var fresh = new Fresher();
        await fresh.Storage.InitializeAsync();
        var tokens =
            await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => fresh.Storage.Users.BootstrapAdminAsync(_ => { }, default)));
        var token = Assert.Single(tokens, t => t is not null)!;
        var caller = (await fresh.Storage.Users.VerifyAsync(token.Text, default))!;
        Assert.Equal((UserStore.AdminName, UserRole.Admin), (caller.Name, caller.Role));
        Assert.Equal(Scopes.All, caller.Scopes);
        Assert.Null(await fresh.Storage.Users.BootstrapAdminAsync(_ => { }, default));
    }

    sealed class Fresher : IAsyncDisposable
    {
        public StorageFixture Storage { get; } = new();
        public async ValueTask DisposeAsync() => await Storage.DisposeAsync();
    }

    [Fact]
    public async Task A_token_has_the_published_form_and_its_secret_is_not_in_the_database()
    {
        var token = await TokenAsync();
        Assert.Matches("^mo_[a-z0-9]{8}_[A-Za-z0-9_-]{43}$", token.Text);
        var rows = await storage.ScalarAsync<string>("select string_agg(t::text, ' ') from tokens t");
        Assert.Contains(token.Token.Id, rows);
        Assert.DoesNotContain(token.Text[12..], rows);
        Assert.DoesNotContain(Convert.ToHexStringLower(Encoding.ASCII.GetBytes(token.Text[12..])), rows);
    }

    [Fact]
    public async Task Only_the_whole_token_is_accepted()
    {
        var token = await TokenAsync();
        Assert.NotNull(await storage.Users.VerifyAsync(token.Text, default));
        var other = await TokenAsync();
        foreach (var wrong in new[]
        {
            "", "mo_", token.Text[..^1], token.Text + "A", token.Text[1..], "MO" + token.Text[2..],
            token.Text[..12] + other.Text[12..], token.Text[..^4] + "????", "mo_" + new string('a', 52),
            token.Text[..12] + new string('A', 43), token.Text.Replace('_', '-'), "mo_';drop_" + token.Text[10..],
        })
            Assert.Null(await storage.Users.VerifyAsync(wrong, default));
    }

    [Fact]
    public async Task Revoked_and_expired_tokens_and_those_of_disabled_users_are_refused()
    {
        var revoked = await TokenAsync();
        Assert.True(await storage.Users.RevokeTokenAsync(revoked.Token.UserId, revoked.Token.Id, default));
        Assert.False(await storage.Users.RevokeTokenAsync(revoked.Token.UserId, revoked.Token.Id, default));
        var expired = await TokenAsync(TimeSpan.FromSeconds(-1));
        var valid = await TokenAsync(TimeSpan.FromHours(1));
        var disabled = await TokenAsync();
        await storage.ExecuteAsync($"update users set disabled_at = now() where id = '{disabled.Token.UserId}'");

        Assert.Null(await storage.Users.VerifyAsync(revoked.Text, default));
        Assert.Null(await storage.Users.VerifyAsync(expired.Text, default));
        Assert.Null(await storage.Users.VerifyAsync(disabled.Text, default));
        Assert.Equal([Scopes.RunsRead], (await storage.Users.VerifyAsync(valid.Text, default))!.Scopes);
    }

    [Theory]
    [InlineData("revoked_at = now()")]
    [InlineData("expires_at = now()")]
    public async Task A_session_ends_with_the_token_it_was_signed_in_with(string end)
    {
        var token = await TokenAsync(TimeSpan.FromHours(1));
        var session = await storage.Users.CreateSessionAsync((await storage.Users.VerifyAsync(token.Text, default))!,
            TimeSpan.FromDays(30), default);
        Assert.NotNull(await storage.Users.VerifySessionAsync(session.Text, default));
        // Neither is accepted in the other's place.
        Assert.Null(await storage.Users.VerifyAsync(session.Text, default));
        Assert.Null(await storage.Users.VerifySessionAsync(token.Text, default));
        await storage.ExecuteAsync($"update tokens set {end} where id = '{token.Token.Id}'");
        Assert.Null(await storage.Users.VerifySessionAsync(session.Text, default));
    }

    [Fact]
    public async Task A_token_allows_no_more_than_the_role_of_its_user_does_now()
    {
        await storage.Users.CreateUserAsync(Fresh("admin"), UserRole.Admin, default);
        var user = await storage.Users.CreateUserAsync(Fresh("user"), UserRole.Member, default);
        var token = await storage.Users.CreateTokenAsync(user.Id, "t", [Scopes.RunsRead, Scopes.RunsWrite], null, default);
        await storage.Users.ChangeUserAsync(user.Name, new(UserRole.Viewer, null, null), default);
        Assert.Equal([Scopes.RunsRead], (await storage.Users.VerifyAsync(token.Text, default))!.Scopes);
    }

    [Fact]
    public async Task Use_is_noted_but_not_at_every_request()
    {
        var token = await TokenAsync();
        async Task<DateTimeOffset?> LastUsed() =>
            Assert.Single(await storage.Users.ListTokensAsync(token.Token.UserId, default)).LastUsedAt;
        Assert.Null(await LastUsed());
        await storage.Users.VerifyAsync(token.Text, default);
        var first = await LastUsed();
        Assert.NotNull(first);
        await storage.Users.VerifyAsync(token.Text, default);
        Assert.Equal(first, await LastUsed());
        await storage.ExecuteAsync(
            $"update tokens set last_used_at = now() - interval '2 minutes' where id = '{token.Token.Id}'");
        await storage.Users.VerifyAsync(token.Text, default);
        Assert.True(await LastUsed() >= first);
    }

    [Fact]
    public async Task Names_are_unique_and_scopes_are_known_ones()
    {
        var name = Fresh("user");
        var user = await storage.Users.CreateUserAsync(name, UserRole.Viewer, default);
        Assert.Equal(user.Id, (await storage.Users.FindUserAsync(name, default))!.Id);
        await Assert.ThrowsAsync<DbUpdateException>(() => storage.Users.CreateUserAsync(name, UserRole.Member, default));
        var refused = await Assert.ThrowsAsync<ArgumentException>(
            () => storage.Users.CreateTokenAsync(user.Id, "t", ["runs:own"], null, default));
        Assert.Contains("known: runs:read", refused.Message);
    }

    [Fact]
    public async Task The_audit_trail_only_grows()
    {
        await storage.Get<QuotaStore>().SetAsync(new Quota { Owner = "ada" },
            new("ada", "quota.set", "some-run", new() { ["reason"] = "test" }), default);
        await using var db = await storage.Get<IDbContextFactory<MetaOptDb>>().CreateDbContextAsync();
        Assert.Equal("test", (await db.Audit.SingleAsync(a => a.Subject == "some-run")).Detail.GetProperty("reason").GetString());
        await Assert.ThrowsAsync<PostgresException>(() => storage.ExecuteAsync("update audit set actor = 'eve'"));
        await Assert.ThrowsAsync<PostgresException>(() => storage.ExecuteAsync("delete from audit"));
    }

    async Task<NewToken> TokenAsync(TimeSpan? lifetime = null)
    {
        var user = await storage.Users.CreateUserAsync(Fresh("user"), UserRole.Member, default);
        return await storage.Users.CreateTokenAsync(user.Id, "laptop", [Scopes.RunsRead], lifetime, default);
    }
}
