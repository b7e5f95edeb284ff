using System.Text.Json.Nodes;
using MetaOpt.Api.Problems;
using MetaOpt.Runs;
using MetaOpt.Storage;
using Microsoft.EntityFrameworkCore;

namespace MetaOpt.Api.Catalogue;

/// <summary>Everything that a specification may say.</summary>
static class CatalogueApi
{
    public static void MapCatalogue(this RouteGroupBuilder v1) => v1.MapGet("/catalogue", DescribeAsync)
        .WithTags("Catalogue").WithSummary("Every kind of run, task and optimizer with all options, defaults and bounds.");

    static async Task<IResult> DescribeAsync(HttpRequest request, RunKinds kinds, Documentation documentation, MetaOptDb db,
        CancellationToken cancel)
    {
        request.AllowQuery();
        var document = SpecReader.Describe(kinds, documentation.SummaryOf);
        document["networks"] = await NetworksAsync(db, cancel);
        return Results.Json(document);
    }

    /// <summary>The networks for the task torchscript that live workers have, each as one of them describes it.</summary>
    static async Task<JsonArray> NetworksAsync(MetaOptDb db, CancellationToken cancel)
    {
        var workers = await db.LiveWorkers.ToListAsync(cancel);
        // What an older or newer worker says of itself in another form is left out.
        var networks =
            from worker in workers
            from network in (JsonNode.Parse(worker.Facts.GetRawText()) as JsonObject)?["networks"] as JsonArray ?? []
            let name = network is JsonObject facts && facts["name"] is JsonValue text && text.TryGetValue(out string? known)
                ? known
                : null
            where name is not null
            select (Name: name, Document: network!.DeepClone());
        return [.. networks.DistinctBy(n => n.Name).OrderBy(n => n.Name, StringComparer.Ordinal).Select(n => n.Document)];
    }
}
