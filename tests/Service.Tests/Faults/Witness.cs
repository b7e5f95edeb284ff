using MetaOpt.Service.Tests.Workers;

namespace MetaOpt.Service.Tests.Faults;

/// <summary>
/// Triggers of the test's database that note who wrote what: they know the writer by the name of its connection, and nothing of
/// leases' tokens. A worker that writes for a run which is another's, or nobody's, has written from a lost lease.
/// </summary>
static class Witness
{
    const string Triggers =
        """
        create table stray_writes (run_id uuid, what text, writer text);
        create table endings (run_id uuid);
        create table written (run_id uuid, attempt int, first_at timestamptz, first_step bigint, last_at timestamptz, last_step bigint,
          primary key (run_id, attempt));

        create function witness_points() returns trigger language plpgsql as $$
        begin
          insert into stray_writes select distinct r.id, 'points', current_setting('application_name')
          from touched t join series s on s.id = t.series_id join runs r on r.id = s.run_id
          where r.state <> 'running' or r.lease_owner <> current_setting('application_name');
          if tg_op = 'INSERT' then
            insert into written as w
            select r.id, r.attempt, clock_timestamp(), min(t.step), clock_timestamp(), max(t.step)
            from touched t join series s on s.id = t.series_id join runs r on r.id = s.run_id where s.name = 'meta-loss' group by r.id
            on conflict (run_id, attempt) do update set last_at = excluded.last_at, last_step = greatest(w.last_step, excluded.last_step);
          end if;
          return null;
        end $$;
        create trigger witness_insert after insert on series_points referencing new table as touched
        for each statement execute function witness_points();
        create trigger witness_delete after delete on series_points referencing old table as touched
        for each statement execute function witness_points();

        create function witness_row() returns trigger language plpgsql as $$
        begin
          insert into stray_writes select id, tg_table_name, current_setting('application_name') from runs
          where id = new.run_id and (state <> 'running' or lease_owner <> current_setting('application_name'));
          return null;
        end $$;
        create trigger witness_resume after insert on resume_points for each row execute function witness_row();
        create trigger witness_checkpoint after insert on checkpoints for each row execute function witness_row();
        create trigger witness_log after insert on run_logs for each row execute function witness_row();

        create function witness_leave() returns trigger language plpgsql as $$
        begin
          -- Its worker, or whoever reaped it once its lease was over.
          if old.lease_owner <> current_setting('application_name') and old.lease_expires_at > clock_timestamp() then
            insert into stray_writes values (old.id, new.state, current_setting('application_name'));
          end if;
          if new.state <> 'queued' then insert into endings values (old.id); end if;
          return null;
        end $$;
        create trigger witness_leave after update of state on runs for each row
        when (old.state = 'running' and new.state <> 'running') execute function witness_leave();
        """;

    public static async Task AddAsync(WorkerFixture on)
    {
        await using var add = on.Source.CreateCommand(Triggers);
        await add.ExecuteNonQueryAsync();
    }

    /// <summary>Writes from lost leases, as "what by whom", and runs of the pool that did not end exactly once.</summary>
    public static async Task<(long Stray, long NotOnce)> CountAsync(WorkerFixture on, string pool) => (
        await on.ScalarAsync<long>("select count(*) from stray_writes"),
        await on.ScalarAsync<long>($"""
            select count(*) from runs r
            where r.pool = '{pool}' and (select count(*) from endings e where e.run_id = r.id) <> 1
            """));

    /// <summary>
    /// Meta-steps of the pool's runs: those that were computed and stored, and what was computed and never stored at most, for
    /// each attempt that did not end well: the time from its last stored step to the death of its child, at its own speed.
    /// </summary>
    /// <param name="on">The database.</param>
    /// <param name="pool">Whose runs.</param>
    /// <param name="ends">When the children of a worker died that was killed or stopped.</param>
    public static async Task<(long Stored, double Unstored)> StepsAsync(
        WorkerFixture on, string pool, IReadOnlyDictionary<string, List<DateTime>> ends)
    {
        await using var read = on.Source.CreateCommand($"""
            select a.worker, a.outcome, a.started_at, a.ended_at, coalesce(a.resumed_from_step, 0),
              w.first_at, w.first_step, w.last_at, w.last_step
            from attempts a join runs r on r.id = a.run_id left join written w on w.run_id = a.run_id and w.attempt = a.number
            where r.pool = '{pool}'
            """);
        var attempts = new List<Attempt>();
        await using (var reader = await read.ExecuteReaderAsync())
            while (await reader.ReadAsync())
                attempts.Add(new(
                    reader.GetString(0), reader.GetString(1), reader.GetDateTime(2), reader.GetDateTime(3), reader.GetInt64(4),
                    reader.IsDBNull(5)
                        ? null
                        : new(reader.GetDateTime(5), reader.GetInt64(6), reader.GetDateTime(7), reader.GetInt64(8))));
        var speed = attempts.Where(a => a.Speed is not null).Average(a => a.Speed!.Value);
        var start = attempts.Where(a => a.Written is not null).Min(a => a.Written!.FirstAt - a.StartedAt);
        return (attempts.Sum(a => a.Written is { } w ? w.LastStep - a.ResumedFrom : 0),
            attempts.Where(a => a.Outcome != "succeeded").Sum(Unstored));

        double Unstored(Attempt attempt)
        {
            var from = attempt.Written?.LastAt ?? attempt.StartedAt + start;
            // The reaper comes later than the end.
            var end = ends.GetValueOrDefault(attempt.Worker, []).Where(e => e > attempt.StartedAt && e < attempt.EndedAt)
                .DefaultIfEmpty(attempt.EndedAt).Min();
            return Math.Max(0, (end - from).TotalSeconds) * (attempt.Speed ?? speed);
        }
    }

    sealed record Written(DateTime FirstAt, long FirstStep, DateTime LastAt, long LastStep);

    sealed record Attempt(
        string Worker, string Outcome, DateTime StartedAt, DateTime EndedAt, long ResumedFrom, Written? Written)
    {
        public double? Speed => Written is { } w && w.LastStep > w.FirstStep && w.LastAt > w.FirstAt + TimeSpan.FromSeconds(0.1)
            ? (w.LastStep - w.FirstStep) / (w.LastAt - w.FirstAt).TotalSeconds : null;
    }
}
