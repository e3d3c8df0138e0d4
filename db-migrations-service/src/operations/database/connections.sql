WITH client AS MATERIALIZED (
    SELECT * FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
), here AS (
    SELECT * FROM client WHERE datname = current_database()
)
SELECT jsonb_build_object(
    'total', (SELECT count(*) FROM client),
    'maxConnections', current_setting('max_connections')::int8,
    'reserved', current_setting('superuser_reserved_connections')::int8,
    'byState', (
        SELECT coalesce(jsonb_object_agg(state, n), '{}')
        FROM (SELECT coalesce(state, 'unknown') AS state, count(*) AS n FROM here GROUP BY 1) s),
    'byApplication', (
        SELECT coalesce(jsonb_object_agg(application, n), '{}')
        FROM (SELECT coalesce(nullif(application_name, ''), 'unnamed') AS application, count(*) AS n
              FROM here GROUP BY 1 ORDER BY 2 DESC LIMIT 50) a),
    'transactions', (
        SELECT coalesce(jsonb_agg(jsonb_build_object(
                   'pid', pid, 'user', usename, 'application', nullif(application_name, ''), 'state', state,
                   'waitsFor', wait_event_type || '/' || wait_event,
                   'blockedBy', to_jsonb(pg_blocking_pids(pid)),
                   'transactionMs', (extract(epoch FROM clock_timestamp() - xact_start) * 1000)::int8
               ) ORDER BY xact_start), '[]')
        FROM (SELECT * FROM here
              WHERE xact_start IS NOT NULL AND ($1::text[] IS NULL OR EXISTS (
                  SELECT FROM pg_locks l JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace
                  WHERE l.pid = here.pid AND n.nspname = ANY ($1)))
              ORDER BY xact_start LIMIT $2) t))
