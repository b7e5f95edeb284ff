using Microsoft.Playwright;
using Xunit;
using static Microsoft.Playwright.Assertions;

namespace MetaOpt.Service.Tests.Dashboard;

/// <summary>The page of schedules, and Hangfire's own for administrators.</summary>
[Collection(DashboardTests.Name)]
public sealed class ScheduleTests(BrowserFixture browser)
{
    [Fact]
    public async Task A_schedule_is_created_from_a_run_disabled_and_deleted()
    {
        var run = await browser.Api.SubmitAsync();
        await using var opened = await browser.SignInAsync($"/schedules?run={run}");
        var page = opened.Page;
        await page.GetByLabel("Name").FillAsync("every monday");
        await page.GetByLabel("Cron expression").FillAsync("soon");
        await page.GetByRole(AriaRole.Button, new() { Name = "Create schedule" }).ClickAsync();
        await Expect(page.GetByLabel("Cron expression")).ToHaveAttributeAsync("aria-invalid", "true");
        await page.GetByLabel("Cron expression").FillAsync("30 6 * * 1");
        await page.GetByLabel("Time zone").FillAsync("Europe/Berlin");
        await page.GetByRole(AriaRole.Button, new() { Name = "Show next occurrences" }).ClickAsync();
        await Expect(page.GetByText("Valid. Next:")).ToBeVisibleAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Create schedule" }).ClickAsync();

        var row = page.GetByRole(AriaRole.Row, new() { NameRegex = new("^every monday ") });
        await Expect(row).ToContainTextAsync("30 6 * * 1");
        await Expect(row).ToContainTextAsync("Europe/Berlin");
        await row.GetByRole(AriaRole.Button, new() { Name = "Disable" }).ClickAsync();
        await Expect(row).ToContainTextAsync("disabled");
        await row.GetByRole(AriaRole.Button, new() { Name = "Delete" }).ClickAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Delete the schedule" }).ClickAsync();
        await Expect(row).ToHaveCountAsync(0);
    }

    [Fact]
    public async Task Hangfires_pages_work_in_a_signed_in_browser()
    {
        await using var opened = await browser.SignInAsync("/admin");
        var page = opened.Page;
        await page.GetByRole(AriaRole.Link, new() { Name = "Recurring jobs, retries and failures" }).ClickAsync();
        await page.GetByRole(AriaRole.Link, new() { Name = "Recurring Jobs" }).First.ClickAsync();
        await Expect(page.GetByText("schedules", new() { Exact = true }).First).ToBeVisibleAsync();
    }
}
