-- Chunks whose header never came, of a run that nobody writes for (or that begins a new attempt).
with parts as (
  delete from checkpoint_chunks c using runs r
  where r.id = c.run_id and (r.state <> 'running' or r.id = @id)
    and not exists (select 1 from checkpoints h where h.id = c.checkpoint_id))
delete from resume_point_chunks c using runs r
where r.id = c.run_id and (r.state <> 'running' or r.id = @id)
  and not exists (select 1 from resume_points h where h.id = c.resume_point_id)
