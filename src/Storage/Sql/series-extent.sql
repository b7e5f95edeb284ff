-- What a range of a series holds: first and last step, and a count from the roll-ups of 128 (so up to 254 too many).
select s.id,
  (select step from series_points p where p.series_id = s.id and step between @from and @to order by step limit 1),
  (select step from series_points p where p.series_id = s.id and step between @from and @to order by step desc limit 1),
  (select coalesce(sum(finite + diverged), 0)::bigint from series_rollups u
   where u.series_id = s.id and u.width = 128 and u.bucket between @from / 128 and @to / 128)
from series s where s.run_id = @id and s.name = @name
