using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using MetaOpt.Api.Auth;
using MetaOpt.Api.Checkpoints;
using MetaOpt.Api.Problems;
using MetaOpt.Storage;
using Microsoft.EntityFrameworkCore;

namespace MetaOpt.Api.Models;

/// <summary>
/// Promoted checkpoints: <c>name@version</c>, kept whatever is swept, and usable in specifications by that name.
/// </summary>
static partial class ModelsApi
{
    /// <summary>The body of <c>POST /checkpoints/{id}/promote</c>.</summary>
    public sealed partial record Promotion : IChecked
    {
        /// <summary>The model's name.</summary>
        [Length(1, 60)]
        public required string Name { get; init; }

        /// <summary>Free text.</summary>
        [Length(0, 2000)]
        public string Notes { get; init; } = "";

        /// <inheritdoc/>
        public IEnumerable<SpecError> Check()
        {
            if (!ModelName().IsMatch(Name))
                yield return new("/name", $"must be lower-case letters, digits and hyphens, got \"{Name}\".");
        }

        [GeneratedRegex("^[a-z0-9-]+$")]
        private static partial Regex ModelName();
    }

    public static void MapModels(this RouteGroupBuilder v1)
    {
        v1.MapPost("/checkpoints/{id:guid}/promote", PromoteAsync).RequireAuthorization(Scopes.RunsWrite).WithTags("Models")
            .WithSummary(
                "Makes a checkpoint the next version of a named model; it is then kept. Once more for the same name: the same "
                + "version.");
        var models = v1.MapGroup("/models").WithTags("Models");
        models.MapGet("", ListAsync).WithSummary("All models, the newest version of each first. Query: name.");
        models.MapGet("/{name}@{version:int}", GetAsync).WithSummary("One version of a model.");
        models.MapMethods("/{name}@{version:int}/content", ["GET", "HEAD"], ContentAsync)
            .WithSummary("Its bytes (safetensors); Range and If-None-Match work.");
        models.MapDelete("/{name}@{version:int}", DemoteAsync).RequireAuthorization(Scopes.RunsWrite)
            .WithSummary("Takes a version back; its checkpoint becomes an ordinary one again.");
    }

    static async Task<IResult> PromoteAsync(Guid id, HttpContext context, MetaOptDb db, ModelStore models,
        CancellationToken cancel)
    {
        context.Request.AllowQuery();
        var run = await (from c in db.Checkpoints join r in db.Runs on c.RunId equals r.Id where c.Id == id select r)
            .AsNoTracking().FirstOrDefaultAsync(cancel)
            ?? throw ProblemException.NotFound($"checkpoint {id}");
        context.RequireOwner(run.Owner);
        var promotion = await context.Request.ReadAsync<Promotion>();
        if (await models.FindAsync(promotion.Name, id, cancel) is { } promoted)
            return Results.Json((await DocumentsAsync(db, [promoted], cancel))[0]);
        var model = await models.PromoteAsync(promotion.Name, id, promotion.Notes,
            context.AuditEvent("model.promote", detail: new() { ["checkpoint"] = id.ToString() }), cancel)
            ?? throw new ProblemException(409, "not-succeeded",
                $"Run {run.Id} has not succeeded; only what a finished run learned is promoted.");
        return Results.Json((await DocumentsAsync(db, [model], cancel))[0], statusCode: 201);
    }

    static async Task<IResult> ListAsync(HttpRequest request, MetaOptDb db, ModelStore models, CancellationToken cancel)
    {
        request.AllowQuery("name");
        var items = await DocumentsAsync(db, await models.ListAsync(request.QueryText("name"), cancel), cancel);
        return Results.Json(new JsonObject { ["items"] = new JsonArray([.. items]) });
    }

    static async Task<IResult> GetAsync(string name, int version, HttpRequest request, MetaOptDb db, ModelStore models,
        CancellationToken cancel)
    {
        request.AllowQuery();
        var found = await DocumentsAsync(db, [await FindAsync(models, name, version, cancel)], cancel);
        return found.Count == 1 ? Results.Json(found[0]) : throw ProblemException.NotFound($"model {name}@{version}");
    }

    static async Task ContentAsync(string name, int version, HttpContext context, ModelStore models, CheckpointStore checkpoints,
        CancellationToken cancel)
    {
        context.Request.AllowQuery();
        await CheckpointsApi.ContentAsync((await FindAsync(models, name, version, cancel)).CheckpointId, context, checkpoints,
            cancel);
    }

    static async Task<IResult> DemoteAsync(string name, int version, HttpContext context, MetaOptDb db, ModelStore models,
        CancellationToken cancel)
    {
        context.Request.AllowQuery();
        var model = await FindAsync(models, name, version, cancel);
        context.RequireOwner(
            await (from c in db.Checkpoints
                   join r in db.Runs on c.RunId equals r.Id
                   where c.Id == model.CheckpointId
                   select r.Owner).FirstAsync(cancel));
        await models.DemoteAsync(name, version, context.AuditEvent("model.demote", NameOf(model)), cancel);
        return Results.NoContent();
    }

    static async Task<Model> FindAsync(ModelStore models, string name, int version, CancellationToken cancel) =>
        (name.Contains('\0') ? null : await models.FindAsync(name, version, cancel))
            ?? throw ProblemException.NotFound($"model {name}@{version}");

    static string NameOf(Model model) => $"{model.Name}@{model.Version}";

    static async Task<List<JsonObject>> DocumentsAsync(MetaOptDb db, IReadOnlyList<Model> models, CancellationToken cancel)
    {
        var ids = models.Select(m => m.CheckpointId).ToList();
        var learned = await db.Checkpoints.Where(c => ids.Contains(c.Id))
            .Join(db.Runs, c => c.RunId, r => r.Id, (c, r) => new { c.Id, c.Step, c.Size, Run = r.Id, r.Name, r.Owner })
            .ToDictionaryAsync(c => c.Id, cancel);
        // Without those that were taken back and deleted meanwhile.
        return [.. models.Where(model => learned.ContainsKey(model.CheckpointId)).Select(model => new JsonObject
        {
            ["id"] = NameOf(model),
            ["name"] = model.Name,
            ["version"] = model.Version,
            ["checkpoint"] = model.CheckpointId.ToString(),
            ["step"] = learned[model.CheckpointId].Step,
            ["size"] = learned[model.CheckpointId].Size,
            ["run"] = new JsonObject
            {
                ["id"] = learned[model.CheckpointId].Run.ToString(),
                ["name"] = learned[model.CheckpointId].Name,
                ["owner"] = learned[model.CheckpointId].Owner,
            },
            ["notes"] = model.Notes,
            ["promotedBy"] = model.PromotedBy,
            ["promotedAt"] = model.PromotedAt,
        })];
    }
}
