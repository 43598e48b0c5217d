#!/bin/sh
# Run once by the PostgreSQL image, on an empty volume: the login of gateways and relays, with the password that
# secrets.sh made. `lacolle db roles` gives it its rights; it owns nothing.
set -eu
# The password goes from its file into psql: an argument would stand in the list of processes.
psql --no-psqlrc --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
\set password `cat /run/secrets/database_exchange`
CREATE ROLE lacolle LOGIN INHERIT BYPASSRLS PASSWORD :'password';
SQL
