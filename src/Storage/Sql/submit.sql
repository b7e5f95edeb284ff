-- A second submission with the owner's key returns no row; the caller then looks at what the key stands for.
insert into runs (id, kind, name, tags, notes, owner, pool, priority, spec, spec_sha256, required_dataset, max_deaths,
                  not_before, time_limit, after, inputs, batch, forked_from,
                  idempotency_key, request_sha256, deaths, attempt, lease_token)
values (@id, @kind, @name, @tags, @notes, @owner, @pool, @priority, @spec, @spec_sha256, @required_dataset, @max_deaths,
        coalesce(@not_before, clock_timestamp()), @time_limit, @after, @inputs, @batch, @forked_from,
        @idempotency_key, @request_sha256, 0, 0, 0)
on conflict (owner, idempotency_key) where idempotency_key is not null do nothing
returning id
