insert into run_logs (run_id, attempt, at, text)
select @run, @attempt, clock_timestamp(), l.text from unnest(@lines) with ordinality as l(text, number) order by l.number;
delete from run_logs
where run_id = @run and seq <= (select seq from run_logs where run_id = @run order by seq desc offset @most limit 1)
