using MetaOpt.Api.Problems;

namespace MetaOpt.Api.Catalogue;

/// <summary>Everything that a specification may say.</summary>
static class CatalogueApi
{
    public static void MapCatalogue(this RouteGroupBuilder v1) => v1.MapGet("/catalogue", (HttpRequest request, Documentation documentation) =>
    {
        request.AllowQuery();
        return Results.Json(SpecReader.Describe(documentation.SummaryOf));
    }).WithTags("Catalogue").WithSummary("Every kind of run, task and optimizer with all options, defaults and bounds.");
}
