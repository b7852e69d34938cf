#!/bin/bash
# Runs once on the first leader, with a connection string as argument: the role that the agent reads with.
set -euo pipefail
psql -v ON_ERROR_STOP=1 -d "$1" <<'SQL'
CREATE ROLE otel LOGIN CONNECTION LIMIT 3;
GRANT pg_monitor TO otel;
ALTER ROLE otel SET statement_timeout = '2s';
ALTER ROLE otel SET lock_timeout = '500ms';
ALTER ROLE otel SET idle_in_transaction_session_timeout = '5s';
CREATE EXTENSION IF NOT EXISTS pg_stat_statements;
SQL
