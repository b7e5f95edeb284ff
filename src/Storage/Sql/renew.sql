-- A lease that expired but was not reaped is still its token's, and is renewed.
update runs
set lease_expires_at = clock_timestamp() + @ttl, lease_ttl = @ttl, lease_charged_at = clock_timestamp()
where id = @id and lease_token = @token and state = 'running'
returning cancel_requested_at is not null
