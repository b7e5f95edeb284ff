using System.Text.RegularExpressions;
using MetaOpt.Runs;
using MetaOpt.Service.Tests.Workers;
using Microsoft.Playwright;
using Xunit;
using static Microsoft.Playwright.Assertions;

namespace MetaOpt.Service.Tests.Dashboard;

/// <summary>What a researcher does with the dashboard, in a real browser on a real server with a real worker.</summary>
[Collection(DashboardTests.Name)]
public sealed partial class RunPageTests(BrowserFixture browser)
{
    // Points that the chart's library has drawn.
    const string DrawnPoints = "() => document.querySelector('.plot')?.chart?.plot?.data[0].length ?? 0";

    static string Training(string pool, int metaEpochs, string name = "watched") => $$$"""
        {"kind":"meta-training","name":"{{{name}}}","pool":"{{{pool}}}","spec":{"seed":1,"task":{"type":"quadratic","dimensions":4},
         "optimizer":{"type":"lstm","layers":[3]},"training":{"horizon":20,"unroll":10,"metaBatch":64,"metaEpochs":{{{metaEpochs}}},
         "validation":{"every":10,"instances":8} } } }
        """;

    [Fact]
    public async Task A_wrong_token_is_told_and_the_right_one_leads_to_where_one_wanted()
    {
        await using var opened = await browser.OpenAsync();
        var page = opened.Page;
        await page.GotoAsync("/runs?state=failed");
        await page.GetByLabel("Your token").FillAsync("mo_wrong");
        await page.GetByRole(AriaRole.Button, new() { Name = "Sign in" }).ClickAsync();
        await Expect(page.GetByRole(AriaRole.Alert)).ToContainTextAsync("unknown, expired or revoked");
        await page.GetByLabel("Your token").FillAsync(browser.Api.AdminToken);
        await page.GetByRole(AriaRole.Button, new() { Name = "Sign in" }).ClickAsync();
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Runs" })).ToBeVisibleAsync();
        Assert.EndsWith("/runs?state=failed", page.Url);
        await page.GetByRole(AriaRole.Button, new() { Name = "Sign out" }).ClickAsync();
        await Expect(page.GetByLabel("Your token")).ToBeVisibleAsync();
        await page.GotoAsync("/runs");
        await Expect(page.GetByLabel("Your token")).ToBeVisibleAsync();
    }

    [Fact]
    public async Task A_waiting_run_says_why_and_its_curve_grows_until_it_is_cancelled()
    {
        var pool = WorkerFixture.Fresh("watch");
        var id = await browser.Api.SubmitAsync(Training(pool, 1_000_000));
        await using var opened = await browser.SignInAsync();
        var page = opened.Page;
        await Expect(page.GetByRole(AriaRole.Row, new() { NameRegex = new(pool) }))
            .ToContainTextAsync(new Regex("worker", RegexOptions.IgnoreCase));

        await page.GotoAsync($"/runs/{id}");
        await Expect(page.GetByText("Curves appear here")).ToBeVisibleAsync();
        browser.Workers.Start(pool);
        await Expect(page.GetByRole(AriaRole.Img, new() { NameRegex = MetaLoss() })).ToBeVisibleAsync();
        var before = await page.EvaluateAsync<int>(DrawnPoints);
        await page.WaitForFunctionAsync($"n => ({DrawnPoints})() > n + 100", before);
        await Expect(page.Locator(".state").First).ToHaveTextAsync("running");

        await page.GetByRole(AriaRole.Button, new() { Name = "Cancel" }).ClickAsync();
        await Expect(page.Locator(".state").First).ToHaveTextAsync("cancelled");
        await Expect(page.GetByRole(AriaRole.Button, new() { Name = "Delete" })).ToBeVisibleAsync();
    }

