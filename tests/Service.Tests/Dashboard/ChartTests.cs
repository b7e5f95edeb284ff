using System.Globalization;
using System.Text.Json.Nodes;
using MetaOpt.Runs;
using MetaOpt.Service.Tests.Workers;
using Microsoft.Playwright;
using Xunit;
using static Microsoft.Playwright.Assertions;

namespace MetaOpt.Service.Tests.Dashboard;

/// <summary>
/// What charts of curves show: read from the marks of their axes, their legends and the pixels of their canvas.
/// </summary>
[Collection(DashboardTests.Name)]
public sealed class ChartTests(BrowserFixture browser)
{
    static ILocator Chart(IPage page, string title) =>
        page.Locator("figure.chart", new() { Has = page.GetByRole(AriaRole.Heading, new() { Name = title, Exact = true }) });

    static Task<T> OfPlotAsync<T>(ILocator chart, string expression) =>
        chart.Locator(".plot").EvaluateAsync<T>($"place => {{ const plot = place.chart.plot; return {expression}; }}");

    /// <summary>Words at the marks of the axis of values.</summary>
    static Task<string[]> MarksAsync(ILocator chart) => OfPlotAsync<string[]>(chart, "plot.axes[1]._values");

    /// <summary>Whether the canvas is painted where the line of the first curve must be, at each of its points.</summary>
    static Task<bool> IsPaintedAtItsPointsAsync(ILocator chart) => OfPlotAsync<bool>(chart, """
        plot.data[0].every((x, i) => {
          const [px, py] = [plot.valToPos(x, 'x', true), plot.valToPos(plot.data[1][i], 'y', true)];
          const { data } = plot.ctx.getImageData(Math.round(px) - 3, Math.round(py) - 3, 7, 7);
          // Lines have a strong colour; the grid is grey.
          return data.some((v, k) => k % 4 === 0 && data[k + 3] > 100 && Math.max(v, data[k + 1], data[k + 2]) - Math.min(v, data[k + 1], data[k + 2]) > 60);
        })
        """);

    static async Task ReadAtAsync(ILocator chart, double step)
    {
        var left = await OfPlotAsync<double>(chart, $"plot.valToPos({step.ToString(CultureInfo.InvariantCulture)}, 'x')");
        await chart.Locator(".u-over").HoverAsync(new() { Position = new() { X = (float)left, Y = 20 } });
    }

    async Task<Guid> RunAsync(string name, params (string Series, double[] Values)[] curves)
    {
        var pool = WorkerFixture.Fresh("charts");
        var id = await browser.Api.SubmitAsync($$"""
            {"kind":"meta-training","name":"{{name}}","pool":"{{pool}}","spec":{"task":{"type":"quadratic"},"optimizer":{"type":"lstm"} } }
            """);
        var run = await browser.Api.ClaimAsync(id, pool);
        foreach (var (series, values) in curves)
            await run.AppendPointsAsync([.. values.Select((value, i) => new RunEvent.Point(series, i + 1, value))], default);
        await run.FinishAsync(RunState.Succeeded, new JsonObject { ["kind"] = "meta-training" }, null, default);
        return id;
    }

