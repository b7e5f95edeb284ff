using System.Net;
using System.Text.Json.Nodes;
using MetaOpt.Service.Tests.Api;
using MetaOpt.Service.Tests.Dashboard;
using MetaOpt.Service.Tests.Workers;
using Microsoft.Playwright;
using Xunit;
using static Microsoft.Playwright.Assertions;

namespace MetaOpt.Service.Tests.Kinds;

/// <summary>An API, workers and a browser with a kind of run that they were given when they started.</summary>
public sealed class OwnKindFixture()
    : BrowserFixture(LogisticMap.Kinds, Path.GetFileName(typeof(OwnKindFixture).Assembly.Location));

/// <summary>A kind of run is an entry: one that only these tests know goes from HTTP to the dashboard and back.</summary>
public sealed class OwnKindTests(OwnKindFixture browser) : IClassFixture<OwnKindFixture>
{
    ApiFixture Api => browser.Api;

    static ILocator Button(IPage page, string name) => page.GetByRole(AriaRole.Button, new() { Name = name, Exact = true });

    static ILocator State(IPage page) => page.Locator(".state").First;

    static Guid IdOf(IPage page) => Guid.Parse(page.Url.Split('/')[^1]);

    async Task<JsonNode> PostAsync(string path, string body, HttpStatusCode expected = HttpStatusCode.Accepted)
    {
        var answer = await Api.Admin.PostAsync(path, ApiFixture.Json(body));
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True(expected == answer.StatusCode, $"{path}: {answer.StatusCode} {text}");
        return JsonNode.Parse(text)!;
    }

    async Task<List<double>> PointsAsync(Guid run)
    {
        var points = new List<double>();
        await using var read = Api.Database.CreateCommand($"""
            select p.step, p.value from series_points p join series s on s.id = p.series_id
            where s.run_id = '{run}' and s.name = '{LogisticMap.Series}' order by p.step
            """);
        await using var reader = await read.ExecuteReaderAsync();
        while (await reader.ReadAsync())
        {
            points.Add(reader.GetDouble(1));
            Assert.Equal(points.Count, reader.GetInt64(0));
        }
        return points;
    }

    static IEnumerable<double> Orbit(int steps, double x = 0.3)
    {
        for (var step = 0; step < steps; step++) yield return x = LogisticMap.Next(3.9, x);
    }

    [Fact]
    public void The_catalogue_of_other_hosts_does_not_know_it() => Assert.Null(Catalog.RunKinds.Find(LogisticMap.Name));

    [Fact]
    public async Task In_the_dashboard_it_is_submitted_cancelled_resumed_forked_listed_and_compared()
    {
        var pool = WorkerFixture.Fresh("map");
        browser.Workers.Start(pool);
        await using var opened = await browser.SignInAsync($"/new?kind={LogisticMap.Name}");
        var page = opened.Page;
        await page.GetByLabel("Pool").FillAsync(pool);
        await page.GetByLabel("Steps").FillAsync("1000000");
        await page.GetByLabel("Rest").FillAsync("1");
        await Expect(page.GetByText("Valid. It takes about")).ToBeVisibleAsync();
        await Button(page, "Submit").ClickAsync();

        // It would take a quarter of an hour; it is stopped in its middle, and goes on from there.
        await Expect(page.Locator("figure.chart, section.panel")
            .Filter(new() { Has = page.GetByRole(AriaRole.Heading, new() { Name = LogisticMap.Series, Exact = true }) }).First)
            .ToBeVisibleAsync();
        var first = IdOf(page);
        await Button(page, "Cancel").ClickAsync();
        await Expect(State(page)).ToHaveTextAsync("cancelled");
        var stopped = await PointsAsync(first);
        Assert.NotEmpty(stopped);
        await Button(page, "Retry").ClickAsync();
        await WorkerFixture.UntilAsync(async () => (await PointsAsync(first)).Count > stopped.Count, "the run to go on");
        await Button(page, "Cancel").ClickAsync();
        await Expect(State(page)).ToHaveTextAsync("cancelled");
        var all = await PointsAsync(first);
        Assert.Equal(Orbit(all.Count), all);
        var attempts = (await Api.GetAsync($"/api/v1/runs/{first}"))["attempts"]!.AsArray();
        Assert.Equal((2, stopped.Count), (attempts.Count, (int)attempts[1]!["resumedFromStep"]!));

        await page.GetByRole(AriaRole.Link, new() { Name = "Fork", Exact = true }).ClickAsync();
        await page.GetByLabel("Steps").FillAsync("40");
        await page.GetByLabel("Rest").FillAsync("");
        await Expect(page.GetByText("Valid. It takes about")).ToBeVisibleAsync();
        await Button(page, "Submit").ClickAsync();
        await Expect(State(page)).ToHaveTextAsync("succeeded");
        var second = IdOf(page);
        var result = page.Locator("section.panel",
            new() { Has = page.GetByRole(AriaRole.Heading, new() { Name = "Result", Exact = true }) });
        await Expect(result).ToContainTextAsync("steps done");
        await Expect(page.GetByRole(AriaRole.Link, new() { Name = "Train on" })).ToBeVisibleAsync();
        Assert.Equal(Orbit(40), await PointsAsync(second));

        await page.GotoAsync($"/runs?kind={LogisticMap.Name}&id={second.ToString()[^8..]}");
        await Expect(page.GetByRole(AriaRole.Region, new() { Name = "Runs" }).GetByRole(AriaRole.Row)).ToHaveCountAsync(2);
        await page.GotoAsync($"/compare?runs={first},{second}");
        await Expect(page.GetByRole(AriaRole.Region, new() { Name = "Differences of the specifications" }))
            .ToContainTextAsync("steps");
    }

