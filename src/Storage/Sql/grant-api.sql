-- Everything but the schema; the audit trail only grows.
grant usage on schema public to :role;
grant select, insert, update, delete on all tables in schema public to :role;
grant usage, select on all sequences in schema public to :role;
revoke insert, update, delete on "__EFMigrationsHistory" from :role;
revoke update, delete on audit from :role;
-- Background jobs; whoever writes there has the API execute any method, so nobody else may.
do $$ begin
  if exists (select from pg_namespace where nspname = 'hangfire') then
    revoke all on schema hangfire from public;
    grant usage on schema hangfire to :role;
    grant select, insert, update, delete on all tables in schema hangfire to :role;
    grant usage, select on all sequences in schema hangfire to :role;
    revoke insert, update, delete on hangfire.schema from :role;
  end if;
end $$;
