insert into series (run_id, name)
select @id, name from unnest(@names) as name
where not exists (select 1 from series s where s.run_id = @id and s.name = name)
on conflict (run_id, name) do nothing
