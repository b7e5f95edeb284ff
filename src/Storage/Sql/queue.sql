-- Every waiting run in the order of the queue, with what its reason and its start depend on.
select q.id, q.position, q.pool, q.required_dataset, q.not_before, q.not_before > now(), count(w.name),
  count(w.name) filter (where q.required_dataset is null or q.required_dataset = any(w.datasets)),
  array(select a.id || ' ' || coalesce(d.state, 'deleted') from unnest(q.blockers) as a(id) left join runs d on d.id = a.id),
  q.paused, q.exceeded, count(w.name) filter (where w.draining), q.priority, q.owner, r.spec ->> 'kernels',
  count(w.name) filter (
    where coalesce(r.spec ->> 'kernels', 'auto') in ('auto', 'simd', 'scalar') or w.facts -> 'kernelSets' ? (r.spec ->> 'kernels'))
from queue_order q join runs r on r.id = q.id left join workers w on w.pool = q.pool and w.last_seen_at > now() - @worker_silence
where @ids::uuid[] is null or q.id = any(@ids)
group by q.id, q.position, q.pool, q.required_dataset, q.not_before, q.blockers, q.paused, q.exceeded, q.priority, q.owner,
  r.spec ->> 'kernels'
order by q.pool, q.position
