using Hangfire;
using Hangfire.AspNetCore;
using Hangfire.PostgreSql;
using Npgsql;

namespace MetaOpt.Api.Background;

/// <summary>
/// Hangfire for the service's own background work. Runs are not its business: they wait in the table <c>runs</c>, whose workers
/// have no rights on Hangfire's schema.
/// </summary>
static class BackgroundServices
{
    /// <summary>Threads that execute jobs: the work is short, and requests come first.</summary>
    const int Workers = 2;

    public static void AddBackgroundJobs(this IServiceCollection services)
    {
        // Of this host's own: Hangfire's defaults are static, and a process may have several hosts.
        services.AddSingleton<JobStorage>(provider => NewStorage(provider.GetRequiredService<NpgsqlDataSource>()));
        services.AddSingleton<JobActivator>(
            provider => new AspNetCoreJobActivator(provider.GetRequiredService<IServiceScopeFactory>()));
        services.AddHangfire((provider, configuration) => configuration
            .SetDataCompatibilityLevel(CompatibilityLevel.Version_180)
            .UseSimpleAssemblyNameTypeSerializer()
            .UseRecommendedSerializerSettings()
            .UseLogProvider(new BackgroundLog(provider.GetRequiredService<ILoggerFactory>())));
        services.AddHangfireServer(options =>
        {
            options.WorkerCount = Workers;
            options.ServerName = $"{Environment.MachineName}:{Environment.ProcessId}";
            // A database that hangs must not hold up the end of the process.
            options.ShutdownTimeout = TimeSpan.FromSeconds(5);
        });
        services.AddHostedService<RecurringJobs>();
    }

    static PostgreSqlStorage NewStorage(NpgsqlDataSource database)
    {
        var options = new PostgreSqlStorageOptions
        {
            SchemaName = BackgroundSchema.Name,
            // The schema is made in the step "migrate", by the owner of the database.
            PrepareSchemaIfNecessary = false,
            EnableTransactionScopeEnlistment = false,
            // A job is taken over a minute after its server died, however long it runs while the server lives.
            UseSlidingInvisibilityTimeout = true,
            InvisibilityTimeout = TimeSpan.FromMinutes(1),
            // Locks are rows: those of a killed server stay, and expire.
            DistributedLockTimeout = TimeSpan.FromMinutes(1),
        };
        return new(new BackgroundConnections(database, options), options);
    }
}