    [Fact]
    public async Task A_curve_goes_on_growing_when_the_server_comes_back()
    {
        var pool = WorkerFixture.Fresh("restart");
        var id = await browser.Api.SubmitAsync(Training(pool, 1_000_000));
        browser.Workers.Start(pool);
        await using var opened = await browser.SignInAsync($"/runs/{id}");
        var page = opened.Page;
        await page.WaitForFunctionAsync($"() => ({DrawnPoints})() > 20");
        await browser.RestartApiAsync(() => Expect(page.GetByText("The connection to the server is lost")).ToBeVisibleAsync());
        await Expect(page.GetByText("The connection to the server is lost")).ToBeHiddenAsync();
        var last = await page.EvaluateAsync<int>("() => document.querySelector('.plot').chart.plot.data[0].at(-1)");
        await page.WaitForFunctionAsync("last => document.querySelector('.plot').chart.plot.data[0].at(-1) > last + 100", last);
        Assert.True(
            await page.EvaluateAsync<bool>(
                "() => document.querySelector('.plot').chart.plot.data[0].every((x, i, all) => i === 0 || x > all[i - 1])"));
        await browser.Api.Admin.PostAsync($"/api/v1/runs/{id}/cancel", null);
        await Expect(page.Locator(".state").First).ToHaveTextAsync("cancelled");
    }

    [Fact]
    public async Task Eight_tabs_show_a_run_as_it_grows_though_a_browser_has_six_connections()
    {
        const string SeesStep = "step => document.querySelector('.plot')?.chart?.plot?.data[0].at(-1) === step";
        var pool = WorkerFixture.Fresh("tabs");
        var id = await browser.Api.SubmitAsync(Training(pool, 1000, "in eight tabs"));
        var run = await browser.Api.ClaimAsync(id, pool);
        Task AppendAsync(int step) => run.AppendPointsAsync([new RunEvent.Point("meta-loss", step, 1.0 / step)], default);
        await AppendAsync(1);
        await AppendAsync(2);
        await using var opened = await browser.SignInAsync($"/runs/{id}");
        var tabs = new List<IPage> { opened.Page };
        while (tabs.Count < 8) tabs.Add(await opened.OpenTabAsync($"/runs/{id}"));
        foreach (var tab in tabs) await tab.WaitForFunctionAsync(SeesStep, 2);
        await AppendAsync(3);
        foreach (var tab in tabs) await tab.WaitForFunctionAsync(SeesStep, 3);

        // The first tabs hold the streams; others take them over.
        foreach (var tab in tabs[..3]) await tab.CloseAsync();
        await AppendAsync(4);
        foreach (var tab in tabs[3..]) await tab.WaitForFunctionAsync(SeesStep, 4);
        await tabs[^1].WaitForFunctionAsync("async () => (await navigator.locks.query()).held.length === 3");

        await tabs[^1].GetByRole(AriaRole.Button, new() { Name = "Sign out" }).ClickAsync();
        foreach (var tab in tabs[3..]) await Expect(tab.GetByLabel("Your token")).ToBeVisibleAsync();
        await tabs[^1].WaitForFunctionAsync("async () => (await navigator.locks.query()).held.length === 0");
        await run.FinishAsync(RunState.Cancelled, null, null, default);
    }

    [Fact]
    public async Task A_long_run_stays_below_two_thousand_points_and_zooming_reads_its_details()
    {
        var id = await browser.Api.SubmitAsync(Training("nobody", 1000, "long"));
        var run = await browser.Api.ClaimAsync(id, "nobody");
        for (var from = 0; from < 50_000; from += 10_000)
            await run.AppendPointsAsync(
                [.. Enumerable.Range(from + 1, 10_000).Select(i => new RunEvent.Point("meta-loss", i, 1 + 1.0 / i))], default);

        await using var opened = await browser.SignInAsync($"/runs/{id}");
        var page = opened.Page;
        await Expect(page.GetByRole(AriaRole.Img, new() { NameRegex = MetaLoss() })).ToBeVisibleAsync();
        Assert.InRange(await page.EvaluateAsync<int>(DrawnPoints), 300, 2000);

        await page.Locator(".plot").FocusAsync();
        for (var i = 0; i < 7; i++) await page.Keyboard.PressAsync("+");
        // Every step of the range, one by one.
        await page.WaitForFunctionAsync(
            "() => { const x = document.querySelector('.plot').chart.plot.data[0]; return x.length > 50 && x[1] - x[0] === 1; }");
        Assert.Contains("zoom=", page.Url);
        var address = page.Url;
        await page.ReloadAsync();
        await page.WaitForFunctionAsync(
            "() => { const x = document.querySelector('.plot')?.chart?.plot?.data[0]; return x?.length > 50 && x[1] - x[0] === "
            + "1; }");
        Assert.Equal(address, page.Url);
        await page.GetByRole(AriaRole.Button, new() { Name = "Whole range" }).ClickAsync();
        await page.WaitForFunctionAsync("() => document.querySelector('.plot').chart.plot.data[0].at(-1) > 49000");
    }

