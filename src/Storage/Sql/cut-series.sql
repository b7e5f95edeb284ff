-- Forgets the points of some series from a step on, and the roll-ups that held any of them.
with cut as (
  delete from series_rollups u using unnest(@series, @from) as c(series_id, first), (values (128), (16384)) as w(width)
  where u.series_id = c.series_id and u.width = w.width and u.bucket >= c.first / w.width)
delete from series_points p using unnest(@series, @from) as c(series_id, first)
where p.series_id = c.series_id and p.step >= c.first