    [Fact]
    public async Task Marks_and_legends_of_a_runs_charts_are_those_of_its_values()
    {
        var id = await RunAsync("all sizes",
            ("huge", [1, 1e17, 1e34]), ("tiny", [3e-30, 2e-30, 1e-30]), ("constant", [5, 5, 5]), ("single", [7]),
            ("negative", [-1, -4, -2]),
            ("lost", [double.NaN, double.PositiveInfinity, double.NaN]), ("partly", [8, 4, double.NaN, double.NaN]));
        await using var opened = await browser.SignInAsync($"/runs/{id}");
        var page = opened.Page;
        foreach (var (title, log, linear) in ((string, string, string)[])[("huge", "10¹²", "4·10³³"),
            ("tiny", "2·10⁻³⁰", "2·10⁻³⁰"), ("constant", "5", "5"), ("single", "7", "7")])
        {
            var chart = Chart(page, title);
            await Expect(chart.Locator("canvas")).ToBeVisibleAsync();
            Assert.Contains(log, await MarksAsync(chart));
            Assert.True(await IsPaintedAtItsPointsAsync(chart), $"{title}, logarithmic");
            await chart.GetByRole(AriaRole.Button, new() { Name = "log y" }).ClickAsync();
            Assert.Contains(linear, await MarksAsync(chart));
            Assert.True(await IsPaintedAtItsPointsAsync(chart), $"{title}, linear");
        }
        var huge = Chart(page, "huge");
        await Expect(huge.Locator("output")).ToHaveTextAsync("1·10³⁴");
        await Expect(huge.Locator(".at")).ToHaveTextAsync("last, meta-step 3");
        await ReadAtAsync(huge, 2);
        await Expect(huge.Locator("output")).ToHaveTextAsync("1·10¹⁷");
        await Expect(huge.Locator(".at")).ToHaveTextAsync("meta-step 2");

        var negative = Chart(page, "negative");
        await Expect(negative).ToContainTextAsync("No value is above 0, as a logarithmic axis needs.");
        await negative.GetByRole(AriaRole.Button, new() { Name = "log y" }).ClickAsync();
        Assert.Contains("-3", await MarksAsync(negative));
        Assert.True(await IsPaintedAtItsPointsAsync(negative));

        var lost = Chart(page, "lost");
        await Expect(lost).ToContainTextAsync("All values diverged: none of 3 is a finite number.");
        await Expect(lost.Locator("output")).ToHaveTextAsync("diverged");
        await Expect(lost.Locator("canvas")).ToHaveCountAsync(0);
        var partly = Chart(page, "partly");
        await Expect(partly.Locator("output")).ToHaveTextAsync("4 at 2, then diverged");
        await Expect(partly.Locator(".at")).ToHaveTextAsync("last, meta-step 4");
        await ReadAtAsync(partly, 3);
        await Expect(partly.Locator("output")).ToHaveTextAsync("diverged");
    }

    [Fact]
    public async Task Empty_deleted_and_invalid_runs_are_named_and_the_other_curves_drawn()
    {
        var first = await RunAsync("falls", ("meta-loss", [8, 4, 2]));
        var second = await RunAsync("falls further", ("meta-loss", [4, 2, 1, 0.5]));
        var empty = await RunAsync("has no points");
        var deleted = await RunAsync("deleted");
        Assert.Equal(System.Net.HttpStatusCode.NoContent,
            (await browser.Api.Admin.DeleteAsync($"/api/v1/runs/{deleted}")).StatusCode);
        await using var opened = await browser.SignInAsync($"/compare?runs={first},{deleted},{empty},nonsense,{second}");
        var page = opened.Page;
        var chart = Chart(page, "meta-loss");
        await Expect(chart.Locator("canvas")).ToBeVisibleAsync();
        Assert.Equal(3, await OfPlotAsync<int>(chart, "plot.data.filter(column => column.some(v => v != null)).length"));
        await Expect(chart.Locator("output")).ToHaveTextAsync(["2 at 3", "no points", "0.5"]);
        await Expect(chart.Locator(".at")).ToHaveTextAsync("last, meta-step 4");
        await ReadAtAsync(chart, 2);
        await Expect(chart.Locator("output")).ToHaveTextAsync(["4", "no points", "2"]);
        await Expect(page.Locator(".banner", new() { HasText = "Run not found" })).ToContainTextAsync(deleted.ToString());
        await Expect(page.Locator(".banner", new() { HasText = "Not the id of a run" })).ToContainTextAsync("nonsense");
        await page.GetByRole(AriaRole.Link, new() { Name = "Remove from the address" }).ClickAsync();
        await Expect(page.Locator(".banner")).ToHaveCountAsync(0);
        Assert.EndsWith($"runs={first}%2C{empty}%2C{second}", page.Url.Split("&series")[0]);

        await page.GotoAsync($"/compare?runs={deleted}");
        await Expect(page.Locator(".banner")).ToContainTextAsync(deleted.ToString());
        await Expect(page.GetByLabel("Add a run")).ToBeVisibleAsync();
        await page.GotoAsync($"/compare?runs={empty}");
        await Expect(page.GetByText("No points yet.")).ToBeVisibleAsync();
    }
}
