drop view queue_order;
drop function quota_exceeded(text);
drop function stored_bytes(text);
drop function device_seconds(text);
drop function quota_of(text);
create view queue_order as
select w.*, row_number() over (partition by w.pool
  order by w.not_before > now(), w.blockers <> '{}', w.priority desc, coalesce(s.used, 0), w.queued_at, w.id) as position
from (
  select id, owner, pool, priority, queued_at, required_dataset, not_before, blockers(after) as blockers
  from runs where state = 'queued') w
left join fair_share s on s.owner = w.owner;
drop trigger runs_moved on runs;
create trigger runs_moved after update of state, cancel_requested_at on runs for each row
when (new.state <> old.state or new.cancel_requested_at is distinct from old.cancel_requested_at)
execute function runs_notify();
drop trigger runs_changed on runs;
create trigger runs_changed
before update of name, tags, notes, priority, state, attempt, progress, result, error_code, error_detail, cancel_requested_at,
  not_before
on runs for each row execute function runs_version();
