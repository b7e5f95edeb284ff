-- Position in the pool as the shares stand now, how many live workers there are and could take the run, and what it comes after.
select q.id, q.position, q.pool, q.required_dataset, q.not_before, q.not_before > now(), count(w.name),
  count(w.name) filter (where q.required_dataset is null or q.required_dataset = any(w.datasets)),
  array(select a.id || ' ' || coalesce(d.state, 'deleted') from unnest(q.blockers) as a(id) left join runs d on d.id = a.id)
from queue_order q left join workers w on w.pool = q.pool and w.last_seen_at > now() - @worker_silence
where q.id = any(@ids)
group by q.id, q.position, q.pool, q.required_dataset, q.not_before, q.blockers
