-- Position in the pool as the shares stand now, and whether some live worker could take the run at all.
with me as (select * from queue_order where id = @id),
live as (select datasets from workers w, me where w.pool = me.pool and w.last_seen_at > now() - @worker_silence)
select me.position, me.pool, me.required_dataset, me.not_before, me.not_before > now() as not_yet,
  (select count(*) from live) as workers,
  (select count(*) from live where me.required_dataset is null or me.required_dataset = any(live.datasets)) as able
from me
