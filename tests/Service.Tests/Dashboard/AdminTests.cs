using System.Text.Json.Nodes;
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
        page.GetByRole(AriaRole.Region, new() { Name = region, Exact = true }).GetByRole(AriaRole.Row, new() { NameRegex = new($"^{name} ") });

    [Fact]
    public async Task Limits_are_set_and_lifted_and_the_trail_says_so()
    {
        var name = "q" + Guid.NewGuid().ToString("N")[..8];
        await browser.Api.Admin.PostAsync("/api/v1/users", MetaOpt.Service.Tests.Api.ApiFixture.Json($$"""{"name":"{{name}}","role":"member"}"""));
        await using var opened = await browser.SignInAsync("/admin");
        var page = opened.Page;
        async Task SetAsync(string limit, string value)
        {
            await page.GetByLabel($"{limit}: {name}").FillAsync(value);
            await page.Keyboard.PressAsync("Tab");
            await Expect(page.GetByText("The limit holds from now on.").Last).ToBeVisibleAsync();
        }
        async Task<JsonNode?> LimitsAsync() => (await browser.Api.GetAsync("/api/v1/quotas"))["items"]!.AsArray().FirstOrDefault(q => (string?)q!["name"] == name)?["limits"];

        await SetAsync("Running at once", "2");
        await SetAsync("Stored, GiB", "1.5");
        await WorkerFixture.UntilAsync(async () => (long?)(await LimitsAsync())?["storedBytes"] == 1_610_612_736, "the limit of bytes");
        Assert.Equal(2, (int?)(await LimitsAsync())!["running"]);
        await SetAsync("Running at once", "");
        await WorkerFixture.UntilAsync(async () => (await LimitsAsync())?["running"] is null, "the limit to be lifted");
        await page.GetByLabel("Running at once: everybody").FillAsync("many");
        await page.Keyboard.PressAsync("Tab");
        await Expect(page.Locator(".toast.bad")).ToContainTextAsync("must be");

        await page.GetByLabel("What").FillAsync("quota.set");
        await page.GetByLabel("Of", new() { Exact = true }).FillAsync(name);
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.GetByRole(AriaRole.Region, new() { Name = "Audit trail" }).GetByRole(AriaRole.Row)).ToHaveCountAsync(4);
    }

    [Fact]
    public async Task A_worker_is_drained_and_takes_runs_again()
    {
        var worker = WorkerFixture.Fresh("drained");
        var queue = browser.Api.App.Services.GetRequiredService<RunQueue>();
        await queue.ClaimAsync(new WorkerIdentity(worker, worker, [], new() { ["devices"] = new JsonArray("cuda:0") }), TimeSpan.FromMinutes(1), default);
        await using var opened = await browser.SignInAsync("/admin");
        var row = Row(opened.Page, "Workers", worker);
        await Expect(row).ToContainTextAsync("cuda:0");
        await row.GetByRole(AriaRole.Button, new() { Name = "Drain" }).ClickAsync();
        await Expect(row).ToContainTextAsync("draining");
        await row.GetByRole(AriaRole.Button, new() { Name = "Give runs again" }).ClickAsync();
        await Expect(row).ToContainTextAsync("ready");
    }
}
