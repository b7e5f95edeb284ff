using System.Text.Json.Nodes;
using MetaOpt.Api.Problems;
using MetaOpt.Storage;
using Microsoft.EntityFrameworkCore;

namespace MetaOpt.Api.Catalogue;

/// <summary>Everything that a specification may say.</summary>
static class CatalogueApi
{
    public static void MapCatalogue(this RouteGroupBuilder v1) => v1.MapGet("/catalogue", DescribeAsync)
        .WithTags("Catalogue").WithSummary("Every kind of run, task and optimizer with all options, defaults and bounds.");

    static async Task<IResult> DescribeAsync(HttpRequest request, Documentation documentation, MetaOptDb db, CancellationToken cancel)
    {
        request.AllowQuery();
        var document = SpecReader.Describe(documentation.SummaryOf);
        document["networks"] = await NetworksAsync(db, cancel);
        return Results.Json(document);
    }

    /// <summary>The networks for the task torchscript that live workers have, each as one of them describes it.</summary>
    static async Task<JsonArray> NetworksAsync(MetaOptDb db, CancellationToken cancel)
    {
        var workers = await db.LiveWorkers.ToListAsync(cancel);
        var networks = workers
            .SelectMany(w => w.Facts.TryGetProperty("networks", out var list) ? list.EnumerateArray() : [])
            .Select(network => (JsonObject)JsonNode.Parse(network.GetRawText())!);
        return [.. networks.DistinctBy(network => (string)network["name"]!).OrderBy(network => (string)network["name"]!, StringComparer.Ordinal)];
    }
}
