using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using MetaOpt.Service.Tests.Workers;
using Microsoft.Playwright;
using Xunit;
using static Microsoft.Playwright.Assertions;

namespace MetaOpt.Service.Tests.Dashboard;

/// <summary>Runs that come from the form: grids, forks, and evaluations of what was learned.</summary>
[Collection(DashboardTests.Name)]
public sealed class FormTests(BrowserFixture browser)
{
    const string Tiny = """
        "task":{"type":"quadratic","dimensions":4},"optimizer":{"type":"lstm","layers":[3]},
        "training":{"horizon":20,"unroll":10,"metaBatch":8,"metaEpochs":5,"validation":{"every":5,"instances":8} }
        """;

    static ILocator Button(IPage page, string name) => page.GetByRole(AriaRole.Button, new() { Name = name, Exact = true });

    static async Task<JsonNode> ShownJsonAsync(IPage page) =>
        JsonNode.Parse(await page.GetByLabel("The submission as JSON").TextContentAsync() ?? "")!;

    [Fact]
    public async Task A_grid_of_seeds_and_settings_is_submitted_from_the_form_and_listed()
    {
        await using var opened = await browser.SignInAsync("/new?preset=learnable");
        var page = opened.Page;
        await page.GetByLabel("Name", new() { Exact = true }).FillAsync("grid");
        await page.GetByLabel("Pool").FillAsync(WorkerFixture.Fresh("grid"));
        await Button(page, "Vary the seed").ClickAsync();
        await Button(page, "Vary a setting").ClickAsync();
        await page.GetByLabel("Field").Last.FillAsync("/training/metaEpochs");
        await page.GetByLabel("Values").Last.FillAsync("4, 0");
        await Expect(page.Locator(".vary").Last).ToContainTextAsync("must be between 1 and");
        await page.GetByLabel("Values").Last.FillAsync("4, 5");
        await Expect(page.GetByText("Valid: 6 runs")).ToBeVisibleAsync();
        Assert.Equal("[1,2,3]", (await ShownJsonAsync(page))["grid"]![0]!["values"]!.ToJsonString());
        await Expect(page.GetByLabel("The submission as a command")).ToContainTextAsync("/api/v1/runs:batch");
        await Button(page, "Submit 6 runs").ClickAsync();

        await Expect(page.GetByRole(AriaRole.Region, new() { Name = "Runs" }).GetByRole(AriaRole.Row)).ToHaveCountAsync(7);
        await Expect(page.GetByRole(AriaRole.Link, new() { Name = "grid seed=3 metaEpochs=5" })).ToBeVisibleAsync();
        await page.GetByRole(AriaRole.Link, new() { Name = "grid seed=2 metaEpochs=4" }).ClickAsync();
        await Expect(page.GetByRole(AriaRole.Link, new() { Name = "a grid" })).ToBeVisibleAsync();
        var stored = await browser.Api.GetAsync($"/api/v1/runs/{page.Url.Split('/')[^1]}");
        Assert.Equal((2, 4), ((int)stored["spec"]!["seed"]!, (int)stored["spec"]!["training"]!["metaEpochs"]!));
    }

