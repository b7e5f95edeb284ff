select min(p.step)
from series_points p join series s on s.id = p.series_id
where s.run_id = @id and s.name = @name and p.value <= @value
