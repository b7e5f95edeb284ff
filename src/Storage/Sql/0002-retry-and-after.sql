-- Retries, and runs that wait for others. Released: never change it, add a migration.

-- Runs that were there before joined the queue when they were submitted.
update runs set queued_at = created_at;

-- Runs that a waiting run comes after and that have not succeeded; a deleted one never will.
create function blockers(after uuid[]) returns uuid[] language sql stable as
$$ select array(select a.id from unnest(after) as a(id) left join runs d on d.id = a.id
                where d.state is distinct from 'succeeded') $$;

drop view queue_order;
-- Queued runs in the order in which they would be claimed if shares stayed as they are; those that cannot be claimed yet last.
create view queue_order as
select w.*, row_number() over (partition by w.pool
  order by w.not_before > now(), w.blockers <> '{}', w.priority desc, coalesce(s.used, 0), w.queued_at, w.id) as position
from (
  select id, owner, pool, priority, queued_at, required_dataset, not_before, blockers(after) as blockers
  from runs where state = 'queued') w
left join fair_share s on s.owner = w.owner;

-- A run that succeeded is never resumed; one that failed or was cancelled keeps its resume point for a retry. A state is left
-- only along the edges of docs/run-states.md.
create or replace function runs_settle() returns trigger language plpgsql as $$
begin
  if old.state = 'succeeded' or (old.state = 'queued' and new.state not in ('running', 'cancelled'))
    or (old.state in ('failed', 'cancelled') and new.state <> 'queued') then
    raise exception 'run % cannot go from % to %', old.id, old.state, new.state using errcode = 'check_violation';
  end if;
  if new.state not in ('queued', 'running') then
    delete from checkpoint_chunks c
    where c.run_id = new.id and not exists (select 1 from checkpoints h where h.id = c.checkpoint_id);
    delete from resume_point_chunks c
    where c.run_id = new.id and (new.state = 'succeeded' or not exists (select 1 from resume_points h where h.id = c.resume_point_id));
    if new.state = 'succeeded' then
      delete from resume_points where run_id = new.id;
    end if;
  end if;
  return null;
end $$;
