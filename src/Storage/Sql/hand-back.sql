-- The worker stops, the run goes on elsewhere: no death. With a cancel request there is nothing to go on with. A run that was to
-- yield goes to the end of the queue.
with handed as (
  update runs
  set state = case when cancel_requested_at is null then 'queued' else 'cancelled' end,
      finished_at = case when cancel_requested_at is not null then clock_timestamp() end,
      paused = paused and cancel_requested_at is null, yield_requested = false,
      queued_at = case when yield_requested then clock_timestamp() else queued_at end,
      lease_owner = null, lease_expires_at = null, lease_ttl = null, lease_charged_at = null
  where id = @id and lease_token = @token and state = 'running'
  returning id, attempt)
update attempts a set ended_at = clock_timestamp(), outcome = 'handed-back'
from handed h where a.run_id = h.id and a.number = h.attempt
