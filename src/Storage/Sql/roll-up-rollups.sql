-- The same for 16,384 steps, from the roll-ups of 128.
insert into series_rollups (series_id, width, bucket, min, max, mean, finite, diverged)
select u.series_id, 16384, u.bucket / 128, min(u.min), max(u.max),
  sum(u.mean * u.finite) / nullif(sum(u.finite), 0), sum(u.finite), sum(u.diverged)
from unnest(@series, @from) as c(series_id, first)
join series_rollups u on u.series_id = c.series_id and u.width = 128 and u.bucket >= c.first / 16384 * 128
group by u.series_id, u.bucket / 128
