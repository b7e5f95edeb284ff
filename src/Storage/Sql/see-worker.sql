update workers set last_seen_at = clock_timestamp() where name = @name and last_seen_at < now() - interval '5 seconds'
