using MetaOpt.Runs;
using MetaOpt.Service.Tests.Api;
using MetaOpt.Service.Tests.Workers;
using Microsoft.Playwright;
using Xunit;

namespace MetaOpt.Service.Tests.Dashboard;

/// <summary>One browser and server for all tests of the dashboard.</summary>
[CollectionDefinition(Name)]
public sealed class DashboardTests : ICollectionFixture<BrowserFixture>
{
    public const string Name = "dashboard";
}

/// <summary>
/// The system's Chromium, the API it looks at and a real worker. Every page that a test opens must stay without errors.
/// </summary>
public class BrowserFixture : IAsyncLifetime
{
    const int PatienceMs = 60_000;

    readonly string _worker;
    IPlaywright _playwright = null!;
    IBrowser _browser = null!;

    public BrowserFixture()
        : this(Catalog.RunKinds, "metaopt-worker.dll")
    {
    }

    /// <summary>With kinds of runs of its own, and an assembly that is a worker which knows them.</summary>
    protected BrowserFixture(RunKinds kinds, string worker) => (Api, _worker) = (new() { Kinds = kinds }, worker);

    public ApiFixture Api { get; }
    public WorkerFixture Workers { get; private set; } = null!;
    public string Address => Api.App.Urls.First();

    public async Task InitializeAsync()
    {
        Assertions.SetDefaultExpectTimeout(PatienceMs);
        await Api.InitializeAsync();
        Workers = WorkerFixture.On(Api.ConnectionString, _worker);
        _playwright = await Playwright.CreateAsync();
        _browser = await _playwright.Chromium.LaunchAsync(new()
        {
            ExecutablePath = Chromium,
            // Chromium's own sandbox refuses to work for root, which is what continuous integration is.
            Args = Environment.UserName == "root" ? ["--no-sandbox"] : [],
        });
    }

    /// <summary>Stops the API and starts another on the same port and database, as an update does.</summary>
    public async Task RestartApiAsync(Func<Task> whileAway)
    {
        var port = new Uri(Address).Port;
        await Api.DisposeAsync();
        await whileAway();
        await Api.StartAsync(Api.ConnectionString, port);
    }

    static string Chromium =>
        new[] { "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome" }.FirstOrDefault(File.Exists)
        ?? throw new InvalidOperationException(
            "The dashboard's tests need a browser: apt-get install chromium (./metaopt test does it).");

    /// <summary>A page of a browser that nobody has signed in with.</summary>
    public async Task<BrowserPage> OpenAsync(ViewportSize? size = null)
    {
        var context =
            await _browser.NewContextAsync(
                new() { BaseURL = Address, AcceptDownloads = true, ViewportSize = size ?? new() { Width = 1280, Height = 900 } });
        context.SetDefaultTimeout(PatienceMs);
        await context.GrantPermissionsAsync(["clipboard-read", "clipboard-write"]);
        return new(context, await context.NewPageAsync());
    }

    /// <summary>The administrator's page, signed in over the form, at an address.</summary>
    public async Task<BrowserPage> SignInAsync(string path = "/", ViewportSize? size = null)
    {
        var browser = await OpenAsync(size);
        await browser.Page.GotoAsync(path);
        await browser.Page.GetByLabel("Your token").FillAsync(Api.AdminToken);
        await browser.Page.GetByRole(AriaRole.Button, new() { Name = "Sign in" }).ClickAsync();
        await Assertions.Expect(browser.Page.GetByRole(AriaRole.Navigation, new() { Name = "Pages" })).ToBeVisibleAsync();
        return browser;
    }

    public async Task DisposeAsync()
    {
        await _browser.DisposeAsync();
        _playwright.Dispose();
        await Workers.DisposeAsync();
        await Api.DisposeAsync();
    }
}

/// <summary>
/// A page, and what went wrong in it and its like: errors of scripts and everything that the content security policy stopped.
/// </summary>
public sealed class BrowserPage : IAsyncDisposable
{
    readonly IBrowserContext _context;
    readonly List<string> _errors = [];

    public BrowserPage(IBrowserContext context, IPage page)
    {
        (_context, Page) = (context, Watched(page));
    }

    public IPage Page { get; }

    /// <summary>Another tab of the same browser, at an address.</summary>
    public async Task<IPage> OpenTabAsync(string path)
    {
        var page = Watched(await _context.NewPageAsync());
        await page.GotoAsync(path);
        return page;
    }

    IPage Watched(IPage page)
    {
        page.PageError += (_, error) => _errors.Add(error);
        page.Console += (_, message) =>
        {
            // An answer that is an error is logged too, and is for the page to handle.
            if (message.Type is "error" && !message.Text.StartsWith("Failed to load resource", StringComparison.Ordinal))
                _errors.Add(message.Text);
        };
        return page;
    }

    public async ValueTask DisposeAsync()
    {
        if (!Page.IsClosed)
            await Page.ScreenshotAsync(new() { Path = TestLogs.NewFile("page.jpg"), Type = ScreenshotType.Jpeg, Quality = 50 });
        await _context.CloseAsync();
        Assert.Empty(_errors);
    }
}