    [Fact]
    public async Task A_checkpoint_is_downloaded_with_its_bytes()
    {
        var pool = WorkerFixture.Fresh("finish");
        var id = await browser.Api.SubmitAsync(Training(pool, 30, "short"));
        browser.Workers.Start(pool);
        await using var opened = await browser.SignInAsync($"/runs/{id}");
        var page = opened.Page;
        await Expect(page.Locator(".state").First).ToHaveTextAsync("succeeded");
        var download =
            await page.RunAndWaitForDownloadAsync(
                () => page.GetByRole(AriaRole.Link, new() { Name = "Download" }).First.ClickAsync());
        Assert.EndsWith(".safetensors", download.SuggestedFilename);
        var bytes = await File.ReadAllBytesAsync(await download.PathAsync());
        Assert.Equal(await browser.Workers.FinalSha256Async(id),
            Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(bytes)));
    }

    [Fact]
    public async Task What_a_chart_shows_is_saved_as_svg_png_and_csv()
    {
        var id = await browser.Api.SubmitAsync(Training("nobody-saves", 1000, "to save"));
        var run = await browser.Api.ClaimAsync(id, "nobody-saves");
        await run.AppendPointsAsync([.. Enumerable.Range(1, 50).Select(i => new RunEvent.Point("meta-loss", i, 1.0 / i))],
            default);
        await using var opened = await browser.SignInAsync($"/runs/{id}");
        var page = opened.Page;
        async Task<byte[]> SaveAsync(string what)
        {
            await page.Locator(".menu summary").ClickAsync();
            var download =
                await page.RunAndWaitForDownloadAsync(() => page.GetByRole(AriaRole.Button, new() { Name = what }).ClickAsync());
            return await File.ReadAllBytesAsync(await download.PathAsync());
        }
        var csv = System.Text.Encoding.UTF8.GetString(await SaveAsync("Data as CSV"))
            .Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal((51, "curve,step,value,low,high", "meta-loss,50,0.02,0.02,0.02"), (csv.Length, csv[0], csv[^1]));
        var svg = System.Xml.Linq.XDocument.Parse(System.Text.Encoding.UTF8.GetString(await SaveAsync("Picture as SVG")));
        Assert.Contains(svg.Descendants(),
            e => e.Name.LocalName == "path" && ((string?)e.Attribute("d"))?.Count(c => c == 'L') == 49);
        Assert.Contains(svg.Descendants(), e => e.Name.LocalName == "text" && e.Value == "Meta-loss");
        Assert.Equal([0x89, (byte)'P', (byte)'N', (byte)'G'], (await SaveAsync("Picture as PNG"))[..4]);
    }

    [Fact]
    public async Task Without_npm_the_page_says_what_to_do_and_the_rest_works()
    {
        var id = await browser.Api.SubmitAsync(Training("nobody-draws", 1000, "no library"));
        var run = await browser.Api.ClaimAsync(id, "nobody-draws");
        await run.AppendPointsAsync([.. Enumerable.Range(1, 50).Select(i => new RunEvent.Point("meta-loss", i, 1.0 / i))],
            default);
        await using var opened = await browser.SignInAsync();
        var page = opened.Page;
        await page.RouteAsync("**/vendor/**", route => route.AbortAsync());
        await page.GotoAsync($"/runs/{id}");
        await Expect(page.GetByText("install npm and start it again")).ToBeVisibleAsync();
        await Expect(page.GetByRole(AriaRole.Group, new() { Name = "Curves of Meta-loss" })).ToContainTextAsync("0.02");
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Specification" })).ToBeVisibleAsync();
    }

    [GeneratedRegex("^Meta-loss")]
    private static partial Regex MetaLoss();
}
