using System.Text;
using MetaOpt.Runs;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using Microsoft.EntityFrameworkCore.Storage.ValueConversion;

namespace MetaOpt.Storage;

/// <summary>
/// The schema, and the ordinary reads and writes on it. The constraints repeat the invariants of docs/run-states.md, so that
/// no statement of ours can break them. Claims, fenced writes and series go through plain SQL: see <see cref="RunQueue"/>.
/// </summary>
public sealed class MetaOptDb(DbContextOptions<MetaOptDb> options) : DbContext(options)
{
    /// <summary>All runs; the table is the queue.</summary>
    public DbSet<Run> Runs => Set<Run>();
    /// <summary>All attempts.</summary>
    public DbSet<Attempt> Attempts => Set<Attempt>();
    /// <summary>Headers of complete checkpoints.</summary>
    public DbSet<Checkpoint> Checkpoints => Set<Checkpoint>();
    /// <summary>Everybody.</summary>
    public DbSet<User> Users => Set<User>();
    /// <summary>Tokens, revoked ones too.</summary>
    public DbSet<Token> Tokens => Set<Token>();
    /// <summary>Every worker ever seen.</summary>
    public DbSet<Worker> Workers => Set<Worker>();
    /// <summary>Workers that were seen lately, see <see cref="RunQueue.WorkerSilence"/>; by the database's clock.</summary>
    public IQueryable<Worker> LiveWorkers =>
        Workers.AsNoTracking().Where(w => w.LastSeenAt > DateTimeOffset.UtcNow - RunQueue.WorkerSilence);

    /// <summary>
    /// The database's time, which every stored time is of. Clocks of servers and workers differ from it, so they are never
    /// compared with what is stored.
    /// </summary>
    public Task<DateTimeOffset> NowAsync(CancellationToken cancel) =>
        Database.SqlQueryRaw<DateTimeOffset>("select clock_timestamp() as \"Value\"").SingleAsync(cancel);

    /// <summary>The audit trail.</summary>
    public DbSet<AuditEntry> Audit => Set<AuditEntry>();

    /// <summary>Limits, of those who have some.</summary>
    public DbSet<Quota> Quotas => Set<Quota>();
    /// <summary>Promoted checkpoints.</summary>
    public DbSet<Model> Models => Set<Model>();
    /// <summary>Submissions that are repeated.</summary>
    public DbSet<Schedule> Schedules => Set<Schedule>();
    /// <summary>Where people are told of events.</summary>
    public DbSet<Subscription> Subscriptions => Set<Subscription>();
    /// <summary>Notifications that they were sent.</summary>
    public DbSet<Delivery> Deliveries => Set<Delivery>();

    /// <inheritdoc/>
    protected override void OnModelCreating(ModelBuilder model)
    {
        model.Entity<Run>(Runs_);
        model.Entity<Attempt>(Attempts_);
        Stored(model);
        Trajectories(model);
        People(model);
        model.Entity<Schedule>(Schedules_);
        Notifications(model);
        foreach (var entity in model.Model.GetEntityTypes())
        {
            foreach (var property in entity.GetProperties())
                property.SetColumnName(SnakeCase(property.Name));
            foreach (var key in entity.GetKeys())
                key.SetName(key.GetName()!.ToLowerInvariant());
            foreach (var key in entity.GetForeignKeys())
                key.SetConstraintName(key.GetConstraintName()!.ToLowerInvariant());
            foreach (var index in entity.GetIndexes())
                index.SetDatabaseName(index.GetDatabaseName()!.ToLowerInvariant());
        }
    }

