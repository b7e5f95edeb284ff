using System.Text.Json;
using MetaOpt.Api.Auth;
using MetaOpt.Api.Models;
using MetaOpt.Api.Problems;
using MetaOpt.Runs;
using MetaOpt.Storage;
using Microsoft.EntityFrameworkCore;

namespace MetaOpt.Api.Runs;

/// <summary>
/// The one way into the queue: a submission is checked against everything it names, stored and noted in the audit trail.
/// </summary>
sealed record SubmissionService(ApiSettings Limits, RunKinds Kinds, RunQueue Queue, CheckpointStore Checkpoints,
    ModelStore Models, MetaOptDb Db)
{
    /// <summary>
    /// The body as a submission, or as a record that has one at <paramref name="at"/>. An error names everything that is wrong,
    /// in the specification too where the fields around it are wrong. Fields of it that <paramref name="varied"/> names are set
    /// later.
    /// </summary>
    public async Task<T> ReadAsync<T>(HttpContext context, string at, Func<JsonElement, IEnumerable<string>>? varied,
        CancellationToken cancel) where T : class
    {
        using var document = await context.Request.ReadJsonAsync();
        var body = document.RootElement;
        try
        {
            return SpecReader.Read<T>(body);
        }
        catch (SpecException around)
        {
            var run = at == "" ? body : Member(body, at[1..]);
            if (Member(run, "kind")?.ValueKind != JsonValueKind.String || Member(run, "spec") is not { } spec) throw;
            if (Member(run, "kind")!.Value.GetString() is not { } kind) throw;
            var later = varied?.Invoke(body).ToList() ?? [];
            var (_, errors) = await ReadSpecAsync(kind, spec, cancel);
            throw ProblemException.Invalid(
                new SpecException([.. around.Errors,
                    .. errors.Where(e => !IsLater(e)).Select(e => e with { Pointer = at + e.Pointer })]));

            bool IsLater(SpecError error) =>
                later.Any(field => $"/spec{field}/".StartsWith(error.Pointer + "/", StringComparison.Ordinal));
        }

        static JsonElement? Member(JsonElement? parent, string name) =>
            parent is { ValueKind: JsonValueKind.Object } known && known.TryGetProperty(name, out var member) ? member : null;
    }

    /// <summary>
    /// The specification, or everything that is wrong with it and its kind; pointers begin with /spec or /kind.
    /// </summary>
    async Task<(RunSpec? Spec, IReadOnlyList<SpecError> Errors)> ReadSpecAsync(string kind, JsonElement spec,
        CancellationToken cancel)
    {
        if (Kinds.Find(kind) is not { } entry)
            return (null, [new("/kind", $"must be {string.Join(" or ", Kinds.Names)}, got \"{kind}\".")]);
        try
        {
            return (Kinds.Read(kind, await ModelNames.ResolveAsync(entry, spec, Models, cancel)), []);
        }
        catch (SpecException error)
        {
            return (null, [.. error.Errors.Select(e => e with { Pointer = "/spec" + e.Pointer })]);
        }
        catch (ProblemException unknownModel) when (unknownModel.Errors.Count > 0)
        {
            return (null, unknownModel.Errors);
        }
    }

    /// <summary>The validated specification, within the limits and the caller's rights, and what it names is there.</summary>
    public async Task<(RunSpec Spec, CostPrediction Cost)> ResolveAsync(HttpContext context, Submission submission,
        CancellationToken cancel)
    {
        var errors = new List<SpecError>();
        if (PriorityError(context, submission.Priority) is { } refused) errors.Add(refused);
        for (var i = 0; i < submission.After.Count; i++)
            if (submission.After[i] is var id && !await Db.Runs.AnyAsync(r => r.Id == id, cancel))
                errors.Add(new($"/after/{i}", $"there is no run {id}."));
        var (spec, wrong) = await ReadSpecAsync(submission.Kind, submission.Spec, cancel);
        if (spec is null) throw ProblemException.Invalid(new SpecException([.. errors, .. wrong]));
        var cost = spec.PredictCost();
        foreach (var input in spec.FindInputs())
            if (await MissingAsync(input, cancel) is { } missing) errors.Add(new("/spec" + input.Pointer, missing));
        if (cost.Bytes > Limits.MaxRunBytes)
            errors.AddRange(
                cost.Reducible.Select(p =>
                    new SpecError("/spec" + p,
                        $"the run would need about {cost.Bytes >> 20} MiB, allowed are {Limits.MaxRunBytes >> 20} MiB; lower "
                        + "this.")));
        if (cost.Seconds > Limits.MaxRunSeconds)
            errors.AddRange(
                cost.Reducible.Select(p => new SpecError("/spec" + p,
                    $"the run would take about {cost.Seconds:F0} s, allowed are {Limits.MaxRunSeconds:F0} s; lower this.")));
        return errors.Count == 0 ? (spec, cost) : throw ProblemException.Invalid(new SpecException(errors));
    }

    /// <summary>Why an input cannot be read; null when it can.</summary>
    async Task<string?> MissingAsync(InputRef input, CancellationToken cancel)
    {
        var id = input.Id;
        if (input.Source == InputSource.Checkpoint)
            return await Checkpoints.FindAsync(id, cancel) is null ? $"there is no checkpoint {id}." : null;
        if (await Db.Runs.Where(r => r.Id == id).Select(r => r.Kind).FirstOrDefaultAsync(cancel) is not { } kind)
            return $"there is no run {id}.";
        List<string> makers = [.. Kinds.MakersOf(input.Artifact).Select(k => k.Name)];
        return makers.Contains(kind) ? null
            : $"run {id} is of kind {kind}, which makes no {input.Artifact}; name a run of kind {string.Join(" or ", makers)}.";
    }

    /// <summary>Checks and queues one submission of the caller's; its id.</summary>
    public async Task<Guid> QueueAsync(HttpContext context, Submission submission, Guid? forkedFrom, CancellationToken cancel)
    {
        var (spec, _) = await ResolveAsync(context, submission, cancel);
        var run = RunOf(submission, spec, context.CallerName()) with
        {
            IdempotencyKey = IdempotencyKey(context.Request),
            ForkedFrom = forkedFrom
        };
        var audit = forkedFrom is null
            ? context.AuditEvent("run.submit")
            : context.AuditEvent("run.fork", detail: new() { ["from"] = forkedFrom.ToString() });
        return (await StoreAsync([run], audit, cancel))[0];
    }

    /// <summary>A checked submission as the queue takes it.</summary>
    public static NewRun RunOf(Submission submission, RunSpec spec, string owner) =>
        new(submission.Kind, submission.Name ?? submission.Kind, owner, SpecReader.Write(spec))
        {
            Tags = submission.Tags,
            Notes = submission.Notes,
            RequiredDataset = spec.RequiredData,
            Pool = submission.Pool,
            Priority = submission.Priority,
            TimeLimit = submission.TimeLimitSeconds is { } seconds ? TimeSpan.FromSeconds(seconds) : null,
            After = [.. submission.After, .. spec.FindInputs().Where(i => i.Source == InputSource.Run).Select(i => i.Id)],
            Inputs = [.. spec.FindInputs().Where(i => i.Source == InputSource.Checkpoint).Select(i => i.Id)],
        };

    /// <summary>All or none.</summary>
    public async Task<IReadOnlyList<Guid>> StoreAsync(IReadOnlyList<NewRun> runs, AuditEvent audit, CancellationToken cancel)
    {
        try
        {
            return await Queue.SubmitAsync(runs, audit, cancel);
        }
        catch (IdempotencyConflictException conflict)
        {
            throw new ProblemException(422, "idempotency-conflict", conflict.Message);
        }
        catch (QuotaExceededException full)
        {
            throw new ProblemException(403, "quota-exceeded", full.Message);
        }
        catch (MissingInputException missing)
        {
            throw new ProblemException(409, "input-deleted", missing.Message);
        }
    }

    /// <summary>Priority beats everybody's share, so one's own runs may be made less urgent than others' only.</summary>
    public static void RequirePriority(HttpContext context, int? priority)
    {
        if (PriorityError(context, priority) is { } error) throw ProblemException.Invalid(new SpecException([error]));
    }

    static SpecError? PriorityError(HttpContext context, int? priority) => priority > 0 && !context.IsAdmin()
        ? new("/priority", $"may be above 0 for administrators only, got {priority}; give less urgent runs one below 0.")
        : null;

    public static string? IdempotencyKey(HttpRequest request)
    {
        if (!request.Headers.TryGetValue("Idempotency-Key", out var values)) return null;
        var key = values.ToString();
        return key.Length is > 0 and <= 200 && key.All(c => c is > ' ' and <= '~')
            ? key
            : throw new ProblemException(400, "bad-idempotency-key",
                "Idempotency-Key must be 1 to 200 visible ASCII characters.");
    }
}
