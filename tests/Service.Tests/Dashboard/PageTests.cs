using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using MetaOpt.Service.Tests.Api;
using MetaOpt.Service.Tests.Workers;
using Microsoft.Playwright;
using Xunit;
using static Microsoft.Playwright.Assertions;

namespace MetaOpt.Service.Tests.Dashboard;

/// <summary>
/// The form for a new run, comparing, ranking, tokens and users; and every page for those who see or use it differently.
/// </summary>
[Collection(DashboardTests.Name)]
public sealed class PageTests(BrowserFixture browser)
{
    static ILocator Button(IPage page, string name) => page.GetByRole(AriaRole.Button, new() { Name = name, Exact = true });

    [Fact]
    public async Task A_run_is_submitted_from_the_form_after_the_server_said_what_is_wrong()
    {
        var pool = WorkerFixture.Fresh("form");
        browser.Workers.Start(pool);
        await using var opened = await browser.SignInAsync("/new?preset=learnable");
        var page = opened.Page;
        await page.GetByLabel("Name", new() { Exact = true }).FillAsync("from the form");
        await page.GetByLabel("Pool").FillAsync(pool);
        // Empty tags are left out; wrong fields are all told at once, those of the specification too.
        await page.GetByLabel("Tags").FillAsync("one, , two,");
        await page.GetByLabel("Priority").FillAsync("1000");
        await page.GetByLabel("Meta epochs").FillAsync("0");
        await Expect(page.GetByText("2 fields are wrong.")).ToBeVisibleAsync();
        await Expect(Button(page, "Submit")).ToBeDisabledAsync();
        foreach (var wrong in (string[])["Priority", "Meta epochs"])
            await Expect(page.GetByLabel(wrong)).ToHaveAttributeAsync("aria-invalid", "true");

        // What was typed is still there after another page.
        await page.GetByRole(AriaRole.Link, new() { Name = "Models" }).ClickAsync();
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Models" })).ToBeVisibleAsync();
        await page.GoBackAsync();
        await Expect(page.GetByLabel("Name", new() { Exact = true })).ToHaveValueAsync("from the form");
        await Expect(page.GetByLabel("Meta epochs")).ToHaveValueAsync("0");
        await page.GetByLabel("Priority").FillAsync("");
        await page.GetByLabel("Meta epochs").FillAsync("3");
        await Expect(page.GetByText("Valid. It takes about")).ToBeVisibleAsync();
        var json = JsonNode.Parse(await page.GetByLabel("The submission as JSON").TextContentAsync() ?? "")!;
        Assert.Equal((pool, 3), ((string?)json["pool"], (int)json["spec"]!["training"]!["metaEpochs"]!));
        Assert.Equal("""["one","two"]""", json["tags"]!.ToJsonString());
        await Expect(page.GetByLabel("The submission as a command")).ToContainTextAsync("curl http://127.0.0.1");
        await Button(page, "Submit").ClickAsync();
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "from the form" })).ToBeVisibleAsync();
        await Expect(page.Locator(".state").First).ToHaveTextAsync("succeeded");
        // Two of the preset's fields were changed in this test or by its default; the page says so.
        await Expect(page.Locator(".changed")).ToContainTextAsync(["metaEpochs"]);
        var stored = await browser.Api.GetAsync($"/api/v1/runs/{page.Url.Split('/')[^1]}");
        Assert.Equal(3, (int)stored["spec"]!["training"]!["metaEpochs"]!);
    }

    [Fact]
    public async Task Two_runs_are_chosen_from_the_list_and_compared()
    {
        var tag = WorkerFixture.Fresh("pair")[..20];
        var ids = new List<Guid>();
        foreach (var seed in (int[])[1, 2])
        {
            var pool = WorkerFixture.Fresh("pair");
            ids.Add(await browser.Api.SubmitAsync($$"""
                {"kind":"meta-training","name":"seed {{seed}}","tags":["{{tag}}"],"pool":"{{pool}}",
                 "spec":{"seed":{{seed}},"task":{"type":"quadratic"},"optimizer":{"type":"lstm"} } }
                """));
            var run = await browser.Api.ClaimAsync(ids[^1], pool);
            await run.AppendPointsAsync(
                [.. Enumerable.Range(1, 30).Select(i => new MetaOpt.Runs.RunEvent.Point("meta-loss", i, seed * 1.0 / i))],
                default);
        }
        await using var opened = await browser.SignInAsync($"/runs?tag={tag}");
        var page = opened.Page;
        foreach (var seed in (int[])[1, 2]) await page.GetByLabel($"Compare seed {seed}").CheckAsync();
        await Button(page, "Compare 2").ClickAsync();
        await Expect(page.GetByRole(AriaRole.Img, new() { NameRegex = new("^meta-loss. seed") })).ToBeVisibleAsync();
        await Expect(page.GetByRole(AriaRole.Region, new() { Name = "Differences of the specifications" })
            .GetByRole(AriaRole.Row)).ToHaveTextAsync(
            [new Regex("Field"), new Regex("seed ?[12] ?[12]")]);
        Assert.Equal(3, await page.EvaluateAsync<int>("() => document.querySelector('.plot').chart.plot.data.length"));
        await Button(page, "seed 1").Or(page.GetByRole(AriaRole.Button, new() { NameRegex = new("^seed 1") })).First.ClickAsync();
        await page.WaitForFunctionAsync("() => document.querySelector('.plot').chart.plot.data.length === 2");
        Assert.Contains("hide=", page.Url);
    }

    [Fact]
    public async Task A_token_is_made_used_and_revoked_and_a_user_added()
    {
        await using var opened = await browser.SignInAsync("/admin");
        var page = opened.Page;
        var name = "u" + Guid.NewGuid().ToString("N")[..8];
        await page.GetByLabel("Name").FillAsync(name);
        await Button(page, "Add a user").ClickAsync();
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = $"Tokens of {name}" })).ToBeVisibleAsync();
        await page.Locator("section", new() { HasText = $"Tokens of {name}" }).GetByLabel("Name").FillAsync("first");
        await Button(page, "Make a token").ClickAsync();
        var token = await page.Locator(".secret").TextContentAsync() ?? "";
        using var client = browser.Api.WithToken(token);
        Assert.Equal(name, (string?)JsonNode.Parse(await client.GetStringAsync("/api/v1/me"))!["name"]);
        await Button(page, "Revoke").ClickAsync();
        await Button(page, "Revoke the token").ClickAsync();
        await Expect(page.GetByText("revoked", new() { Exact = true })).ToBeVisibleAsync();
        Assert.Equal(System.Net.HttpStatusCode.Unauthorized, (await client.GetAsync("/api/v1/me")).StatusCode);
    }

    /// <summary>An evaluation of a rule that no training is needed for, so that every page has something to show.</summary>
    async Task<string> EvaluationAsync()
    {
        var pool = WorkerFixture.Fresh("contest");
        var id = await browser.Api.SubmitAsync($$"""
            {"kind":"evaluation","name":"two rules","pool":"{{pool}}","spec":{"task":{"type":"rosenbrock"},"horizon":20,"instances":20,"bootstrapResamples":100,
             "contestants":[{"optimizer":{"type":"adam","learningRate":0.1} },{"optimizer":{"type":"sgd","learningRate":0.0003} }] } }
            """);
        using var worker = browser.Workers.Start(pool);
        await WorkerFixture.UntilAsync(
            async () => (string?)(await browser.Api.GetAsync($"/api/v1/runs/{id}"))["state"] == "succeeded", "the evaluation");
        return id.ToString();
    }

    // Links of the navigation whose words are cut off, and words in pictures that are smaller than 10 pixels.
    const string Unlabelled = """
        () => [
          ...[...document.querySelectorAll('#bar nav a span')].filter(e => getComputedStyle(e).clipPath !== 'none' || e.offsetWidth < 20)
            .map(e => `no label ${e.textContent}`),
          ...[...document.querySelectorAll('.picture text')]
            .filter(e => parseFloat(e.getAttribute('font-size')) * e.ownerSVGElement.clientWidth / e.ownerSVGElement.viewBox.baseVal.width < 10)
            .map(e => `small words ${e.textContent}`)]
        """;

    // What is beyond the paper's edge, and what is neither dark on white nor meant for paper.
    const string OffPaper = """
        () => [
          ...[...document.querySelectorAll('main *')].filter(e => {
            const style = getComputedStyle(e);
            return e.checkVisibility() && !e.closest('.u-wrap, svg *') && style.clipPath === 'none' && (e.getBoundingClientRect().right > innerWidth + 1
              || (e.scrollWidth > e.clientWidth + 1 && style.overflowX !== 'visible' && !e.matches('input, select')));
          })
            .map(e => `cut off: ${e.outerHTML.slice(0, 90)}`),
          ...[...document.querySelectorAll('#bar, .actions, .tools')].filter(e => e.checkVisibility()).map(e => `printed: ${e.outerHTML.slice(0, 60)}`),
          ...[getComputedStyle(document.documentElement)].filter(s => s.backgroundColor !== 'rgb(255, 255, 255)' || s.color !== 'rgb(0, 0, 0)')
            .map(s => `${s.color} on ${s.backgroundColor}`),
          ...[...document.querySelectorAll('.picture text')].filter(e => e.getAttribute('fill') > '#8').map(e => `pale words ${e.textContent}`)]
        """;

    static async Task<string[]> PrintedAsync(IPage page, int width)
    {
        var height = page.ViewportSize!.Height;
        await page.EmulateMediaAsync(new() { Media = Media.Print });
        await page.SetViewportSizeAsync(718, height); // A4 with margins of 10 mm
        var wrong = await page.EvaluateAsync<string[]>(OffPaper);
        await page.SetViewportSizeAsync(width, height);
        await page.EmulateMediaAsync(new() { Media = Media.Screen });
        return wrong;
    }

    [Fact]
    public async Task No_page_has_a_barrier_scrolls_sideways_on_a_telephone_or_is_cut_off_on_paper()
    {
        var axe = await File.ReadAllTextAsync(Path.Combine(Checkout.Folder, "src/Api/node_modules/axe-core/axe.min.js"));
        var id = await EvaluationAsync();
        var found = new List<string>();
        foreach (var (scheme, width) in ((ColorScheme, int)[])[(ColorScheme.Light, 1280), (ColorScheme.Dark, 390)])
        {
            await using var opened = await browser.SignInAsync("/", new() { Width = width, Height = 844 });
            var page = opened.Page;
            await page.EmulateMediaAsync(new() { ColorScheme = scheme });
            foreach (var path in (string[])["/", "/runs", $"/runs/{id}", $"/compare?runs={id}", "/leaderboard",
                $"/trajectory?run={id}", "/models", "/schedules", $"/new?from={id}", "/account", "/admin?user=admin", "/sign-in"])
            {
                await page.GotoAsync(path);
                await Expect(page.GetByRole(AriaRole.Heading, new() { Level = 1 })).ToBeVisibleAsync();
                await page.WaitForLoadStateAsync(LoadState.NetworkIdle);
                await page.EvaluateAsync(axe);
                var violations = JsonNode.Parse(await page.EvaluateAsync<string>(
                    "async () => JSON.stringify((await axe.run()).violations.map(v => ({id: v.id, impact: v.impact, at: "
                    + "v.nodes.slice(0, 3).map(n => n.html.slice(0, 90) + ' ' + n.any.map(a => a.message).join().slice(0, "
                    + "120))})))"))!;
                found.AddRange(violations.AsArray().Where(v => (string?)v!["impact"] is "serious" or "critical")
                    .Select(v => $"{scheme} {path}: {v!.ToJsonString()}"));
                if (await page.EvaluateAsync<bool>("() => document.documentElement.scrollWidth > innerWidth"))
                    found.Add($"{path} is wider than {width} pixels");
                found.AddRange((await page.EvaluateAsync<string[]>(Unlabelled))
                    .Select(what => $"{path} at {width} pixels: {what}"));
                if (scheme == ColorScheme.Dark)
                    found.AddRange((await PrintedAsync(page, width)).Select(what => $"{path} on paper: {what}"));
            }
        }
        Assert.True(found.Count == 0, string.Join('\n', found));
    }

    [Theory]
    [InlineData("/%5Clab.invalid/x", "/")]
    [InlineData("/%09/lab.invalid/x", "/")]
    [InlineData("//lab.invalid/x", "/")]
    [InlineData("/.//lab.invalid/x", "//lab.invalid/x")]
    [InlineData("https:lab.invalid", "/")]
    [InlineData("javascript:alert(1)", "/")]
    [InlineData("http://[", "/")]
    [InlineData("/runs%3Ftag%3Da", "/runs")]
    public async Task Signing_in_leads_to_an_address_of_this_server_only(string to, string path)
    {
        await using var opened = await browser.SignInAsync($"/sign-in?to={to}");
        await opened.Page.WaitForFunctionAsync(
            "() => document.querySelector('#bar a[href]') && location.pathname !== '/sign-in'");
        Assert.Equal((new Uri(browser.Address).Authority, path),
            (new Uri(opened.Page.Url).Authority, new Uri(opened.Page.Url).AbsolutePath));
    }

    [Fact]
    public async Task Text_in_a_saved_table_is_text_and_a_series_is_read_under_its_own_name()
    {
        await using var opened = await browser.SignInAsync("/account");
        var quoted = await opened.Page.EvaluateAsync<string[]>(
            """
            async () => {
              const { quoted, toCsv } = await import(document.querySelector('script[src*="/app/"]').src.replace('main.js', 'save.js'));
              const curve = { x: [1], y: [-2.5], low: [null], high: [-1] };
              const chart = { options: {}, visible: [{ label: '=HYPERLINK("x")', curve }] };
              return [...['=1+1', '@SUM(1)', '+1', '-1', '\tx', '\rx', ' =1', 'a\rb', 'plain', 'a,b', '\uff1d1'].map(quoted), toCsv(chart)];
            }
            """);
        Assert.Equal(
            ["'=1+1", "'@SUM(1)", "'+1", "'-1", "'\tx", "\"'\rx\"", "' =1", "\"a\rb\"", "plain", "\"a,b\"", "'\uff1d1",
                "curve,step,value,low,high\n\"'=HYPERLINK(\"\"x\"\")\",1,-2.5,,-1\n"], quoted);

        var pool = WorkerFixture.Fresh("names");
        var id = await browser.Api.SubmitAsync(
            ApiFixture.Training.Insert(ApiFixture.Training.Length - 1, $",\"pool\":\"{pool}\""));
        string[] names = ["a/b", "a%2Fb", "a%252Fb", "../../checkpoints", "..", "?x#y"];
        var run = await browser.Api.ClaimAsync(id, pool);
        await run.AppendPointsAsync([.. names.Select((name, i) => new MetaOpt.Runs.RunEvent.Point(name, 1, i))], default);
        var read = await opened.Page.EvaluateAsync<double[]>(
            """
            async ([id, names]) => {
              const { Curves } = await import(document.querySelector('script[src*="/app/"]').src.replace('main.js', 'curves.js'));
              const curves = new Curves(id, new AbortController().signal, () => {});
              return Promise.all(names.map(async name => (await curves.read(name)).last));
            }
            """, new object[] { id.ToString(), names });
        Assert.Equal([.. names.Select((_, i) => (double)i)], read);
    }

    [Fact]
    public async Task A_page_whose_first_request_fails_says_why_and_leads_on()
    {
        await using var opened = await browser.SignInAsync("/runs?state=wrong");
        var page = opened.Page;
        var alert = page.GetByRole(AriaRole.Alert);
        await Expect(alert).ToContainTextAsync("must be queued, running, succeeded, failed, cancelled, got \"wrong\"");
        await page.GetByRole(AriaRole.Link, new() { Name = "Clear filters" }).ClickAsync();
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Runs", Exact = true })).ToBeVisibleAsync();
        foreach (var path in (string[])[$"/runs/{Guid.Empty}", $"/compare?runs={Guid.Empty}", "/leaderboard?board=none",
            "/trajectory?run=x", "/new?from=x", "/new?evaluate=no@1", "/new?preset=none", "/admin?user=nobody-here"])
        {
            await page.GotoAsync(path);
            await Expect(alert.Or(page.GetByText("is not there"))).ToBeVisibleAsync();
        }
        await page.GotoAsync("/nothing");
        await Expect(page.GetByRole(AriaRole.Heading, new() { Level = 1 })).ToHaveTextAsync("There is nothing here");
        await page.GetByRole(AriaRole.Link, new() { Name = "To the queue" }).ClickAsync();
        await Expect(page.GetByRole(AriaRole.Heading, new() { Level = 1 })).ToHaveTextAsync("Queue");
        // The server answers 503 at first, as while its database starts, and then is there.
        foreach (var path in (string[])["/", "/runs", "/compare", "/leaderboard", "/trajectory", "/models", "/schedules", "/new",
            "/account", "/admin"])
        {
            const string Unavailable =
                """{"status":503,"code":"database-unavailable","detail":"The database does not answer; try again shortly."}""";
            await page.RouteAsync("**/api/v1/**",
                route => route.FulfillAsync(
                    new() { Status = 503, ContentType = "application/problem+json", Body = Unavailable }));
            await page.GotoAsync(path);
            await Expect(alert).ToHaveTextAsync("The database does not answer; try again shortly.");
            await page.UnrouteAsync("**/api/v1/**");
            await page.GetByRole(AriaRole.Button, new() { Name = "Try again" }).ClickAsync();
            await Expect(alert).ToBeHiddenAsync();
            await Expect(page.GetByRole(AriaRole.Heading, new() { Level = 1 })).ToBeVisibleAsync();
        }
    }

    [Fact]
    public async Task Leaderboard_and_trajectory_show_what_an_evaluation_measured()
    {
        var id = await EvaluationAsync();
        await using var opened = await browser.SignInAsync($"/trajectory?run={id}");
        var page = opened.Page;
        await Expect(page.GetByRole(AriaRole.Img,
            new() { NameRegex = new("^Update of one coordinate after 10 gradients. adam") })).ToBeVisibleAsync();
        await Expect(page.GetByRole(AriaRole.Img, new() { NameRegex = new("^Paths: adam from") })).ToBeVisibleAsync();
        await page.GetByLabel("Gradients before").FillAsync("3");
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.GetByRole(AriaRole.Img, new() { NameRegex = new("after 3 gradients") })).ToBeVisibleAsync();
        Assert.Contains("step=3", page.Url);
        // The end of the id is what lists show, and an address that has only it leads to the run.
        await page.GotoAsync($"/runs?id={id[^8..]}");
        await Expect(page.GetByRole(AriaRole.Region, new() { Name = "Runs" }).GetByRole(AriaRole.Row)).ToHaveCountAsync(2);
        await Expect(page.GetByRole(AriaRole.Cell, new() { Name = id[^8..], Exact = true })).ToBeVisibleAsync();
        await page.GotoAsync($"/runs/{id[^8..]}");
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "two rules" })).ToBeVisibleAsync();
        Assert.EndsWith($"/runs/{id}", page.Url);
        await Expect(page.Locator(".facts code")).ToHaveTextAsync(id[^8..]);
        await page.GotoAsync("/");
        await Expect(page.GetByRole(AriaRole.Region, new() { Name = "Runs that finished lately" })
            .GetByRole(AriaRole.Row, new() { NameRegex = new(id[^8..]) }))
            .ToHaveTextAsync(new Regex("two rules.*evaluation.*(adam|sgd)[^:]*: \\d"));
        await page.GetByRole(AriaRole.Link, new() { Name = "Leaderboard" }).ClickAsync();
        await Expect(page.GetByRole(AriaRole.Region, new() { Name = "Optimizers" })).ToContainTextAsync("adam");
    }
}