    [Fact]
    public async Task Over_HTTP_it_is_described_checked_submitted_listed_continued_and_compared()
    {
        var described = (await Api.GetAsync("/api/v1/catalogue"))["kinds"]!.AsArray()
            .Single(k => (string?)k!["name"] == LogisticMap.Name)!;
        Assert.Equal(("generic", "start", false),
            ((string?)described["view"], (string?)described["start"], (bool)described["ranked"]!));
        Assert.Contains("LogisticMapSpec", await Api.Nobody.GetStringAsync("/swagger/v1/swagger.json"));
        var wrong = await PostAsync("/api/v1/runs:validate", """{"kind":"logistic-map","spec":{"steps":0}}""",
            HttpStatusCode.UnprocessableEntity);
        Assert.Equal("/spec/steps", (string?)wrong["errors"]![0]!["pointer"]);

        var pool = WorkerFixture.Fresh("map");
        browser.Workers.Start(pool);
        var id = Guid.Parse(
            (string)(await PostAsync("/api/v1/runs",
                $$"""{"kind":"logistic-map","pool":"{{pool}}","spec":{"steps":30} }"""))["id"]!);
        // It waits for what the first one makes.
        var next = await PostAsync("/api/v1/runs",
            $$"""{"kind":"logistic-map","pool":"{{pool}}","spec":{"steps":20,"continues":"{{id}}"} }""");
        Assert.Equal(id.ToString(), (string?)next["after"]![0]);
        var after = Guid.Parse((string)next["id"]!);
        await browser.Workers.EndAsync(after);
        Assert.Equal(Orbit(50).Skip(30), await PointsAsync(after));

        var checkpoint = (string)(await Api.GetAsync($"/api/v1/runs/{id}/checkpoints"))["items"]![0]!["id"]!;
        var fork = await PostAsync($"/api/v1/runs/{id}/fork", $$"""{"checkpoint":"{{checkpoint}}","spec":{"steps":10} }""");
        Assert.Equal(checkpoint, (string?)fork["spec"]!["start"]);
        await browser.Workers.EndAsync(Guid.Parse((string)fork["id"]!));
        var training = await Api.SubmitAsync();
        var stranger = await PostAsync(
            "/api/v1/runs", $$"""{"kind":"logistic-map","spec":{"steps":1,"continues":"{{training}}"} }""",
            HttpStatusCode.UnprocessableEntity);
        Assert.Equal("/spec/continues", (string?)stranger["errors"]![0]!["pointer"]);

        var listed = (await Api.GetAsync($"/api/v1/runs?kind={LogisticMap.Name}&id={id}"))["items"]![0]!;
        Assert.Equal(("last x", Orbit(30).Last()), ((string?)listed["headline"]!["name"], (double)listed["headline"]!["value"]!));
        var compared = await Api.GetAsync($"/api/v1/compare?runs={id},{after}");
        Assert.Equal((LogisticMap.Series, 2), ((string?)compared["series"], compared["runs"]!.AsArray().Count));
        Assert.Null((await Api.GetAsync($"/api/v1/runs/{id}/preset"))["nearest"]);
        await Api.GetAsync("/api/v1/leaderboards");
        Assert.Equal(HttpStatusCode.Conflict, (await Api.Admin.GetAsync($"/api/v1/runs/{id}/trajectory")).StatusCode);
    }

    [Fact]
    public async Task Every_page_shows_every_kind_of_run_and_every_way_to_name_a_contestant()
    {
        var (runs, _) = await new SmallRuns(Api).ExecuteAllAsync();
        await using var opened = await browser.SignInAsync();
        var page = opened.Page;
        foreach (var run in runs)
        {
            await page.GotoAsync($"/runs/{run}");
            foreach (var panel in (string[])["Result", "Specification"])
                await Expect(page.GetByRole(AriaRole.Heading, new() { Name = panel, Exact = true })).ToBeVisibleAsync();
            await Expect(page.GetByRole(AriaRole.Alert)).ToHaveCountAsync(0);
        }
        string[] pages =
        [
            "/", "/runs", "/leaderboard", "/models", $"/compare?runs={string.Join(',', runs.Take(8))}",
            $"/trajectory?run={runs[^1]}",
            .. Catalog.RunKinds.Names.SelectMany(kind => (string[])[$"/new?kind={kind}", $"/runs?kind={kind}"]),
            .. runs.Select(run => $"/new?from={run}"),
        ];
        foreach (var path in pages)
        {
            await page.GotoAsync(path);
            await Expect(page.GetByRole(AriaRole.Main).GetByRole(AriaRole.Heading).First).ToBeVisibleAsync();
            await Expect(page.GetByText("This page cannot be shown")).ToHaveCountAsync(0);
        }
    }
}
