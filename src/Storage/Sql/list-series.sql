-- Counts come from the widest roll-ups: no scan over the points.
select s.name, coalesce(sum(u.finite + u.diverged), 0)::bigint, coalesce(sum(u.diverged), 0)::bigint, last.step, last.value
from series s
left join series_rollups u on u.series_id = s.id and u.width = 16384
left join lateral (select step, value from series_points p where p.series_id = s.id order by step desc limit 1) last on true
where s.run_id = @id
group by s.id, s.name, last.step, last.value
order by s.id
