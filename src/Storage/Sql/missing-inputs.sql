-- What a run needs and is not there: runs it comes after, checkpoints it reads.
select a.id from unnest(@after) as a(id) where not exists (select 1 from runs r where r.id = a.id)
union all
select i.id from unnest(@inputs) as i(id) where not exists (select 1 from checkpoints c where c.id = i.id)
