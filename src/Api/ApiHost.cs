using MetaOpt.Api.Account;
using MetaOpt.Api.Auth;
using MetaOpt.Api.Background;
using MetaOpt.Api.Catalogue;
using MetaOpt.Api.Checkpoints;
using MetaOpt.Api.Compare;
using MetaOpt.Api.Health;
using MetaOpt.Api.Metrics;
using MetaOpt.Api.Models;
using MetaOpt.Api.Notifications;
using MetaOpt.Api.Problems;
using MetaOpt.Api.Queue;
using MetaOpt.Api.Runs;
using MetaOpt.Api.Schedules;
using MetaOpt.Api.Users;
using MetaOpt.Runs;
using MetaOpt.Storage;
using MetaOpt.Storage.Embedded;
using Microsoft.AspNetCore.HttpOverrides;
using Microsoft.AspNetCore.ResponseCompression;
using Npgsql;

namespace MetaOpt.Api;

/// <summary>Puts the service together.</summary>
public static partial class ApiHost
{
    /// <summary>Builds the service, with its database started, migrated and given a first user.</summary>
    /// <param name="args">The command line.</param>
    /// <param name="kinds">The kinds of runs that it takes; by default those of the catalogue.</param>
    public static async Task<WebApplication> BuildAsync(string[] args, RunKinds? kinds = null)
    {
        var builder = WebApplication.CreateBuilder(new WebApplicationOptions
        {
            // Settings are read once. Watching them for changes would take one of the user's few inotify instances, and a watch
            // for every folder below the content root, which by default is wherever the program was started.
            Args = [.. args, "--hostBuilder:reloadConfigOnChange=false"],
            ContentRootPath = AppContext.BaseDirectory,
            WebRootPath = Pages.Folder,
        });
        var settings = ApiSettings.Read(builder.Configuration);
        var database = settings.Database
            ?? await EmbeddedPostgres.EnsureStartedAsync(EmbeddedOptions.FromEnvironment() with { DataFolder = settings.Home },
                default);

        builder.Logging.ClearProviders();
        if (settings.JsonLog)
            builder.Logging.AddJsonConsole(
                o => (o.IncludeScopes, o.UseUtcTimestamp, o.TimestampFormat) = (true, true, "yyyy-MM-ddTHH:mm:ss.fffZ"));
        else builder.Logging.AddSimpleConsole(o => (o.SingleLine, o.TimestampFormat) = (true, "yyyy-MM-ddTHH:mm:ssZ "));
        builder.Logging.AddFilter("Microsoft.AspNetCore", LogLevel.Warning)
            .AddFilter("Microsoft.AspNetCore.DataProtection", LogLevel.Error)
            .AddFilter("MetaOpt.Api.Auth", LogLevel.Warning)
            .AddFilter("Hangfire", LogLevel.Warning)
            // What goes wrong in the database and is a fault is logged with its request.
            .AddFilter("Microsoft.EntityFrameworkCore", LogLevel.Critical);
        builder.WebHost.ConfigureKestrel(
            k => (k.AddServerHeader, k.Limits.MaxRequestBodySize) = (false, ApiSettings.MaxBodyBytes));
        builder.Services.AddSingleton(settings).AddSingleton(kinds ?? Catalog.RunKinds).AddMetaOptStorage(database)
            .AddSingleton(_ => new DatabasePulse(database));
        builder.Services.AddSingleton<RunChanges>().AddHostedService(p => p.GetRequiredService<RunChanges>());
        builder.Services.AddHostedService<LeaseExpiry>();
        builder.Services.AddBackgroundJobs();
        builder.Services.AddSingleton(settings.Notifications).AddSingleton<WebhookSender>().AddSingleton<MailSender>();
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
        if (settings.Migrates) await PrepareDatabaseAsync(app.Services, settings);
        ParentProcess.OnEnd(app.Lifetime.StopApplication);
        Configure(app);
        return app;
    }

