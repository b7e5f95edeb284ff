-- What the tables alone cannot say. Belongs to the first migration: never change it, add a migration.

-- Blobs do not compress; stored plainly, a range of one is read without unpacking.
alter table checkpoint_chunks alter column data set storage external;
alter table resume_point_chunks alter column data set storage external;

-- A GPU second weighs more than a CPU second.
create function slot_weight(pool text) returns float8 language sql immutable as
$$ select case when pool like 'gpu%' then 8 else 1 end::float8 $$;

-- What usage up to a time is worth now: half after a day. (After 100 days nothing is left, and power() must not underflow.)
create function decayed(slot_seconds float8, updated_at timestamptz) returns float8 language sql stable as
$$ select slot_seconds * power(0.5::float8, least(100, greatest(0, extract(epoch from now() - updated_at)::float8 / 86400))) $$;

-- What each owner used for each unit of weight. A held lease counts up to its expiry, before it is charged: otherwise an owner
-- could take every free slot in the moment before the first charge.
create view fair_share as
select owner, sum(slot_seconds) / coalesce((select weight from users where name = owner), 1) as used
from (
  select owner, decayed(slot_seconds, updated_at) as slot_seconds from usage
  union all
  select owner, slot_weight(pool) * extract(epoch from lease_expires_at - lease_charged_at)::float8
  from runs where state = 'running'
) parts
group by owner;

-- Queued runs in the order in which they would be claimed if shares stayed as they are.
create view queue_order as
select r.id, r.pool, r.required_dataset, r.not_before,
  row_number() over (partition by r.pool order by r.priority desc, coalesce(s.used, 0), r.created_at, r.id) as position
from runs r left join fair_share s on s.owner = r.owner
where r.state = 'queued';

-- Tells listeners about state changes and cancel requests, and about nothing else: notifications take a global lock at commit.
create function runs_notify() returns trigger language plpgsql as $$
begin
  perform pg_notify('metaopt_runs',
    new.id || ':' || new.state || case when new.cancel_requested_at is null then '' else ':cancel' end);
  return null;
end $$;
create trigger runs_inserted after insert on runs for each row execute function runs_notify();
create trigger runs_moved after update of state, cancel_requested_at on runs for each row
when (new.state <> old.state or new.cancel_requested_at is distinct from old.cancel_requested_at)
execute function runs_notify();

-- Counts changes that a client can see. Renewing a lease is none.
create function runs_version() returns trigger language plpgsql as $$
begin
  new.version := old.version + 1;
  if new.state <> old.state or new.cancel_requested_at is distinct from old.cancel_requested_at then
    new.moved_at := clock_timestamp();
  end if;
  return new;
end $$;
create trigger runs_changed
before update of name, tags, notes, priority, state, attempt, progress, result, error_code, error_detail, cancel_requested_at,
  not_before
on runs for each row execute function runs_version();

-- A final run is never resumed, and nobody completes what it left half written. A state is left only along the edges of
-- docs/run-states.md.
create function runs_settle() returns trigger language plpgsql as $$
begin
  if old.state not in ('queued', 'running') or (old.state = 'queued' and new.state not in ('running', 'cancelled')) then
    raise exception 'run % cannot go from % to %', old.id, old.state, new.state using errcode = 'check_violation';
  end if;
  if new.state not in ('queued', 'running') then
    delete from resume_point_chunks where run_id = new.id;
    delete from resume_points where run_id = new.id;
    delete from checkpoint_chunks c
    where c.run_id = new.id and not exists (select 1 from checkpoints h where h.id = c.checkpoint_id);
  end if;
  return null;
end $$;
create trigger runs_settled after update of state on runs for each row
when (new.state <> old.state) execute function runs_settle();

create function audit_refuse() returns trigger language plpgsql as $$
begin
  raise exception 'the audit trail is append-only';
end $$;
create trigger audit_append_only before update or delete on audit for each row execute function audit_refuse();