    static void Runs_(EntityTypeBuilder<Run> run)
    {
        run.ToTable("runs", t =>
        {
            t.HasCheckConstraint("runs_state_known", "state in ('queued', 'running', 'succeeded', 'failed', 'cancelled')");
            t.HasCheckConstraint("runs_running_holds_lease",
                "(state = 'running') = (lease_expires_at is not null) and (state = 'running') = (lease_owner is not null)"
                + " and (state = 'running') = (lease_ttl is not null) and (state = 'running') = (lease_charged_at is not null)");
            t.HasCheckConstraint("runs_final_is_finished",
                "(state in ('succeeded', 'failed', 'cancelled')) = (finished_at is not null)");
            t.HasCheckConstraint("runs_queued_not_cancelled", "state <> 'queued' or cancel_requested_at is null");
            t.HasCheckConstraint("runs_failed_has_error", "(state = 'failed') = (error_code is not null)");
            t.HasCheckConstraint("runs_started_once_claimed", "(attempt > 0) = (started_at is not null)");
            t.HasCheckConstraint("runs_yield_running", "not yield_requested or state = 'running'");
            t.HasCheckConstraint("runs_paused_open", "not paused or state in ('queued', 'running')");
            t.HasCheckConstraint("runs_priority_range", "priority between -100 and 100");
            t.HasCheckConstraint("runs_deaths_range", "deaths between 0 and max_deaths and max_deaths between 1 and 1000");
        });
        run.HasKey(r => r.Id);
        run.Property(r => r.Id).ValueGeneratedNever();
        run.Property(r => r.State).HasConversion(LowerCase<RunState>()).HasDefaultValueSql("'queued'");
        run.Property(r => r.Tags).HasDefaultValueSql("'{}'");
        run.Property(r => r.Notes).HasDefaultValue("");
        run.Property(r => r.Spec).HasColumnType("jsonb");
        run.Property(r => r.Progress).HasColumnType("jsonb");
        run.Property(r => r.Result).HasColumnType("jsonb");
        run.Property(r => r.MaxDeaths).HasDefaultValue(3);
        run.Property(r => r.NotBefore).HasDefaultValueSql("now()");
        run.Property(r => r.Paused).HasDefaultValue(false);
        run.Property(r => r.YieldRequested).HasDefaultValue(false);
        run.Property(r => r.QueuedAt).HasDefaultValueSql("clock_timestamp()");
        run.Property(r => r.After).HasDefaultValueSql("'{}'");
        run.Property(r => r.Inputs).HasDefaultValueSql("'{}'");
        run.Property(r => r.CreatedAt).HasDefaultValueSql("clock_timestamp()");
        run.Property(r => r.MovedAt).HasDefaultValueSql("clock_timestamp()").ValueGeneratedOnAddOrUpdate();
        run.Property(r => r.Version).HasDefaultValue(1L).ValueGeneratedOnAddOrUpdate();
        run.HasMany(r => r.Attempts).WithOne().HasForeignKey(a => a.RunId);
        run.HasIndex(r => new { r.Pool, r.Priority, r.CreatedAt }).HasFilter("state = 'queued'")
            .HasDatabaseName("runs_queued").IsDescending(false, true, false);
        run.HasIndex(r => r.LeaseExpiresAt).HasFilter("state = 'running'").HasDatabaseName("runs_leased");
        run.HasIndex(r => new { r.Owner, r.IdempotencyKey }).IsUnique().HasFilter("idempotency_key is not null")
            .HasDatabaseName("runs_idempotency_key");
        run.HasIndex(r => r.Batch).HasFilter("batch is not null").HasDatabaseName("runs_batch");
        run.HasIndex(r => r.MovedAt).HasDatabaseName("runs_moved_at");
    }

    static void Attempts_(EntityTypeBuilder<Attempt> attempt)
    {
        attempt.ToTable("attempts", t =>
        {
            t.HasCheckConstraint("attempts_outcome_known",
                "outcome in ('succeeded', 'failed', 'cancelled', 'handed-back', 'died', 'lost', 'cut-off')");
            t.HasCheckConstraint("attempts_ended_has_outcome", "(ended_at is null) = (outcome is null)");
        });
        attempt.HasKey(a => new { a.RunId, a.Number });
        attempt.Property(a => a.Facts).HasColumnType("jsonb");
    }

