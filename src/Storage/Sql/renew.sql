-- A lease that expired but was not reaped is still its token's, and is renewed.
with clock as materialized (select clock_timestamp() as at)
update runs set lease_expires_at = clock.at + @ttl, lease_ttl = @ttl, lease_charged_at = clock.at
from clock where id = @id and lease_token = @token and state = 'running'
returning cancel_requested_at is not null
