-- Takes expired leases away. The database's clock rules; nothing is taken until a worker has had a whole ttl to renew after a
-- restart of the database. A row that a heartbeat or a fenced write holds at this moment is left for the next time. A lease
-- that was last renewed before the database's start ran out while it was away: that is no death of the run's.
with expired as (
  select *, cancel_requested_at is not null as cancelled,
    not while_away and cancel_requested_at is null and deaths + 1 >= max_deaths as failed
  from (
    select id, attempt, owner, pool, deaths, max_deaths, lease_owner, lease_charged_at, lease_expires_at, cancel_requested_at,
      lease_charged_at < pg_postmaster_start_time() as while_away
    from runs
    where state = 'running' and lease_expires_at < now() and now() >= pg_postmaster_start_time() + lease_ttl
    for no key update skip locked) leases),
closed as (
  update attempts a
  set ended_at = clock_timestamp(), outcome = case when while_away then 'cut-off' else 'lost' end,
    detail = format('the lease of worker %s expired', e.lease_owner)
      || case when while_away then ' while the database was away' else '' end
  from expired e where a.run_id = e.id and a.number = e.attempt),
used as (
  select owner, sum(slot_weight(pool) * seconds) as slot_seconds, sum(seconds) as seconds
  from (
    select owner, pool, greatest(0, extract(epoch from lease_expires_at - lease_charged_at))::float8 as seconds from expired) e
  group by owner),
days as (
  insert into usage_days as d (owner, day, seconds)
  select owner, (now() at time zone 'utc')::date, seconds from used
  on conflict (owner, day) do update set seconds = d.seconds + excluded.seconds
  returning 1),
charged as (
  insert into usage as u (owner, slot_seconds, updated_at)
  select owner, slot_seconds, clock_timestamp() from used, (select count(*) from days) first
  on conflict (owner) do update
  set slot_seconds = decayed(u.slot_seconds, u.updated_at) + excluded.slot_seconds, updated_at = excluded.updated_at)
update runs r set
  state = case when e.cancelled then 'cancelled' when e.failed then 'failed' else 'queued' end,
  finished_at = case when e.cancelled or e.failed then clock_timestamp() end,
  error_code = case when e.failed then 'died' end,
  error_detail = case when e.failed then
    format('%s deaths in a row without a new resume point; the last: the lease of worker %s expired on attempt %s',
           e.deaths + 1, e.lease_owner, e.attempt) end,
  deaths = e.deaths + case when e.while_away then 0 else 1 end, yield_requested = false,
  paused = r.paused and not e.cancelled and not e.failed,
  lease_owner = null, lease_expires_at = null, lease_ttl = null, lease_charged_at = null
from expired e where r.id = e.id
