using System.Globalization;
using System.Text.Json.Nodes;
using MetaOpt.Api.Problems;
using MetaOpt.Storage;

namespace MetaOpt.Api.Users;

/// <summary>The audit trail, for administrators.</summary>
static class AuditApi
{
    const int DefaultPage = 50, LargestPage = 200;

    public static void MapAudit(this RouteGroupBuilder v1) => v1.MapGet("/audit", ListAsync)
        .RequireAuthorization(Scopes.Admin).WithTags("Users")
        .WithSummary(
            "Every change, newest first. Query: actor, action, subject, from and to (times; to is exclusive), limit, cursor.");

    static async Task<IResult> ListAsync(HttpRequest request, AuditLog audit, CancellationToken cancel)
    {
        request.AllowQuery("actor", "action", "subject", "from", "to", "limit", "cursor");
        var limit = (int)(request.QueryNumber("limit", 1, LargestPage) ?? DefaultPage);
        var page = await audit.ListAsync(request.QueryText("actor"), request.QueryText("action"), request.QueryText("subject"),
            request.QueryTime("from"), request.QueryTime("to"), request.QueryNumber("cursor", 1, long.MaxValue), limit + 1,
            cancel);
        return Results.Json(new JsonObject
        {
            ["items"] = new JsonArray([.. page.Take(limit).Select(entry => new JsonObject
            {
                ["id"] = entry.Id,
                ["at"] = entry.At,
                ["actor"] = entry.Actor,
                ["action"] = entry.Action,
                ["subject"] = entry.Subject,
                ["detail"] = JsonNode.Parse(entry.Detail.GetRawText()),
            })]),
            ["nextCursor"] = page.Count > limit ? page[limit - 1].Id.ToString(CultureInfo.InvariantCulture) : null,
        });
    }
}
