using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using MetaOpt.Service.Tests.Workers;
using MetaOpt.Storage;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Playwright;
using Xunit;
using static Microsoft.Playwright.Assertions;

namespace MetaOpt.Service.Tests.Dashboard;

/// <summary>What administrators change: limits and workers; and the trail that it leaves.</summary>
[Collection(DashboardTests.Name)]
public sealed class AdminTests(BrowserFixture browser)
{
    static ILocator Row(IPage page, string region, string name) =>
        page.GetByRole(AriaRole.Region, new() { Name = region, Exact = true })
            .GetByRole(AriaRole.Row, new() { NameRegex = new($"^{name} ") });

    [Fact]
    public async Task Limits_are_set_and_lifted_and_the_trail_says_so()
    {
        var name = await UserAsync();
        await using var opened = await browser.SignInAsync("/admin");
        var page = opened.Page;
        async Task SetAsync(string limit, string value)
        {
            await page.GetByLabel($"{limit}: {name}").FillAsync(value);
            await page.Keyboard.PressAsync("Tab");
            await Expect(page.GetByText("Limit saved.").Last).ToBeVisibleAsync();
        }
        async Task<JsonNode?> LimitsAsync() =>
            (await browser.Api.GetAsync("/api/v1/quotas"))["items"]!.AsArray()
                .FirstOrDefault(q => (string?)q!["name"] == name)?["limits"];

        await SetAsync("Running at once", "2");
        await SetAsync("Stored, GiB", "1.5");
        await WorkerFixture.UntilAsync(async () => (long?)(await LimitsAsync())?["storedBytes"] == 1_610_612_736,
            "the limit of bytes");
        Assert.Equal(2, (int?)(await LimitsAsync())!["running"]);
        await SetAsync("Running at once", "");
        await WorkerFixture.UntilAsync(async () => (await LimitsAsync())?["running"] is null, "the limit to be lifted");
        // What is wrong is told at its field, which keeps what was typed.
        var everybody = page.GetByLabel("Running at once: everybody");
        await everybody.FillAsync("many");
        await page.Keyboard.PressAsync("Tab");
        await Expect(everybody).ToHaveAttributeAsync("aria-invalid", "true");
        await Expect(everybody).ToHaveAccessibleDescriptionAsync(new Regex("must be"));
        await Expect(everybody).ToHaveValueAsync("many");

        await page.GetByLabel("Action").FillAsync("quota.set");
        await page.GetByLabel("Subject").FillAsync(name);
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.GetByRole(AriaRole.Region, new() { Name = "Audit trail" }).GetByRole(AriaRole.Row)).ToHaveCountAsync(4);
        var today = DateTime.Now.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
        await page.GetByLabel("From").FillAsync(DateTime.Now.AddDays(1).ToString("yyyy-MM-dd", CultureInfo.InvariantCulture));
        await Expect(page.GetByText("No audit events match these filters.")).ToBeVisibleAsync();
        await page.GetByLabel("From").FillAsync(today);
        await page.GetByLabel("To", new() { Exact = true }).FillAsync(today);
        await Expect(page.GetByRole(AriaRole.Region, new() { Name = "Audit trail" }).GetByRole(AriaRole.Row)).ToHaveCountAsync(4);
    }

    [Fact]
    public async Task A_user_is_deleted_after_a_confirmation()
    {
        var name = await UserAsync();
        await using var opened = await browser.SignInAsync($"/admin?user={name}");
        var page = opened.Page;
        var delete = Row(page, "Users", name).GetByRole(AriaRole.Button, new() { Name = "Delete" });
        await delete.ClickAsync();
        await Expect(page.GetByRole(AriaRole.Dialog)).ToContainTextAsync($"Delete {name} with all tokens");
        await page.GetByRole(AriaRole.Button, new() { Name = "Cancel" }).ClickAsync();
        Assert.Equal(name, (string?)(await browser.Api.GetAsync($"/api/v1/users/{name}"))["name"]);
        await delete.ClickAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Delete the user" }).ClickAsync();
        await Expect(page.GetByText($"User {name} deleted.")).ToBeVisibleAsync();
        await Expect(Row(page, "Users", name)).ToHaveCountAsync(0);
        Assert.Equal(System.Net.HttpStatusCode.NotFound, (await browser.Api.Admin.GetAsync($"/api/v1/users/{name}")).StatusCode);
        // Nobody deletes the account in use; the server says so.
        await Row(page, "Users", "admin").GetByRole(AriaRole.Button, new() { Name = "Delete" }).ClickAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Delete the user" }).ClickAsync();
        await Expect(page.Locator(".toast.bad")).ToContainTextAsync("another administrator");
    }

    [Theory]
    [InlineData("abc", "abc")]
    [InlineData("", "")]
    [InlineData("0x10", "0x10")]
    [InlineData("0.0009", "between 0.001 and 1000")]
    public async Task A_weight_or_lifetime_that_is_not_a_number_is_refused_at_its_field(string typed, string said)
    {
        var name = await UserAsync();
        await using var opened = await browser.SignInAsync($"/admin?user={name}");
        var page = opened.Page;
        var weight = page.GetByLabel($"Weight of {name}");
        await weight.FillAsync(typed);
        await page.Keyboard.PressAsync("Tab");
        await Expect(weight).ToHaveAttributeAsync("aria-invalid", "true");
        await Expect(weight).ToHaveAccessibleDescriptionAsync(new Regex($"must be.*{Regex.Escape(said)}"));
        await Expect(weight).ToHaveValueAsync(typed);
        Assert.Equal(1, (double)(await browser.Api.GetAsync($"/api/v1/users/{name}"))["weight"]!);
        Assert.DoesNotContain((await browser.Api.GetAsync($"/api/v1/audit?subject={name}"))["items"]!.AsArray(),
            entry => (string)entry!["action"]! == "user.change");

        if (typed == "") return; // A lifetime may be empty: it is unlimited then.
        var tokens = page.Locator("section", new() { HasText = $"Tokens of {name}" });
        await tokens.GetByLabel("Name").FillAsync("short");
        await tokens.GetByLabel("Days until it expires").FillAsync(typed);
        await page.Keyboard.PressAsync("Enter");
        await Expect(tokens.GetByLabel("Days until it expires")).ToHaveAccessibleDescriptionAsync(new Regex("must be"));
        Assert.Empty((await browser.Api.GetAsync($"/api/v1/users/{name}/tokens"))["items"]!.AsArray());
    }

    [Fact]
    public async Task A_role_is_changed_only_after_a_confirmation()
    {
        var name = await UserAsync();
        await using var opened = await browser.SignInAsync("/admin");
        var page = opened.Page;
        var role = page.GetByLabel($"Role of {name}");
        await role.SelectOptionAsync("admin");
        await Expect(page.GetByRole(AriaRole.Dialog)).ToContainTextAsync($"Change {name} from member to admin?");
        await page.GetByRole(AriaRole.Button, new() { Name = "Keep member" }).ClickAsync();
        await Expect(role).ToHaveValueAsync("member");
        Assert.Equal("member", (string?)(await browser.Api.GetAsync($"/api/v1/users/{name}"))["role"]);
        await role.SelectOptionAsync("viewer");
        await page.GetByRole(AriaRole.Button, new() { Name = "Change the role" }).ClickAsync();
        await WorkerFixture.UntilAsync(
            async () => (string?)(await browser.Api.GetAsync($"/api/v1/users/{name}"))["role"] == "viewer", "the role");
        await Expect(role).ToHaveValueAsync("viewer");
    }

    async Task<string> UserAsync()
    {
        var name = "q" + Guid.NewGuid().ToString("N")[..8];
        (await browser.Api.Admin.PostAsync("/api/v1/users",
            MetaOpt.Service.Tests.Api.ApiFixture.Json($$"""{"name":"{{name}}","role":"member"}"""))).EnsureSuccessStatusCode();
        return name;
    }

    [Fact]
    public async Task A_worker_is_drained_and_takes_runs_again()
    {
        var worker = WorkerFixture.Fresh("drained");
        var queue = browser.Api.App.Services.GetRequiredService<RunQueue>();
        await queue.ClaimAsync(new WorkerIdentity(worker, worker, [], new() { ["devices"] = new JsonArray("cuda:0") }),
            TimeSpan.FromMinutes(1), default);
        await using var opened = await browser.SignInAsync("/admin");
        var row = Row(opened.Page, "Workers", worker);
        await Expect(row).ToContainTextAsync("cuda:0");
        await row.GetByRole(AriaRole.Button, new() { Name = "Drain" }).ClickAsync();
        await Expect(row).ToContainTextAsync("draining");
        await row.GetByRole(AriaRole.Button, new() { Name = "Give runs again" }).ClickAsync();
        await Expect(row).ToContainTextAsync("ready");
    }
}
