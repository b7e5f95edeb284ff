-- Only what was sent (is not null) is written: changes of different fields at the same time both hold.
update runs
set name = coalesce(@name, name), tags = coalesce(@tags, tags), notes = coalesce(@notes, notes),
    priority = coalesce(@priority, priority), time_limit = coalesce(@time_limit, time_limit)
where id = @id and (@version::bigint is null or version = @version)
