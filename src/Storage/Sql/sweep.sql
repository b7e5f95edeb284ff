-- What ended runs left for longer than it is kept; nothing is older than null. A promoted checkpoint stays, and one that a
-- waiting or running run reads: by its id, or as what the run it comes after has learned.
with ended as materialized (
  select id, now() - finished_at as age from runs where state in ('succeeded', 'failed', 'cancelled')),
points as (
  delete from resume_points p using ended e where p.run_id = e.id and e.age > @resume_points::interval returning p.run_id),
chunks as (
  delete from resume_point_chunks p using ended e where p.run_id = e.id and e.age > @resume_points::interval),
logs as (
  delete from run_logs l using ended e where l.run_id = e.id and e.age > @logs::interval returning l.run_id),
old_series as materialized (
  select s.id from series s join ended e on e.id = s.run_id where e.age > @series::interval),
-- Their points and summaries go with them.
series as (
  delete from series s using old_series o where s.id = o.id returning s.run_id),
learned as (
  delete from checkpoints c using ended e
  where c.run_id = e.id and e.age > @checkpoints::interval
    and not exists (select 1 from models m where m.checkpoint_id = c.id)
    and not exists (
      select 1 from runs u where u.state in ('queued', 'running') and (c.id = any(u.inputs) or c.run_id = any(u.after)))
  returning c.id, c.run_id),
learned_chunks as (
  delete from checkpoint_chunks h using learned c where h.checkpoint_id = c.id)
select count(distinct run_id) from (
  select run_id from points union all select run_id from logs
  union all select run_id from series union all select run_id from learned) swept
