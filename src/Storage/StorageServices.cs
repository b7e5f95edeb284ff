using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace MetaOpt.Storage;

/// <summary>Registers storage with a host.</summary>
public static class StorageServices
{
    /// <summary>
    /// Adds the data source, a pooled <see cref="MetaOptDb"/> (scoped, and its factory), <see cref="RunQueue"/>,
    /// <see cref="SeriesStore"/>, <see cref="CheckpointStore"/>, <see cref="UserStore"/>, <see cref="QuotaStore"/>,
    /// <see cref="ModelStore"/>, <see cref="RunLogStore"/>, <see cref="Retention"/>, <see cref="AuditLog"/>,
    /// <see cref="ScheduleStore"/> and <see cref="SubscriptionStore"/>. Nothing
    /// connects yet.
    /// </summary>
    public static IServiceCollection AddMetaOptStorage(this IServiceCollection services, string connectionString)
    {
        services.AddSingleton(_ => NpgsqlDataSource.Create(connectionString));
        services.AddPooledDbContextFactory<MetaOptDb>(
            (provider, options) => Configure(options, provider.GetRequiredService<NpgsqlDataSource>()));
        services.AddScoped(provider => provider.GetRequiredService<IDbContextFactory<MetaOptDb>>().CreateDbContext());
        return services
            .AddSingleton<RunQueue>().AddSingleton<SeriesStore>().AddSingleton<CheckpointStore>()
            .AddSingleton<UserStore>().AddSingleton<QuotaStore>()
            .AddSingleton<ModelStore>().AddSingleton<RunLogStore>().AddSingleton<Retention>().AddSingleton<AuditLog>()
            .AddSingleton<ScheduleStore>().AddSingleton<SubscriptionStore>();
    }

    internal static void Configure(DbContextOptionsBuilder options, NpgsqlDataSource dataSource) => options
        .UseNpgsql(dataSource)
        // A statement per request at Information would drown everything else.
        .ConfigureWarnings(w => w.Log((RelationalEventId.CommandExecuted, Microsoft.Extensions.Logging.LogLevel.Debug)));
}
