drop view queue_order;
drop function blockers(uuid[]);
create view queue_order as
select r.id, r.pool, r.required_dataset, r.not_before,
  row_number() over (partition by r.pool order by r.priority desc, coalesce(s.used, 0), r.created_at, r.id) as position
from runs r left join fair_share s on s.owner = r.owner
where r.state = 'queued';
