with finished as (
  update runs
  set state = @state, result = @result, error_code = @error_code, error_detail = @error_detail, finished_at = clock_timestamp(),
      paused = false, yield_requested = false,
      lease_owner = null, lease_expires_at = null, lease_ttl = null, lease_charged_at = null
  where id = @id and lease_token = @token and state = 'running'
  returning id, attempt)
update attempts a set ended_at = clock_timestamp(), outcome = @state, detail = @error_detail
from finished f where a.run_id = f.id and a.number = f.attempt
