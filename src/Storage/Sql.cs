namespace MetaOpt.Storage;

/// <summary>The statements under Sql/, each named after its file.</summary>
static class Sql
{
    public static readonly string AddSeries = Read("add-series.sql");
    public static readonly string AppendLog = Read("append-log.sql");
    public static readonly string BeginAttempt = Read("begin-attempt.sql");
    public static readonly string Cancel = Read("cancel.sql");
    public static readonly string ChangedRuns = Read("changed-runs.sql");
    public static readonly string Charge = Read("charge.sql");
    public static readonly string Claim = Read("claim.sql");
    public static readonly string CutOff = Read("cut-off.sql");
    public static readonly string CutSeries = Read("cut-series.sql");
    public static readonly string DeleteRun = Read("delete-run.sql");
    public static readonly string Die = Read("die.sql");
    public static readonly string EditRun = Read("edit-run.sql");
    public static readonly string FindToken = Read("find-token.sql");
    public static readonly string Finish = Read("finish.sql");
    public static readonly string FirstStepAtMost = Read("first-step-at-most.sql");
    public static readonly string HandBack = Read("hand-back.sql");
    public static readonly string ListSeries = Read("list-series.sql");
    public static readonly string MissingInputs = Read("missing-inputs.sql");
    public static readonly string Queue = Read("queue.sql");
    public static readonly string QuotaOfSubmission = Read("quota-of-submission.sql");
    public static readonly string ReadBuckets = Read("read-buckets.sql");
    public static readonly string ReadPoints = Read("read-points.sql");
    public static readonly string ExpireLeases = Read("expire-leases.sql");
    public static readonly string RegisterWorker = Read("register-worker.sql");
    public static readonly string Renew = Read("renew.sql");
    public static readonly string Retry = Read("retry.sql");
    public static readonly string RollUpPoints = Read("roll-up-points.sql");
    public static readonly string RollUpRollups = Read("roll-up-rollups.sql");
    public static readonly string SaveCheckpoint = Read("save-checkpoint.sql");
    public static readonly string SaveResumePoint = Read("save-resume-point.sql");
    public static readonly string SeeWorker = Read("see-worker.sql");
    public static readonly string SeriesExtent = Read("series-extent.sql");
    public static readonly string SeriesOfRun = Read("series-of-run.sql");
    public static readonly string Submit = Read("submit.sql");
    public static readonly string Sweep = Read("sweep.sql");
    public static readonly string Unblock = Read("unblock.sql");
    public static readonly string Usage = Read("usage.sql");

    /// <summary>The text of an embedded statement file.</summary>
    public static string Read(string name)
    {
        using var stream = typeof(Sql).Assembly.GetManifestResourceStream(name)
            ?? throw new InvalidOperationException($"{name} is not among the embedded statements of src/Storage/Sql.");
        return new StreamReader(stream).ReadToEnd();
    }
}
