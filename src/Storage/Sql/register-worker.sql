-- Written at most every few seconds, or when something changed: workers say it with every claim.
insert into workers as w (name, pool, datasets, slots, facts, first_seen_at, last_seen_at)
values (@name, @pool, @datasets, @slots, @facts, clock_timestamp(), clock_timestamp())
on conflict (name) do update
set pool = excluded.pool, datasets = excluded.datasets, slots = excluded.slots, facts = excluded.facts,
  last_seen_at = excluded.last_seen_at
where w.last_seen_at < now() - interval '5 seconds'
  or (w.pool, w.datasets, w.slots, w.facts) is distinct from (excluded.pool, excluded.datasets, excluded.slots, excluded.facts)
