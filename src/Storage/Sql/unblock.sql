-- A worker that stops in the middle of a large write keeps its run's row locked: the server waits for the rest of the data
-- inside a statement, where no timeout reaches it. If a lease is over and was not reaped, connections of this role that wait
-- so are closed.
select pg_terminate_backend(pid) from pg_stat_activity
where exists (select from runs where state = 'running' and lease_expires_at < now())
  and datname = current_database() and usename = current_user and state = 'active' and wait_event = 'ClientRead'
  and xact_start < clock_timestamp() - interval '5 seconds'
  and (query like 'copy series_points (%' or query like 'insert into checkpoint_chunks (%'
    or query like 'insert into resume_point_chunks (%')
