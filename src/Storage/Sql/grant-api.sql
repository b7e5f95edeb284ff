-- Everything but the schema; the audit trail only grows.
grant usage on schema public to :role;
grant select, insert, update, delete on all tables in schema public to :role;
grant usage, select on all sequences in schema public to :role;
revoke insert, update, delete on "__EFMigrationsHistory" from :role;
revoke update, delete on audit from :role;
