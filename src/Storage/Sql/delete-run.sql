-- Nobody takes away what a waiting or running run needs (a run it comes after, or a checkpoint it reads), nor a promoted
-- checkpoint.
with found as (
  select r.id, r.state not in ('queued', 'running') as final,
    exists (select 1 from runs u where u.state in ('queued', 'running') and u.id <> r.id
            and (r.id = any(u.after) or u.inputs && array(select c.id from checkpoints c where c.run_id = r.id))) as needed,
    exists (select 1 from checkpoints c join models m on m.checkpoint_id = c.id where c.run_id = r.id) as promoted
  from runs r where r.id = @id),
gone as (delete from runs using found f where runs.id = f.id and f.final and not f.needed and not f.promoted)
select final, needed, promoted from found
