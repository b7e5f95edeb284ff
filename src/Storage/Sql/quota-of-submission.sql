-- What the owner has too much of for @more runs to wait; null when nothing.
select case
  when q.queued < @more + (select count(*) from runs where owner = @owner and state = 'queued')
    then format('%s of %s waiting runs', (select count(*) from runs where owner = @owner and state = 'queued'), q.queued)
  when q.stored_bytes <= stored_bytes(@owner)
    then format('%s of %s MB of checkpoints', stored_bytes(@owner) / 1000000, q.stored_bytes / 1000000)
end
from quota_of(@owner) q
