-- What a dead attempt left half written; then the row of this one, which the claim made.
delete from checkpoint_chunks c
where c.run_id = @id and not exists (select 1 from checkpoints h where h.id = c.checkpoint_id);
delete from resume_point_chunks c
where c.run_id = @id and not exists (select 1 from resume_points h where h.id = c.resume_point_id);
update attempts set facts = @facts, resumed_from_step = @step where run_id = @id and token = @token
