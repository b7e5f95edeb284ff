using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using MetaOpt.Runs;
using MetaOpt.Service.Tests.Api;
using MetaOpt.Service.Tests.Workers;
using Microsoft.Playwright;
using Xunit;
using static Microsoft.Playwright.Assertions;

namespace MetaOpt.Service.Tests.Dashboard;

/// <summary>Long lists, long names, and results of every shape.</summary>
[Collection(DashboardTests.Name)]
public sealed class ListTests(BrowserFixture browser)
{
    static ILocator Button(IPage page, string name) => page.GetByRole(AriaRole.Button, new() { Name = name, Exact = true });

    async Task<(string Batch, string Pool)> GridAsync(int runs, string name)
    {
        var pool = WorkerFixture.Fresh("list");
        var answer = await browser.Api.Admin.PostAsync("/api/v1/runs:batch", ApiFixture.Json($$"""
            {"run":{"kind":"meta-training","name":"{{name}}","pool":"{{pool}}","spec":{"task":{"type":"quadratic"},"optimizer":{"type":"lstm"} } },
             "grid":[{"field":"/seed","values":[{{string.Join(',', Enumerable.Range(1, runs))}}] }] }
            """));
        return ((string)JsonNode.Parse(await answer.Content.ReadAsStringAsync())!["batch"]!, pool);
    }

    async Task<int> CountAsync(string batch, string state) =>
        (await browser.Api.GetAsync($"/api/v1/runs?batch={batch}&state={state}&limit=200"))["items"]!.AsArray().Count;

