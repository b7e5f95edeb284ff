-- What a range of a series holds: first and last step, and whether there are more than @max points.
select s.id,
  (select step from series_points p where p.series_id = s.id and step between @from and @to order by step limit 1),
  (select step from series_points p where p.series_id = s.id and step between @from and @to order by step desc limit 1),
  (select count(*) from (
    select 1 from series_points p where p.series_id = s.id and step between @from and @to limit @max + 1) first) > @max
from series s where s.run_id = @id and s.name = @name
