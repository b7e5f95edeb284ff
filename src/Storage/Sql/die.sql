-- A death fails the run when it is one too many in a row without a new resume point.
with dead as (
  update runs
  set state = case when cancel_requested_at is not null then 'cancelled'
                   when deaths + 1 >= max_deaths then 'failed' else 'queued' end,
      finished_at = case when cancel_requested_at is not null or deaths + 1 >= max_deaths then clock_timestamp() end,
      error_code = case when cancel_requested_at is null and deaths + 1 >= max_deaths then 'died' end,
      error_detail = case when cancel_requested_at is null and deaths + 1 >= max_deaths then
        format('%s deaths in a row without a new resume point; the last: %s', deaths + 1, @reason) end,
      deaths = deaths + 1, yield_requested = false,
      paused = paused and cancel_requested_at is null and deaths + 1 < max_deaths,
      lease_owner = null, lease_expires_at = null, lease_ttl = null, lease_charged_at = null
  where id = @id and lease_token = @token and state = 'running'
  returning id, attempt)
update attempts a set ended_at = clock_timestamp(), outcome = 'died', detail = @reason
from dead d where a.run_id = d.id and a.number = d.attempt
