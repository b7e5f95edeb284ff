-- What a worker claims, renews and stores. It reads users for their weights, and has no business with tokens, the
-- audit trail, schedules and subscriptions.
grant usage on schema public to :role;
grant select, insert, update, delete on all tables in schema public to :role;
grant usage, select on all sequences in schema public to :role;
revoke all on tokens, audit, schedules, subscriptions, deliveries from :role;
revoke insert, update, delete on users, "__EFMigrationsHistory" from :role;
