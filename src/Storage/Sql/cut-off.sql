-- The worker of a lost lease lives, and so did its child: the loss is not a death. The deaths of a run are those of its last
-- attempts, since a resume point or a retry forgave the earlier ones; this one is taken back if it is still among them. What
-- ended stays ended.
with back as (
  update attempts set outcome = 'cut-off', detail = detail || ' while it was cut off from the database'
  where run_id = @id and token = @token and outcome = 'lost'
  returning run_id, number)
update runs r set deaths = deaths - 1
from back b
where r.id = b.run_id and r.state in ('queued', 'running') and r.deaths >
  (select count(*) from attempts later
    where later.run_id = r.id and later.number > b.number and later.outcome in ('died', 'lost'))
