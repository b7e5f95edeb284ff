-- Makes the roll-ups of 128 steps from the bucket on that holds a step. They were cut from there on.
insert into series_rollups (series_id, width, bucket, min, max, mean, finite, diverged)
select series_id, 128, bucket,
  min(value) filter (where finite), max(value) filter (where finite), avg(value) filter (where finite),
  count(*) filter (where finite), count(*) filter (where not finite)
from (
  select p.series_id, p.step / 128 as bucket, p.value, p.value between -1e300 and 1e300 as finite
  from unnest(@series, @from) as c(series_id, first)
  join series_points p on p.series_id = c.series_id and p.step >= c.first / 128 * 128) points
group by series_id, bucket
