-- The next run for this worker: priority, then the owner with the smallest weighted share, then first come.
with clock as materialized (select clock_timestamp() as at),
owners as materialized (
  select owner, quota_exceeded(owner) as exceeded
  from (select distinct owner from runs where state = 'queued' and pool = @pool) d),
next as (
  select r.id
  from runs r join owners o on o.owner = r.owner left join fair_share s on s.owner = r.owner
  where r.state = 'queued' and r.pool = @pool and r.not_before <= clock_timestamp()
    and (r.after = '{}' or blockers(r.after) = '{}')
    and not r.paused and o.exceeded is null
    and not exists (select 1 from workers w where w.name = @worker and w.draining)
    and (r.required_dataset is null or r.required_dataset = any(@datasets))
    -- Every worker has the library's own kernel sets; others only where they were built in.
    and (coalesce(r.spec ->> 'kernels', 'auto') in ('auto', 'simd', 'scalar') or r.spec ->> 'kernels' = any(@kernels))
  order by r.priority desc, coalesce(s.used, 0), r.queued_at, r.id
  limit 1
  for no key update of r skip locked),
claimed as (
  update runs r set
    state = 'running', attempt = r.attempt + 1, lease_token = r.lease_token + 1, lease_owner = @worker, lease_ttl = @ttl,
    lease_expires_at = clock.at + @ttl, lease_charged_at = clock.at, started_at = coalesce(r.started_at, clock.at)
  from next, clock where r.id = next.id
  returning r.id, r.lease_token, r.attempt, r.kind, r.spec),
begun as (
  insert into attempts (run_id, number, worker, token, started_at, facts)
  select id, attempt, @worker, lease_token, clock.at, '{}' from claimed, clock)
select id, lease_token, attempt, kind, spec from claimed
