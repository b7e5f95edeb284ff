-- Nobody takes away what a waiting or running run needs: a run it comes after, or a checkpoint it reads.
with found as (
  select r.id, r.state not in ('queued', 'running') as final,
    exists (select 1 from runs u where u.state in ('queued', 'running') and u.id <> r.id
            and (r.id = any(u.after) or u.inputs && array(select c.id from checkpoints c where c.run_id = r.id))) as needed
  from runs r where r.id = @id),
gone as (delete from runs using found f where runs.id = f.id and f.final and not f.needed)
select final, needed from found
