using System.Text.Json.Nodes;
using MetaOpt.Api.Problems;
using MetaOpt.Presets;
using MetaOpt.Runs;

namespace MetaOpt.Api.Catalogue;

/// <summary>The figures and tables that can be reproduced, with specifications to start from.</summary>
static class PresetsApi
{
    static readonly string[] s_sizes = ["quick", "full"];

    public static void MapPresets(this RouteGroupBuilder v1)
    {
        var presets = v1.MapGroup("/presets").WithTags("Catalogue");
        presets.MapGet("", List).WithSummary("Every preset: what it shows, and how many minutes it takes on two cores.");
        presets.MapGet("/{name}", Read)
            .WithSummary(
                "One preset: specifications of all its runs, what must come out, published numbers. Query: size (quick, full).");
    }

    static IResult List(HttpRequest request)
    {
        request.AllowQuery();
        return Results.Json(new JsonObject
        {
            ["items"] = new JsonArray([.. Catalog.Presets.Select(p => new JsonObject
            {
                ["name"] = p.Name,
                ["title"] = p.Title,
                ["source"] = p.Source,
                ["minutes"] = new JsonObject
                {
                    ["quick"] = p.Plan(PresetSize.Quick).Minutes,
                    ["full"] = p.Plan(PresetSize.Full).Minutes
                },
            })]),
        });
    }

    static IResult Read(string name, HttpRequest request, RunKinds kinds)
    {
        request.AllowQuery("size");
        var size = request.QueryChoice("size", s_sizes) == "full" ? PresetSize.Full : PresetSize.Quick;
        var preset = Catalog.Presets.FirstOrDefault(p => p.Name == name) ?? throw ProblemException.NotFound("such preset");
        return Results.Json(preset.Describe(size, kinds));
    }
}
