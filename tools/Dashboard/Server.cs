using MetaOpt.Api;
using MetaOpt.Storage.Embedded;
using Microsoft.AspNetCore.Builder;
using Microsoft.Playwright;

namespace MetaOpt.Dashboard;

/// <summary>
/// A server with a database of its own in a temporary folder, and a browser that is signed in to it. All of it is gone at the
/// end.
/// </summary>
sealed class Server : IAsyncDisposable
{
    readonly string _home = Directory.CreateDirectory(
        Path.Combine(Path.GetTempPath(), $"metaopt-dashboard-{Environment.ProcessId}"), (UnixFileMode)0b111_101_101).FullName;
    IPlaywright? _playwright;

    public WebApplication App { get; private set; } = null!;
    public IBrowser Browser { get; private set; } = null!;
    public string Address => App.Urls.First();
    public string Token { get; private set; } = "";
    public string DatabaseUrl { get; private set; } = "";

    public static async Task<Server> StartAsync()
    {
        var server = new Server();
        server.DatabaseUrl = await EmbeddedPostgres.EnsureStartedAsync(server.Embedded, default);
        server.App =
            await ApiHost.BuildAsync(["--urls=http://127.0.0.1:0", $"--METAOPT_DATABASE_URL={server.DatabaseUrl}",
                $"--METAOPT_HOME={server._home}"]);
        await server.App.StartAsync();
        server.Token = (await File.ReadAllTextAsync(Path.Combine(server._home, "admin-token"))).Trim();
        server._playwright = await Playwright.CreateAsync();
        server.Browser = await server._playwright.Chromium.LaunchAsync(new()
        {
            ExecutablePath =
                new[] { "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome" }.FirstOrDefault(File.Exists)
                ?? throw new ArgumentException("There is no Chromium: apt-get install chromium."),
            // Chromium's own sandbox refuses to work for root.
            Args = Environment.UserName == "root" ? ["--no-sandbox"] : [],
        });
        return server;
    }

    EmbeddedOptions Embedded => EmbeddedOptions.FromEnvironment() with { DataFolder = _home };

    /// <summary>A page that is signed in.</summary>
    public async Task<IPage> SignInAsync()
    {
        var context =
            await Browser.NewContextAsync(new() { BaseURL = Address, ViewportSize = new() { Width = 1280, Height = 860 } });
        var answer = await context.APIRequest.PostAsync("/api/v1/session", new()
        {
            DataObject = new { token = Token },
            Headers = [new("X-MetaOpt", "1")],
        });
        if (!answer.Ok) throw new InvalidOperationException($"Signing in was refused: {await answer.TextAsync()}");
        return await context.NewPageAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (Browser is not null) await Browser.DisposeAsync();
        _playwright?.Dispose();
        await App.StopAsync();
        await App.DisposeAsync();
        await EmbeddedPostgres.StopAsync(Embedded, default);
        Directory.Delete(_home, recursive: true);
    }
}
