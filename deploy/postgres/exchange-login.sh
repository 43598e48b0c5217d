#!/bin/sh
# Run once by the PostgreSQL image, on an empty volume: the login of gateways and relays, with the password that
# secrets.sh made. `lacolle db roles` gives it its rights; it owns nothing.
set -eu
psql --no-psqlrc --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
    --set password="$(cat /run/secrets/database_exchange)" <<'SQL'
CREATE ROLE lacolle LOGIN INHERIT BYPASSRLS PASSWORD :'password';
SQL
