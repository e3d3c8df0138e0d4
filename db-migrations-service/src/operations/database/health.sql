WITH schema AS MATERIALIZED (
    SELECT oid, nspname FROM pg_namespace
    WHERE nspname <> 'information_schema' AND nspname NOT LIKE 'pg\_%' AND ($1::text[] IS NULL OR nspname = ANY ($1))
    ORDER BY nspname LIMIT $2
)
SELECT jsonb_build_object(
    'database', current_database(),
    'startedAt', to_char(pg_postmaster_start_time() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
    'inRecovery', pg_is_in_recovery(),
    -- This session made itself read-only, so the server's own setting is asked for.
    'readOnly', (SELECT reset_val = 'on' FROM pg_settings WHERE name = 'default_transaction_read_only'),
    'connections', (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
    'maxConnections', current_setting('max_connections')::int8,
    'longestTransactionMs', (
        SELECT (extract(epoch FROM max(clock_timestamp() - xact_start)) * 1000)::int8
        FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()),
    'transactionIdAge', (SELECT age(datfrozenxid)::int8 FROM pg_database WHERE datname = current_database()),
    'schemas', (
        SELECT coalesce(jsonb_agg(jsonb_build_object(
                   'schema', s.nspname,
                   'tables', t.tables, 'liveRows', t.live_rows, 'deadRows', t.dead_rows, 'neverAnalyzed', t.never_analyzed,
                   'invalidIndexes', (
                       SELECT coalesce(jsonb_agg(name ORDER BY name), '[]')
                       FROM (SELECT s.nspname || '.' || c.relname AS name
                             FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
                             WHERE c.relnamespace = s.oid AND NOT i.indisvalid ORDER BY 1 LIMIT 20) i),
                   'unvalidatedConstraints', (
                       SELECT coalesce(jsonb_agg(name ORDER BY name), '[]')
                       FROM (SELECT c.relname || '.' || k.conname AS name
                             FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
                             WHERE k.connamespace = s.oid AND NOT k.convalidated ORDER BY 1 LIMIT 20) k)
               ) ORDER BY s.nspname), '[]')
        FROM schema s
        CROSS JOIN LATERAL (
            SELECT count(*) AS tables, coalesce(sum(n_live_tup), 0)::int8 AS live_rows,
                   coalesce(sum(n_dead_tup), 0)::int8 AS dead_rows,
                   count(*) FILTER (WHERE coalesce(last_analyze, last_autoanalyze) IS NULL) AS never_analyzed
            FROM pg_stat_user_tables WHERE schemaname = s.nspname) t))
