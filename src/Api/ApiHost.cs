using MetaOpt.Api.Account;
using MetaOpt.Api.Auth;
using MetaOpt.Api.Catalogue;
using MetaOpt.Api.Checkpoints;
using MetaOpt.Api.Compare;
using MetaOpt.Api.Health;
using MetaOpt.Api.Metrics;
using MetaOpt.Api.Problems;
using MetaOpt.Api.Queue;
using MetaOpt.Api.Runs;
using MetaOpt.Api.Users;
using MetaOpt.Storage;
using MetaOpt.Storage.Embedded;
using Microsoft.AspNetCore.ResponseCompression;
using Npgsql;

namespace MetaOpt.Api;

/// <summary>Puts the service together.</summary>
public static partial class ApiHost
{
    /// <summary>The service, with its database started, migrated and given a first user.</summary>
    public static async Task<WebApplication> BuildAsync(string[] args)
    {
        var builder = WebApplication.CreateBuilder(new WebApplicationOptions { Args = args, WebRootPath = Pages.Folder });
        var settings = ApiSettings.Read(builder.Configuration);
        var database = settings.DatabaseUrl
            ?? await EmbeddedPostgres.EnsureStartedAsync(EmbeddedOptions.FromEnvironment() with { DataFolder = settings.Home }, default);

        builder.Logging.ClearProviders();
        if (settings.JsonLog) builder.Logging.AddJsonConsole(o => (o.IncludeScopes, o.UseUtcTimestamp, o.TimestampFormat) = (true, true, "yyyy-MM-ddTHH:mm:ss.fffZ"));
        else builder.Logging.AddSimpleConsole(o => (o.SingleLine, o.TimestampFormat) = (true, "yyyy-MM-ddTHH:mm:ssZ "));
        builder.Logging.AddFilter("Microsoft.AspNetCore", LogLevel.Warning).AddFilter("Microsoft.AspNetCore.DataProtection", LogLevel.Error)
            .AddFilter("Microsoft.EntityFrameworkCore", LogLevel.Error);
        builder.WebHost.ConfigureKestrel(k => (k.AddServerHeader, k.Limits.MaxRequestBodySize) = (false, ApiSettings.MaxBodyBytes));
        builder.Services.AddSingleton(settings).AddMetaOptStorage(database);
        builder.Services.AddSingleton<RunChanges>().AddHostedService(p => p.GetRequiredService<RunChanges>());
        builder.Services.AddHostedService<Reaper>();
        builder.Services.AddSingleton<Documentation>();
        builder.Services.AddTokens();
        builder.Services.AddRequestLimits(settings.MaxRequestsPerSecond);
        builder.Services.AddSingleton<RequestTimes>();
        builder.Services.AddResponseCompression(o =>
        {
            // No secret is ever echoed beside what a caller chose, so compressing under TLS gives nothing away.
            o.EnableForHttps = true;
            o.MimeTypes = [.. ResponseCompressionDefaults.MimeTypes, "text/csv", "application/problem+json"];
        });
        builder.Services.AddOpenApiDocument();

        var app = builder.Build();
        await PrepareDatabaseAsync(app, settings);
        ParentProcess.OnEnd(app.Lifetime.StopApplication);
        Configure(app);
        return app;
    }

    static void Configure(WebApplication app)
    {
        app.Services.GetRequiredService<RequestTimes>(); // listens from the first request on
        app.UseRequestIds();
        app.UseResponseCompression();
        app.UseProblems();
        app.UseSecurityHeaders();
        app.UseStatusCodePages(ProblemWriter.WriteStatusAsync);
        app.UsePages();
        app.UseRouting();
        app.UseAuthentication();
        app.UseAuthorization();
        app.UseRateLimiter();
        app.UseOpenApiDocument();
        app.MapHealth();
        app.MapMetrics();
        var v1 = app.MapGroup("/api/v1").RequireAuthorization(Scopes.RunsRead);
        v1.MapRuns();
        v1.MapRunLife();
        v1.MapSeries();
        v1.MapRunStream();
        v1.MapCompare();
        v1.MapNearestPreset();
        v1.MapLeaderboard();
        v1.MapTrajectory();
        v1.MapCheckpoints();
        v1.MapCatalogue();
        v1.MapPresets();
        v1.MapQueue();
        v1.MapAccount();
        v1.MapBrowserSession();
        v1.MapUsers();
        v1.MapAudit();
    }

    static async Task PrepareDatabaseAsync(WebApplication app, ApiSettings settings)
    {
        await Migrations.ApplyAsync(app.Services.GetRequiredService<NpgsqlDataSource>(), default);
        if (await app.Services.GetRequiredService<UserStore>().BootstrapAdminAsync(default) is not { } token) return;
        Directory.CreateDirectory(settings.Home);
        var file = Path.Combine(settings.Home, "admin-token");
        await using (var stream = new FileStream(file, new FileStreamOptions
        {
            Mode = FileMode.Create,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        }))
        await using (var writer = new StreamWriter(stream))
            await writer.WriteLineAsync(token.Text);
        // Printed once, on the console and not in the log: a log is kept and shared.
        Console.WriteLine($"First start: the administrator's token is {token.Text}\nIt is kept in {file} and not shown again.");
    }
}
