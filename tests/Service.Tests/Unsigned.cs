using MetaOpt.Runs;
using MetaOpt.Storage;

namespace MetaOpt.Service.Tests;

/// <summary>Changes in the name of the tests, where nobody asks whose they were.</summary>
static class Unsigned
{
    public static readonly AuditEvent AuditEvent = new("tests", "test");

    public static Task<Guid> SubmitAsync(this RunQueue queue, NewRun run, CancellationToken cancel) =>
        queue.SubmitAsync(run, AuditEvent, cancel);

    public static Task<IReadOnlyList<Guid>> SubmitAsync(
        this RunQueue queue, IReadOnlyList<NewRun> runs, CancellationToken cancel) =>
        queue.SubmitAsync(runs, AuditEvent, cancel);

    public static Task<RunState?> RequestCancelAsync(this RunQueue queue, Guid run, CancellationToken cancel) =>
        queue.RequestCancelAsync(run, AuditEvent, cancel);

    public static Task<bool> RetryAsync(this RunQueue queue, Guid run, CancellationToken cancel) =>
        queue.RetryAsync(run, AuditEvent, cancel);

    public static Task<bool> PauseAsync(this RunQueue queue, Guid run, CancellationToken cancel) =>
        queue.PauseAsync(run, AuditEvent, cancel);

    public static Task<bool> ResumeAsync(this RunQueue queue, Guid run, CancellationToken cancel) =>
        queue.ResumeAsync(run, AuditEvent, cancel);

    public static Task<bool> YieldAsync(this RunQueue queue, Guid run, CancellationToken cancel) =>
        queue.YieldAsync(run, AuditEvent, cancel);

    public static Task<bool> DrainAsync(this RunQueue queue, string worker, bool drain, CancellationToken cancel) =>
        queue.DrainAsync(worker, drain, AuditEvent, cancel);

    public static Task<Deletion> DeleteAsync(this RunQueue queue, Guid run, CancellationToken cancel) =>
        queue.DeleteAsync(run, AuditEvent, cancel);

    public static Task<User> CreateUserAsync(this UserStore users, string name, UserRole role, CancellationToken cancel) =>
        users.CreateUserAsync(name, role, 1, AuditEvent, cancel);

    public static Task<User?> ChangeUserAsync(this UserStore users, string name, UserChange change, CancellationToken cancel) =>
        users.ChangeUserAsync(name, change, AuditEvent, cancel);

    public static Task<NewToken> CreateTokenAsync(
        this UserStore users, Guid user, string name, IReadOnlyList<string> scopes, TimeSpan? lifetime,
        CancellationToken cancel) =>
        users.CreateTokenAsync(user, name, scopes, lifetime, AuditEvent, cancel);

    public static Task<bool> RevokeTokenAsync(this UserStore users, Guid user, string token, CancellationToken cancel) =>
        users.RevokeTokenAsync(user, token, AuditEvent, cancel);

    public static Task<NewToken> CreateSessionAsync(this UserStore users, Caller caller, TimeSpan lifetime,
        CancellationToken cancel) =>
        users.CreateSessionAsync(caller, lifetime, AuditEvent, cancel);

    public static Task SetAsync(this QuotaStore quotas, Quota quota, CancellationToken cancel) =>
        quotas.SetAsync(quota, AuditEvent, cancel);

    public static Task<Model?> PromoteAsync(
        this ModelStore models, string name, Guid checkpoint, string notes, string by, CancellationToken cancel) =>
        models.PromoteAsync(name, checkpoint, notes, AuditEvent with { Actor = by }, cancel);

    public static Task<bool> DemoteAsync(this ModelStore models, string name, int version, CancellationToken cancel) =>
        models.DemoteAsync(name, version, AuditEvent, cancel);
}
