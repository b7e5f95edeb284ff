-- Adds the slot-seconds since the lease was last charged to its owner's share.
insert into usage as u (owner, slot_seconds, updated_at)
select owner, slot_weight(pool) * greatest(0, extract(epoch from clock_timestamp() - lease_charged_at)), clock_timestamp()
from runs where id = @id and lease_token = @token and state = 'running'
on conflict (owner) do update
set slot_seconds = decayed(u.slot_seconds, u.updated_at) + excluded.slot_seconds, updated_at = excluded.updated_at
