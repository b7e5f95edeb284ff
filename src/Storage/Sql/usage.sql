-- What everybody uses and may use.
select n.name, (select count(*) from runs r where r.owner = n.name and r.state = 'running'),
  (select count(*) from runs r where r.owner = n.name and r.state = 'queued'), stored_bytes(n.name), device_seconds(n.name),
  coalesce((select used from fair_share s where s.owner = n.name), 0),
  coalesce((select weight from users u where u.name = n.name), 1),
  q.running, q.queued, q.stored_bytes, q.device_hours
from (select name from users union select owner from runs) n cross join quota_of(n.name) q
where @owner::text is null or n.name = @owner
order by n.name
