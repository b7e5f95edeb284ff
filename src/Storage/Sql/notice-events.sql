-- Deliveries of what has happened since each subscription was made, in the last seven days. The same event is found again and
-- again; it
-- makes one delivery, by its key. A run that is retried and ends again is another event.
with moved as materialized (
  select r.id, r.name, r.kind, r.owner, r.tags, r.state, r.error_code, r.error_detail, r.finished_at, r.queued_at, r.not_before
  from runs r where r.state = 'queued' or (r.finished_at > now() - interval '7 days')),
found as (
  select s.id as subscription, case when r.state = 'failed' then 'run-failed' else 'run-ended' end as event,
    r.id || ':' || extract(epoch from r.finished_at) as key,
    jsonb_build_object('run', r.id, 'name', r.name, 'kind', r.kind, 'owner', r.owner, 'state', r.state, 'at', r.finished_at,
      'error', case when r.error_code is not null then 
        jsonb_build_object('code', r.error_code, 'detail', left(r.error_detail, 500)) end) as payload
  from subscriptions s join moved r on case when s.tag is null then r.owner = s.owner else s.tag = any(r.tags) end
  where s.enabled and r.state <> 'queued' and r.finished_at >= s.created_at
    and case when r.state = 'failed' then 'run-failed' else 'run-ended' end = any(s.events)
  union all
  select s.id, 'run-waits', r.id || ':' || extract(epoch from r.queued_at),
    jsonb_build_object('run', r.id, 'name', r.name, 'kind', r.kind, 'owner', r.owner, 'state', 'queued', 'at', r.queued_at)
  from subscriptions s join moved r on case when s.tag is null then r.owner = s.owner else s.tag = any(r.tags) end
  where s.enabled and r.state = 'queued' and 'run-waits' = any(s.events)
    and greatest(r.queued_at, r.not_before, s.created_at) < now() - make_interval(mins => s.wait_minutes)
  union all
  select s.id, 'worker-offline', w.name || ':' || extract(epoch from w.last_seen_at),
    jsonb_build_object('worker', w.name, 'pool', w.pool, 'at', w.last_seen_at)
  from subscriptions s cross join workers w
  where s.enabled and 'worker-offline' = any(s.events) and w.last_seen_at >= s.created_at
    and w.last_seen_at < now() - interval '2 minutes' and w.last_seen_at > now() - interval '7 days')
insert into deliveries (id, subscription_id, event, event_key, payload, created_at, enqueued, attempts)
select gen_random_uuid(), subscription, event, event || ':' || key, payload, clock_timestamp(), false, 0 from found
on conflict (subscription_id, event_key) do nothing