    [Fact]
    public async Task Back_from_a_run_leads_to_where_the_list_was_left()
    {
        var (batch, _) = await GridAsync(120, "listed");
        await using var opened = await browser.SignInAsync($"/runs?batch={batch}");
        var page = opened.Page;
        var rows = page.GetByRole(AriaRole.Region, new() { Name = "Runs" }).GetByRole(AriaRole.Row);
        await Expect(rows).ToHaveCountAsync(51);
        await Button(page, "Show more").ClickAsync();
        await Expect(rows).ToHaveCountAsync(101);
        // The newest run is the first.
        var link = page.GetByRole(AriaRole.Link, new() { Name = "listed seed=25", Exact = true });
        await link.ScrollIntoViewIfNeededAsync();
        var scrolled = await page.EvaluateAsync<double>("() => scrollY");
        Assert.True(scrolled > 1000, $"{scrolled}");
        await link.ClickAsync();
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "listed seed=25", Exact = true })).ToBeVisibleAsync();
        Assert.Equal(0, await page.EvaluateAsync<double>("() => scrollY"));
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Specification" })).ToBeVisibleAsync();
        await page.Mouse.WheelAsync(0, 300);
        await page.WaitForFunctionAsync("() => scrollY > 0 && history.state?.scroll === scrollY");
        await page.GoBackAsync();
        await Expect(rows).ToHaveCountAsync(101);
        await page.WaitForFunctionAsync("y => Math.abs(scrollY - y) < 2", scrolled);
        await Expect(link).ToBeInViewportAsync();
    }

    [Fact]
    public async Task A_waiting_grid_is_one_row_that_opens_and_is_cancelled_as_a_whole()
    {
        var (batch, pool) = await GridAsync(60, "folded");
        var single =
            await browser.Api.SubmitAsync(ApiFixture.Training.Insert(1, $"\"name\":\"behind the grid\",\"pool\":\"{pool}\","));
        await using var opened = await browser.SignInAsync();
        var page = opened.Page;
        var rows = page.GetByRole(AriaRole.Region, new() { Name = "Waiting runs" })
            .GetByRole(AriaRole.Row, new() { NameRegex = new(pool) });
        await Expect(rows).ToHaveTextAsync([new Regex("folded.*60 runs.*Cancel all"), new Regex("^61behind the grid")]);
        await page.GetByRole(AriaRole.Button, new() { Name = "folded 60 runs" }).ClickAsync();
        await Expect(rows).ToHaveCountAsync(22);
        await Expect(page.GetByRole(AriaRole.Link, new() { Name = "40 more runs of the grid" })).ToBeVisibleAsync();

        await Button(page, "Cancel all").ClickAsync();
        await Button(page, "No, keep it").ClickAsync();
        Assert.Equal(60, await CountAsync(batch, "queued"));
        await Button(page, "Cancel all").ClickAsync();
        await Expect(page.GetByRole(AriaRole.Dialog)).ToContainTextAsync("60 waiting runs of the grid “folded”");
        await Button(page, "Cancel them").ClickAsync();
        await Expect(page.GetByText("60 runs cancelled.")).ToBeVisibleAsync();
        await Expect(rows).ToHaveTextAsync([new Regex("^1behind the grid")]);
        Assert.Equal((0, 60), (await CountAsync(batch, "queued"), await CountAsync(batch, "cancelled")));
        Assert.Equal("queued", (string?)(await browser.Api.GetAsync($"/api/v1/runs/{single}"))["state"]);
    }

    [Fact]
    public async Task Names_of_two_hundred_characters_without_a_space_keep_every_page_in_its_width()
    {
        var name = new string('n', 199);
        var pool = WorkerFixture.Fresh("long");
        var tags = $"[\"{new string('t', 60)}\",\"{new string('u', 60)}\"]";
        async Task<Guid> SubmitAsync(string kind, string spec) => await browser.Api.SubmitAsync(
            $$"""{"kind":"{{kind}}","name":"{{name}}{{kind[0]}}","tags":{{tags}},"notes":"{{name}}","pool":"{{pool}}","spec":{{spec}} }""");
        var training = await SubmitAsync("meta-training",
            """{"task":{"type":"quadratic","dimensions":3},"optimizer":{"type":"lstm"} }""");
        var run = await browser.Api.ClaimAsync(training, pool);
        await run.AppendPointsAsync([new RunEvent.Point("meta-loss", 1, 2), new RunEvent.Point("meta-loss", 2, 1)], default);
        var evaluation = await SubmitAsync("evaluation",
            $$"""{"task":{"type":"rosenbrock"},"horizon":5,"instances":10,"bootstrapResamples":100,"contestants":[{"name":"{{name[..60]}}","optimizer":{"type":"adam","learningRate":0.1} },{"optimizer":{"type":"sgd","learningRate":0.0001} }] }""");
        using var worker = browser.Workers.Start(pool);
        await WorkerFixture.UntilAsync(
            async () => (string?)(await browser.Api.GetAsync($"/api/v1/runs/{evaluation}"))["state"] == "succeeded",
            "the evaluation");
        await browser.Api.SubmitAsync(
            $$"""{"kind":"meta-training","name":"{{name}}w","pool":"nobody-{{name[..30]}}","spec":{"task":{"type":"quadratic"},"optimizer":{"type":"lstm"} } }""");

        var found = new List<string>();
        foreach (var width in (int[])[1280, 390])
        {
            await using var opened = await browser.SignInAsync("/", new() { Width = width, Height = 844 });
            var page = opened.Page;
            foreach (var path in (string[])["/", $"/runs?tag={new string('t', 60)}", $"/runs/{training}", $"/runs/{evaluation}",
                $"/compare?runs={training},{evaluation}",
                "/leaderboard", $"/trajectory?run={evaluation}", "/models", $"/new?from={training}", "/admin"])
            {
                await page.GotoAsync(path);
                await Expect(page.GetByRole(AriaRole.Heading, new() { Level = 1 })).ToBeVisibleAsync();
                await page.WaitForLoadStateAsync(LoadState.NetworkIdle);
                if (await page.EvaluateAsync<bool>("() => document.documentElement.scrollWidth > innerWidth"))
                    found.Add($"{path} is wider than {width} pixels");
                if (width < 1280) continue;
                found.AddRange(await page.EvaluateAsync<string[]>("""
                    () => [...document.querySelectorAll('.scroll')].filter(region => region.scrollWidth > region.clientWidth).map(region => region.ariaLabel)
                    """) is { } regions ? regions.Select(region => $"{path}: {region} scrolls sideways at {width} pixels") : []);
            }
        }
        await run.FinishAsync(RunState.Cancelled, null, null, default);
        Assert.True(found.Count == 0, string.Join('\n', found));
    }

    [Fact]
    public async Task A_result_is_shown_whole_whatever_is_nested_in_it()
    {
        var pool = WorkerFixture.Fresh("results");
        var diagnosis = await browser.Api.SubmitAsync($$"""
            {"kind":"meta-gradient-diagnosis","pool":"{{pool}}","spec":{"task":{"type":"quadratic","dimensions":2},"optimizer":{"type":"learnable-sgd"},
             "horizon":4,"unroll":2,"instances":1,"estimates":2,"referencePairs":20} }
            """);
        using (browser.Workers.Start(pool))
            await WorkerFixture.UntilAsync(
                async () => (string?)(await browser.Api.GetAsync($"/api/v1/runs/{diagnosis}"))["state"] == "succeeded",
                "the diagnosis");
        await using var opened = await browser.SignInAsync($"/runs/{diagnosis}");
        var page = opened.Page;
        var rows = page.GetByRole(AriaRole.Region, new() { Name = "Estimators" }).GetByRole(AriaRole.Row);
        await Expect(rows).ToHaveCountAsync(7);
        await Expect(rows.First).ToContainTextAsync("Its standard error");
        await Expect(rows.Last).ToContainTextAsync("pes");

        var other = WorkerFixture.Fresh("results");
        var id = await browser.Api.SubmitAsync(ApiFixture.Training.Insert(1, $"\"pool\":\"{other}\","));
        var run = await browser.Api.ClaimAsync(id, other);
        await run.FinishAsync(RunState.Succeeded, JsonNode.Parse("""
            {"kind":"meta-training","plain":0.25,"few":[1,2.5],"outer":{"inner":{"word":"deeply nested"} },"pairs":[[1,2],[3,4]],
             "mixed":[{"a":1,"b":{"c":"in a cell"} },"alone",null] }
            """)!.AsObject(), null, default);
        await page.GotoAsync($"/runs/{id}");
        var result = page.Locator("section.panel",
            new() { Has = page.GetByRole(AriaRole.Heading, new() { Name = "Result", Exact = true }) });
        foreach (var text in (string[])["0.25", "1, 2.5", "deeply nested", "in a cell", "alone"])
            await Expect(result).ToContainTextAsync(text);
        await Expect(page.GetByRole(AriaRole.Region, new() { Name = "pairs" }).GetByRole(AriaRole.Row))
            .ToHaveTextAsync([new Regex("#12"), new Regex("112"), new Regex("234")]);
        await Button(page, "JSON").First.ClickAsync();
        Assert.Equal("deeply nested",
            (string?)JsonNode.Parse(await page.GetByLabel("Result as JSON").TextContentAsync()
                ?? "")!["outer"]!["inner"]!["word"]);
    }
}
