-- A lease that expired but was not reaped is still its token's, and is renewed.
with clock as materialized (select clock_timestamp() as at)
update runs r set lease_expires_at = clock.at + @ttl, lease_ttl = @ttl, lease_charged_at = clock.at
from clock where id = @id and lease_token = @token and state = 'running'
returning cancel_requested_at is not null, paused or yield_requested,
  coalesce(time_limit < (select sum(coalesce(ended_at, clock.at) - started_at) from attempts a where a.run_id = r.id), false)
