-- The database's time, then what moved since. A change is stamped before its commit makes it visible: look back a little further.
select now(), null::uuid, null, null
union all
select null, id, state, cancel_requested_at is not null
from runs where moved_at >= coalesce(@since, now()) - @commit_delay