    [Fact]
    public async Task What_a_training_learned_is_promoted_evaluated_and_trained_on()
    {
        var pool = WorkerFixture.Fresh("learned");
        var id = await browser.Api.SubmitAsync(
            $$"""{"kind":"meta-training","name":"Learned","pool":"{{pool}}","spec":{"seed":7,{{Tiny}} } }""");
        browser.Workers.Start(pool);
        await using var opened = await browser.SignInAsync($"/runs/{id}");
        var page = opened.Page;
        var model = "m" + Guid.NewGuid().ToString("N")[..10];
        await Button(page, "Promote").ClickAsync();
        await page.GetByLabel("Model", new() { Exact = true }).FillAsync("Not a name");
        await Button(page, "Promote").Last.ClickAsync();
        await Expect(page.GetByText("must be lower-case letters, digits and hyphens")).ToBeVisibleAsync();
        await page.GetByLabel("Model", new() { Exact = true }).FillAsync(model);
        await Button(page, "Promote").Last.ClickAsync();
        await Expect(page.GetByRole(AriaRole.Link, new() { Name = $"{model}@1" })).ToBeVisibleAsync();

        await page.GetByRole(AriaRole.Link, new() { Name = $"{model}@1" }).ClickAsync();
        await Expect(page.GetByRole(AriaRole.Row, new() { NameRegex = new($"{model}@1 Learned 10 ") })).ToBeVisibleAsync();
        await page.GoBackAsync();

        // A fork says what differs from the old run, and begins with its phi.
        await page.GetByRole(AriaRole.Link, new() { Name = "Train on" }).ClickAsync();
        await page.GetByLabel("Seed").FillAsync("");
        await page.GetByLabel("Meta epochs").FillAsync("6");
        await Expect(page.GetByText("Valid. It takes about")).ToBeVisibleAsync();
        var checkpoint = (string?)(await browser.Api.GetAsync($"/api/v1/runs/{id}/checkpoints"))["items"]![0]!["id"];
        Assert.True(JsonNode.DeepEquals(
            JsonNode.Parse($$"""{"seed":null,"start":"{{checkpoint}}","training":{"metaEpochs":6} }"""),
            (await ShownJsonAsync(page))["spec"]));
        await Button(page, "Submit").ClickAsync();
        await Expect(page.GetByRole(AriaRole.Link, new() { Name = "run " + id.ToString()[^8..] })).ToBeVisibleAsync();
        await Expect(page.Locator(".state").First).ToHaveTextAsync("succeeded");
        var forked = (await browser.Api.GetAsync($"/api/v1/runs/{page.Url.Split('/')[^1]}"))["spec"]!;
        Assert.Equal((0, 6, 20, checkpoint),
            ((int)forked["seed"]!, (int)forked["training"]!["metaEpochs"]!, (int)forked["training"]!["horizon"]!,
                (string?)forked["start"]));

        await page.GotoAsync($"/new?evaluate={model}@1");
        await page.GetByLabel("Pool").FillAsync(pool);
        await Expect(page.GetByText("Valid. It takes about")).ToBeVisibleAsync();
        var spec = (await ShownJsonAsync(page))["spec"]!;
        Assert.Equal((20, 4, $"{model}@1"),
            ((int)spec["horizon"]!, (int)spec["task"]!["dimensions"]!, (string?)spec["contestants"]![0]!["checkpoint"]));
    }

    [Fact]
    public async Task The_log_of_a_run_grows_while_one_looks_and_a_paused_run_is_resumed()
    {
        var pool = WorkerFixture.Fresh("log");
        var id = await browser.Api.SubmitAsync(
            $$"""{"kind":"meta-training","name":"talkative","pool":"{{pool}}","spec":{ {{Tiny}} } }""");
        await using var opened = await browser.SignInAsync($"/runs/{id}");
        var page = opened.Page;
        await Expect(page.GetByText("It says something when a worker has it.")).ToBeVisibleAsync();
        await Button(page, "Pause").ClickAsync();
        await Expect(page.Locator(".state").First).ToHaveTextAsync("queued, paused");
        await Button(page, "Resume").ClickAsync();
        await Expect(page.Locator(".state").First).ToHaveTextAsync("queued");

        var run = await browser.Api.ClaimAsync(id, pool);
        await run.AppendLogAsync(1, ["first words", "<b>second</b>"], default);
        var log = page.GetByRole(AriaRole.Log);
        await Expect(log.GetByRole(AriaRole.Paragraph)).ToHaveTextAsync([new Regex("first words$"), new Regex("<b>second</b>$")]);
        await run.AppendLogAsync(1, ["later words"], default);
        await Expect(log.GetByRole(AriaRole.Paragraph))
            .ToHaveTextAsync([new Regex("first"), new Regex("second"), new Regex("later words$")]);
        await run.FinishAsync(MetaOpt.Runs.RunState.Cancelled, null, null, default);
        await Button(page, "Retry").ClickAsync();
        await Expect(page.Locator(".state").First).ToHaveTextAsync("queued");
    }

    [Fact]
    public async Task A_run_is_renamed_in_a_dialog_that_says_what_is_wrong()
    {
        var id = await browser.Api.SubmitAsync(
            $$"""{"kind":"meta-training","name":"old name","pool":"nobody-edits","spec":{ {{Tiny}} } }""");
        await using var opened = await browser.SignInAsync($"/runs/{id}");
        var page = opened.Page;
        await Button(page, "Edit").ClickAsync();
        await page.GetByLabel("Name").FillAsync("new name");
        await page.GetByLabel("Tags").FillAsync("one, two");
        await page.GetByLabel("Priority").FillAsync("1000");
        await Button(page, "Save").ClickAsync();
        await Expect(page.GetByText("must be between -100 and 100")).ToBeVisibleAsync();
        await page.GetByLabel("Priority").FillAsync("-5");
        await Button(page, "Save").ClickAsync();
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "new name" })).ToBeVisibleAsync();
        var stored = await browser.Api.GetAsync($"/api/v1/runs/{id}");
        Assert.Equal("""["one","two"]-5""", stored["tags"]!.ToJsonString() + stored["priority"]);
    }
}
