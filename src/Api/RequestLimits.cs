using System.Security.Claims;
using System.Threading.RateLimiting;

namespace MetaOpt.Api;

/// <summary>How many requests a user may send, with whatever tokens. Generous: it stops a loop gone wild, not a person.</summary>
static class RequestLimits
{
    public static void AddRequestLimits(this IServiceCollection services, int perSecond) => services.AddRateLimiter(limiter =>
    {
        limiter.RejectionStatusCode = StatusCodes.Status429TooManyRequests;
        limiter.GlobalLimiter = PartitionedRateLimiter.Create<HttpContext, string>(context =>
            RateLimitPartition.GetTokenBucketLimiter(Sender(context), _ => new TokenBucketRateLimiterOptions
            {
                TokenLimit = 5 * perSecond,
                TokensPerPeriod = perSecond,
                ReplenishmentPeriod = TimeSpan.FromSeconds(1),
                QueueLimit = 0,
            }));
        limiter.OnRejected = (rejected, _) =>
        {
            rejected.HttpContext.Response.Headers.RetryAfter = "1";
            return ValueTask.CompletedTask;
        };
    });

    /// <summary>The user; those without a token share what their machine gets.</summary>
    static string Sender(HttpContext context) =>
        context.User.FindFirstValue(ClaimTypes.NameIdentifier) ?? context.Connection.RemoteIpAddress?.ToString() ?? "";
}
