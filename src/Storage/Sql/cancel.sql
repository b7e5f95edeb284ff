-- Nobody executes a queued run, so it is cancelled at once; a running one is its worker's to stop.
update runs
set cancel_requested_at = coalesce(cancel_requested_at, clock_timestamp()),
    finished_at = case when state = 'queued' then clock_timestamp() end,
    paused = paused and state <> 'queued',
    state = case when state = 'queued' then 'cancelled' else state end
where id = @id and state in ('queued', 'running')
returning state