    static void Configure(WebApplication app)
    {
        app.Services.GetRequiredService<RequestTimes>(); // listens from the first request on
        if (app.Services.GetRequiredService<ApiSettings>().Proxies is { Count: > 0 } proxies)
            app.UseForwardedHeaders(Forwarded(proxies));
        app.UseRequestIds();
        app.UseResponseCompression();
        app.UseProblems();
        app.UseSecurityHeaders();
        app.UseStatusCodePages(ProblemWriter.WriteStatusAsync);
        app.UsePages();
        app.UseDatabaseGate();
        app.UseRouting();
        app.UseAuthentication();
        app.UseAuthorization();
        app.UseRateLimiter();
        app.UseBackgroundDashboard();
        app.UseOpenApiDocument();
        app.MapHealth();
        app.MapMetrics();
        var v1 = app.MapGroup("/api/v1").RequireAuthorization(Scopes.RunsRead);
        v1.MapRuns();
        v1.MapRunLife();
        v1.MapBatch();
        v1.MapLogs();
        v1.MapSeries();
        v1.MapRunStream();
        v1.MapCompare();
        v1.MapNearestPreset();
        v1.MapLeaderboard();
        v1.MapTrajectory();
        v1.MapCheckpoints();
        v1.MapModels();
        v1.MapCatalogue();
        v1.MapPresets();
        v1.MapSchedules();
        v1.MapSubscriptions();
        v1.MapQueue();
        v1.MapAccount();
        v1.MapBrowserSession();
        v1.MapUsers();
        v1.MapAudit();
    }

    /// <summary>The caller's address and scheme as the proxy in front saw them; from others the headers mean nothing.</summary>
    static ForwardedHeadersOptions Forwarded(IReadOnlyList<System.Net.IPNetwork> proxies)
    {
        var options =
            new ForwardedHeadersOptions
            {
                ForwardedHeaders = ForwardedHeaders.XForwardedFor | ForwardedHeaders.XForwardedProto
                | ForwardedHeaders.XForwardedHost
            };
        options.KnownProxies.Clear();
        options.KnownIPNetworks.Clear();
        foreach (var network in proxies) options.KnownIPNetworks.Add(network);
        return options;
    }

    /// <summary>
    /// <c>metaopt-api migrate</c>: the schema, the rights of the other processes' roles and the first user; then it is done.
    /// </summary>
    public static async Task MigrateAsync(string[] args)
    {
        var configuration = new ConfigurationBuilder().AddEnvironmentVariables().AddCommandLine(args).Build();
        var settings = ApiSettings.Read(configuration);
        var database = settings.Database
            ?? throw new InvalidOperationException(
                "METAOPT_DATABASE_URL must name the database to migrate, with its owner's account.");
        await using var services = new ServiceCollection().AddMetaOptStorage(database).BuildServiceProvider();
        await PrepareDatabaseAsync(services, settings);
        await Migrations.GrantAsync(services.GetRequiredService<NpgsqlDataSource>(), configuration["METAOPT_API_ROLE"],
            configuration["METAOPT_WORKER_ROLE"], default);
        Console.WriteLine("The database has this program's schema.");
    }

    static async Task PrepareDatabaseAsync(IServiceProvider services, ApiSettings settings)
    {
        await BackgroundSchema.ApplyAsync(services.GetRequiredService<NpgsqlDataSource>(), default);
        var file = Path.Combine(settings.Home, "admin-token");
        // Kept before the user exists for others: a crash in between leaves a file too many, and never a user whom nobody can be.
        if (await services.GetRequiredService<UserStore>().BootstrapAdminAsync(token => Keep(file, token), default) is { } token)
            // Printed once, on the console and not in the log: a log is kept and shared.
            Console.WriteLine(
                $"First start: the administrator's token is {token.Text}\nIt is kept in {file} and not shown again.");
    }

    static void Keep(string file, NewToken token)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        AtomicFile.Write(file, token.Text + "\n", AtomicFile.Private);
    }
}
