delete from checkpoint_chunks c using checkpoints h
where h.run_id = @run and h.name = @name and h.step = @step and c.checkpoint_id = h.id;
delete from checkpoints where run_id = @run and name = @name and step = @step;
-- Last: with its header the new one becomes visible.
insert into checkpoints (id, run_id, name, step, size, sha256, created_at)
values (@id, @run, @name, @step, @size, @sha256, clock_timestamp())