    static void Schedules_(EntityTypeBuilder<Schedule> schedule)
    {
        schedule.ToTable("schedules", t =>
        {
            t.HasCheckConstraint("schedules_missed_known", "missed in ('all', 'one', 'none')");
            t.HasCheckConstraint("schedules_disabled_has_no_next", "enabled or next_at is null");
        });
        schedule.HasKey(s => s.Id);
        schedule.Property(s => s.Id).ValueGeneratedNever();
        schedule.Property(s => s.Missed).HasConversion(LowerCase<MissedOccurrences>());
        schedule.Property(s => s.Submission).HasColumnType("jsonb");
        schedule.Property(s => s.CreatedAt).HasDefaultValueSql("clock_timestamp()");
        schedule.HasIndex(s => s.Owner).HasDatabaseName("schedules_owner");
        schedule.HasIndex(s => s.NextAt).HasFilter("enabled").HasDatabaseName("schedules_due");
    }

    static void Notifications(ModelBuilder model)
    {
        model.Entity<Subscription>(subscription =>
        {
            subscription.ToTable("subscriptions",
                t => t.HasCheckConstraint("subscriptions_wait_range", "wait_minutes between 1 and 100000"));
            subscription.HasKey(s => s.Id);
            subscription.Property(s => s.Id).ValueGeneratedNever();
            subscription.HasIndex(s => s.Owner).HasDatabaseName("subscriptions_owner");
        });
        model.Entity<Delivery>(delivery =>
        {
            delivery.ToTable("deliveries",
                t => t.HasCheckConstraint("deliveries_one_end", "delivered_at is null or failed_at is null"));
            delivery.HasKey(d => d.Id);
            delivery.Property(d => d.Id).ValueGeneratedNever();
            delivery.Property(d => d.Payload).HasColumnType("jsonb");
            delivery.HasOne<Subscription>().WithMany().HasForeignKey(d => d.SubscriptionId);
            delivery.HasIndex(d => new { d.SubscriptionId, d.EventKey }).IsUnique();
            delivery.HasIndex(d => d.CreatedAt).HasFilter("not enqueued").HasDatabaseName("deliveries_new");
        });
    }

    static void Stored(ModelBuilder model)
    {
        model.Entity<Checkpoint>(checkpoint =>
        {
            checkpoint.ToTable("checkpoints");
            checkpoint.HasKey(c => c.Id);
            checkpoint.Property(c => c.Id).ValueGeneratedNever();
            checkpoint.HasOne<Run>().WithMany().HasForeignKey(c => c.RunId);
            checkpoint.HasIndex(c => new { c.RunId, c.Name, c.Step }).IsUnique();
        });
        model.Entity<CheckpointChunkRow>(chunk =>
        {
            chunk.ToTable("checkpoint_chunks");
            chunk.HasKey(c => new { c.CheckpointId, c.Seq });
            chunk.HasOne<Run>().WithMany().HasForeignKey(c => c.RunId);
        });
        model.Entity<ResumePointRow>(point =>
        {
            point.ToTable("resume_points");
            point.HasKey(p => p.Id);
            point.Property(p => p.Id).ValueGeneratedNever();
            point.HasOne<Run>().WithMany().HasForeignKey(p => p.RunId);
            point.HasIndex(p => p.RunId).IsUnique();
        });
        model.Entity<ResumePointChunkRow>(chunk =>
        {
            chunk.ToTable("resume_point_chunks");
            chunk.HasKey(c => new { c.ResumePointId, c.Seq });
            chunk.HasOne<Run>().WithMany().HasForeignKey(c => c.RunId);
        });
        model.Entity<RunLogRow>(line =>
        {
            line.ToTable("run_logs");
            line.HasKey(l => new { l.RunId, l.Seq });
            line.Property(l => l.Seq).UseIdentityAlwaysColumn();
            line.HasOne<Run>().WithMany().HasForeignKey(l => l.RunId);
        });
        model.Entity<Model>(promoted =>
        {
            promoted.ToTable("models", t => t.HasCheckConstraint("models_version_range", "version >= 1"));
            promoted.HasKey(m => new { m.Name, m.Version });
            promoted.Property(m => m.PromotedAt).HasDefaultValueSql("clock_timestamp()");
            // What is promoted stays, and the run that made it.
            promoted.HasOne<Checkpoint>().WithMany().HasForeignKey(m => m.CheckpointId).OnDelete(DeleteBehavior.Restrict);
        });
    }

