-- Quotas, pauses, time limits, logs, models. Released: never change it, add a migration.

-- Limits of an owner, null where there is none. The row of owner '' holds for everybody without an own one.
create function quota_of(who text) returns table (running int, queued int, stored_bytes bigint, device_hours float8)
language sql stable as $$
select coalesce(o.running, d.running), coalesce(o.queued, d.queued), coalesce(o.stored_bytes, d.stored_bytes),
  coalesce(o.device_hours, d.device_hours)
from (values (who)) as w(name) left join quotas o on o.owner = w.name left join quotas d on d.owner = '' $$;

-- Seconds on any device in the last seven days.
create function device_seconds(who text) returns float8 language sql stable as
$$ select coalesce(sum(seconds), 0) from usage_days where owner = who and day > (now() at time zone 'utc')::date - 7 $$;

create function stored_bytes(who text) returns bigint language sql stable as
$$ select coalesce(sum(size), 0)::bigint from (
     select c.size from checkpoints c join runs r on r.id = c.run_id where r.owner = who
     union all
     select p.size from resume_points p join runs r on r.id = p.run_id where r.owner = who) stored $$;

-- Why the owner may not start another run, null when they may. What has no limit is not even counted.
create function quota_exceeded(who text) returns text language sql stable as $$
select case
  when q.running <= (select count(*) from runs where owner = who and state = 'running')
    then format('%s of %s runs at once', (select count(*) from runs where owner = who and state = 'running'), q.running)
  when q.device_hours * 3600 <= device_seconds(who)
    then format('%s of %s device hours in seven days', round((device_seconds(who) / 3600)::numeric, 1), q.device_hours)
  when q.stored_bytes <= stored_bytes(who)
    then format('%s of %s MB of checkpoints', stored_bytes(who) / 1000000, q.stored_bytes / 1000000)
end
from quota_of(who) q
$$;

-- Tells listeners also about pauses and yields, and about nothing that changes often: notifications take a global lock at commit.
drop trigger runs_moved on runs;
create trigger runs_moved after update of state, cancel_requested_at, paused, yield_requested on runs for each row
when (new.state <> old.state or new.cancel_requested_at is distinct from old.cancel_requested_at
      or new.paused <> old.paused or new.yield_requested <> old.yield_requested)
execute function runs_notify();

drop trigger runs_changed on runs;
create trigger runs_changed
before update of name, tags, notes, priority, state, attempt, progress, result, error_code, error_detail, cancel_requested_at,
  not_before, paused, yield_requested, time_limit
on runs for each row execute function runs_version();

drop view queue_order;
-- Queued runs in the order in which they would be claimed if shares stayed as they are; those that cannot be claimed yet last.
create view queue_order as
select w.*, row_number() over (partition by w.pool
  order by w.paused, w.not_before > now(), w.blockers <> '{}', w.exceeded is not null,
    w.priority desc, coalesce(s.used, 0), w.queued_at, w.id) as position
from (
  select r.id, r.owner, r.pool, r.priority, r.queued_at, r.required_dataset, r.not_before, r.paused, blockers(r.after) as blockers, o.exceeded
  from runs r join (select owner, quota_exceeded(owner) as exceeded from (select distinct owner from runs where state = 'queued') d) o
    on o.owner = r.owner
  where r.state = 'queued') w
left join fair_share s on s.owner = w.owner;
