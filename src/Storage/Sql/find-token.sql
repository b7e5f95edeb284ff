-- The use is noted once a minute at most: reading must not mean writing. A session ends with the token it was signed in with.
select t.secret_sha256, u.id, u.name, u.role, t.scopes, t.last_used_at is null or t.last_used_at < now() - interval '1 minute'
from tokens t join users u on u.id = t.user_id left join tokens p on p.id = t.session_of
where t.id = @id and (t.session_of is not null) = @session and u.disabled_at is null
  and t.revoked_at is null and (t.expires_at is null or t.expires_at > now())
  and p.revoked_at is null and (p.expires_at is null or p.expires_at > now())
