insert into series (run_id, name)
select @id, n.name from unnest(@names) as n(name)
where not exists (select 1 from series s where s.run_id = @id and s.name = n.name)
on conflict (run_id, name) do nothing
