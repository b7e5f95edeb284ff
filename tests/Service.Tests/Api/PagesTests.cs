using System.Net;
using System.Text.RegularExpressions;
using Xunit;

namespace MetaOpt.Service.Tests.Api;

/// <summary>
/// How browsers keep the dashboard's files: scripts for ever under the version's address, the document that names it never
/// unasked.
/// </summary>
public sealed class PagesTests(ApiFixture api) : IClassFixture<ApiFixture>
{
    [Fact]
    public async Task The_document_is_asked_for_again_and_what_it_names_is_kept_for_ever()
    {
        var answer = await api.Nobody.GetAsync("/");
        Assert.True(answer.Headers.CacheControl!.NoCache);
        using var again = new HttpRequestMessage(HttpMethod.Get, "/");
        again.Headers.IfNoneMatch.Add(answer.Headers.ETag!);
        Assert.Equal(HttpStatusCode.NotModified, (await api.Nobody.SendAsync(again)).StatusCode);

        var named = Regex.Matches(await answer.Content.ReadAsStringAsync(), "(?:href|src)=\"(/v/[^\"]+)\"")
            .Select(m => m.Groups[1].Value).Distinct().ToList();
        // What the queue's module imports, by way of another one too.
        Assert.Contains(named, path => path.EndsWith("/pages/queue.js", StringComparison.Ordinal));
        Assert.Contains(named, path => path.EndsWith("/app/workers.js", StringComparison.Ordinal));
        Assert.DoesNotContain(named, path => path.EndsWith("/app/chart.js", StringComparison.Ordinal));
        foreach (var path in named.Where(p => !p.Contains("/vendor/", StringComparison.Ordinal)))
        {
            var file = await api.Nobody.GetAsync(path);
            Assert.Equal((HttpStatusCode.OK, "public, max-age=31536000, immutable"),
                (file.StatusCode, file.Headers.CacheControl!.ToString()));
        }
        Assert.Equal(HttpStatusCode.NotFound, (await api.Nobody.GetAsync("/v/000000000000/app/main.js")).StatusCode);
        Assert.True((await api.Nobody.GetAsync("/icon.svg")).Headers.CacheControl!.NoCache);
    }

    [Theory]
    [InlineData("/nothing", "text/html,*/*", "text/html")]
    [InlineData("//lab.invalid/x", "text/html", "text/html")]
    [InlineData("/nothing", "*/*", "application/problem+json")]
    [InlineData("/nothing", null, "application/problem+json")]
    [InlineData("/api/v1/nothing", "text/html", "application/problem+json")]
    [InlineData("/healthz/nothing", "text/html", "application/problem+json")]
    public async Task An_unknown_address_is_a_page_for_a_browser_and_a_problem_for_a_program(string path, string? accept,
        string type)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(api.Nobody.BaseAddress! + path[1..]));
        if (accept is not null) request.Headers.Accept.ParseAdd(accept);
        request.Headers.Authorization = new("Bearer", api.AdminToken);
        var answer = await api.Nobody.SendAsync(request);
        Assert.Equal((HttpStatusCode.NotFound, type), (answer.StatusCode, answer.Content.Headers.ContentType!.MediaType));
        if (type == "text/html") Assert.Contains("/pages/missing.js", await answer.Content.ReadAsStringAsync());
    }

    [Theory]
    [InlineData("/runs/01a1ff12-aefa-7680-8877-b03e8efd81bb", "href=\"/api/v1/runs/01a1ff12-aefa-7680-8877-b03e8efd81bb\"")]
    [InlineData("/compare?runs=01a1ff12-aefa-7680-8877-b03e8efd81bb%2C01a1ff12-aefa-7680-8877-b03e8efd81bc",
        "href=\"/api/v1/compare?runs=01a1ff12-aefa-7680-8877-b03e8efd81bb,01a1ff12-aefa-7680-8877-b03e8efd81bc&amp;maxPoints=600\"")]
    [InlineData("/runs/%22%3E%3Cscript%3E", null)]
    [InlineData("/compare?runs=%22%3E%3Cscript%3E", null)]
    public async Task A_page_names_the_data_that_its_view_asks_for_first_and_nothing_made_up(string path, string? data)
    {
        Assert.Equal(0, Regex.Count(await api.Nobody.GetStringAsync(path), "as=\"fetch\""));
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Add("Cookie", "metaopt-session=whoever");
        var html = await (await api.Nobody.SendAsync(request)).Content.ReadAsStringAsync();
        // Who it is; the run, and the catalogue that says how its kind is shown; or the curves that are compared.
        Assert.Equal(data is null ? 1 : path.StartsWith("/runs", StringComparison.Ordinal) ? 3 : 2,
            Regex.Count(html, "as=\"fetch\""));
        if (data is not null) Assert.Contains(data, html);
        Assert.DoesNotContain("\"><script>", html);
    }
}
