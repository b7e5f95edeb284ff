-- Groups of @group units of @unit steps each. The units that lie wholly in the range come from the roll-ups (when they are that
-- wide); what sticks out at both ends, and everything when the unit is a single step, comes from the points.
with parts as (
  select bucket * @unit as step, min, max, mean, finite, diverged
  from series_rollups
  where @unit > 1 and series_id = @series and width = @unit and bucket between @first_unit and @last_unit
  union all
  select step, case when ok then value end, case when ok then value end, case when ok then value end,
    case when ok then 1 else 0 end, case when ok then 0 else 1 end
  from (
    select step, value, value between -1e300 and 1e300 as ok
    from series_points
    where series_id = @series and step between @from and @to
      and (@unit = 1 or step < @first_unit * @unit or step >= (@last_unit + 1) * @unit)) points)
select greatest(@from, (@from / @unit + n * @group) * @unit), least(@to, (@from / @unit + (n + 1) * @group) * @unit - 1),
  min(min), max(max), sum(mean * finite) / nullif(sum(finite), 0), sum(finite + diverged)::bigint, sum(diverged)::bigint
from (select *, (step / @unit - @from / @unit) / @group as n from parts) p
group by n order by n
