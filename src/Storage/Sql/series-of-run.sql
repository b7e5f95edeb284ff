select id, name from series where run_id = @id
