insert into workers (name, pool, datasets, facts, first_seen_at, last_seen_at)
values (@name, @pool, @datasets, @facts, clock_timestamp(), clock_timestamp())
on conflict (name) do update
set pool = excluded.pool, datasets = excluded.datasets, facts = excluded.facts, last_seen_at = excluded.last_seen_at
