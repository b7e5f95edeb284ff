using Hangfire;
using Hangfire.Dashboard;
using MetaOpt.Api.Auth;

namespace MetaOpt.Api.Background;

/// <summary>Hangfire's own pages at <c>/hangfire</c>: for administrators, and read-only.</summary>
static class BackgroundDashboard
{
    public const string Path = "/hangfire";

    /// <summary>Posted by the pages every few seconds; it changes nothing.</summary>
    public const string Statistics = Path + "/stats";

    public static void UseBackgroundDashboard(this WebApplication app) => app.UseHangfireDashboard(Path, new DashboardOptions
    {
        Authorization = [new Administrators()],
        IsReadOnlyFunc = _ => true,
        DashboardTitle = "MetaOpt: background jobs",
        DisplayStorageConnectionString = false,
        StatsPollingInterval = 5_000,
    }, app.Services.GetRequiredService<JobStorage>());

    sealed class Administrators : IDashboardAuthorizationFilter
    {
        public bool Authorize(DashboardContext context) => context.GetHttpContext().IsAdmin();
    }
}
