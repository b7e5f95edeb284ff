-- Adds the slot-seconds since the lease was last charged to its owner's share, and the seconds to the day. The day comes first
-- wherever both are written: two that took the rows in different orders would wait for each other.
with used as (
  select owner, pool, greatest(0, extract(epoch from clock_timestamp() - lease_charged_at))::float8 as seconds
  from runs where id = @id and lease_token = @token and state = 'running'),
days as (
  insert into usage_days as d (owner, day, seconds)
  select owner, (now() at time zone 'utc')::date, seconds from used
  on conflict (owner, day) do update set seconds = d.seconds + excluded.seconds
  returning 1)
insert into usage as u (owner, slot_seconds, updated_at)
select owner, slot_weight(pool) * seconds, clock_timestamp() from used, (select count(*) from days) first
on conflict (owner) do update
set slot_seconds = decayed(u.slot_seconds, u.updated_at) + excluded.slot_seconds, updated_at = excluded.updated_at
