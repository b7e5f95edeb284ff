#!/bin/sh
# Run once by an administrator of PostgreSQL (in docker-compose.yml: when the database is made): the database "metaopt" and a
# role for
# each kind of process. The owner changes the schema, and only in the step "migrate", which gives the other two what they need.
set -eu
: "${METAOPT_OWNER_PASSWORD:?}" "${METAOPT_API_PASSWORD:?}" "${METAOPT_WORKER_PASSWORD:?}"
# Passwords reach psql through the environment: a command line can be read by everybody on the machine.
psql --username "${POSTGRES_USER:-postgres}" --dbname postgres --no-psqlrc --quiet --set ON_ERROR_STOP=1 <<'SQL'
\getenv owner METAOPT_OWNER_PASSWORD
\getenv api METAOPT_API_PASSWORD
\getenv worker METAOPT_WORKER_PASSWORD
create role metaopt_owner login password :'owner';
create role metaopt_api login password :'api';
create role metaopt_worker login password :'worker';
create database metaopt owner metaopt_owner;
revoke all on database metaopt from public;
grant connect on database metaopt to metaopt_api, metaopt_worker;
SQL
