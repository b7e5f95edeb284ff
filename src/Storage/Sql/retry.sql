-- Queued again as itself: the next attempt goes on from its resume point, and its deaths are forgiven.
update runs
set state = 'queued', queued_at = clock_timestamp(), not_before = clock_timestamp(), deaths = 0, finished_at = null,
    cancel_requested_at = null, error_code = null, error_detail = null
where id = @id and state in ('failed', 'cancelled')
returning id