    static void Trajectories(ModelBuilder model)
    {
        model.Entity<SeriesRow>(series =>
        {
            series.ToTable("series");
            series.HasKey(s => s.Id);
            series.HasOne<Run>().WithMany().HasForeignKey(s => s.RunId);
            series.HasIndex(s => new { s.RunId, s.Name }).IsUnique();
        });
        model.Entity<SeriesPointRow>(point =>
        {
            point.ToTable("series_points", t => t.HasCheckConstraint("series_points_step_range", "step >= 0"));
            point.HasKey(p => new { p.SeriesId, p.Step });
            point.HasOne<SeriesRow>().WithMany().HasForeignKey(p => p.SeriesId);
        });
        model.Entity<SeriesRollupRow>(rollup =>
        {
            rollup.ToTable("series_rollups", t => t.HasCheckConstraint("series_rollups_width_known", "width in (128, 16384)"));
            rollup.HasKey(r => new { r.SeriesId, r.Width, r.Bucket });
            rollup.HasOne<SeriesRow>().WithMany().HasForeignKey(r => r.SeriesId);
        });
    }

    static void People(ModelBuilder model)
    {
        model.Entity<User>(user =>
        {
            user.ToTable("users", t =>
            {
                t.HasCheckConstraint("users_role_known", "role in ('admin', 'member', 'viewer')");
                t.HasCheckConstraint("users_weight_range", "weight > 0 and weight <= 1000");
            });
            user.HasKey(u => u.Id);
            user.Property(u => u.Id).ValueGeneratedNever();
            user.HasIndex(u => u.Name).IsUnique();
            user.Property(u => u.Role).HasConversion(LowerCase<UserRole>());
            user.Property(u => u.Weight).HasDefaultValue(1.0);
            user.Property(u => u.CreatedAt).HasDefaultValueSql("now()");
        });
        model.Entity<Token>(token =>
        {
            token.ToTable("tokens");
            token.HasKey(t => t.Id);
            token.HasOne(t => t.User).WithMany().HasForeignKey(t => t.UserId);
            token.HasOne<Token>().WithMany().HasForeignKey(t => t.SessionOf);
            token.Property(t => t.CreatedAt).HasDefaultValueSql("now()");
        });
        model.Entity<Worker>(worker =>
        {
            worker.ToTable("workers");
            worker.HasKey(w => w.Name);
            worker.Property(w => w.Facts).HasColumnType("jsonb");
            worker.Property(w => w.Slots).HasDefaultValue(1);
            worker.Property(w => w.Draining).HasDefaultValue(false);
        });
        model.Entity<AuditEntry>(entry =>
        {
            entry.ToTable("audit");
            entry.HasKey(e => e.Id);
            entry.Property(e => e.At).HasDefaultValueSql("now()");
            entry.Property(e => e.Detail).HasColumnType("jsonb");
        });
        model.Entity<Quota>(quota =>
        {
            quota.ToTable("quotas", t => t.HasCheckConstraint("quotas_range",
                "running >= 0 and queued >= 0 and stored_bytes >= 0 and device_hours >= 0"));
            quota.HasKey(q => q.Owner);
        });
        model.Entity<UsageDayRow>(day =>
        {
            day.ToTable("usage_days");
            day.HasKey(d => new { d.Owner, d.Day });
        });
        model.Entity<UsageRow>(usage =>
        {
            usage.ToTable("usage");
            usage.HasKey(u => u.Owner);
        });
    }

    static ValueConverter<T, string> LowerCase<T>() where T : struct, Enum =>
        new(value => value.ToString().ToLowerInvariant(), text => Enum.Parse<T>(text, true));

    static string SnakeCase(string name)
    {
        var snake = new StringBuilder();
        foreach (var c in name)
            snake.Append(char.IsUpper(c) && snake.Length > 0 ? "_" : "").Append(char.ToLowerInvariant(c));
        return snake.ToString();
    }
}
