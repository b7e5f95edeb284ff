-- Progress forgives deaths: a step beyond the previous one's, or another state at the same step. The same point again is none.
update runs set deaths = 0
where id = @run and not exists (
  select 1 from resume_points p where p.run_id = @run and (p.step > @step or (p.step = @step and p.sha256 = @sha256)));
delete from resume_point_chunks c using resume_points p where p.run_id = @run and c.resume_point_id = p.id;
delete from resume_points where run_id = @run;
-- Last: with its header the new one becomes visible.
insert into resume_points (id, run_id, step, size, sha256, created_at)
values (@id, @run, @step, @size, @sha256, clock_timestamp())
