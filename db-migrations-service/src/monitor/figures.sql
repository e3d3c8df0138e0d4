SET LOCAL transaction_read_only = on;
SET LOCAL statement_timeout = '5s';
SET LOCAL lock_timeout = '100ms';
WITH client AS MATERIALIZED (
    SELECT datname, coalesce(state, 'unknown') AS state, xact_start
    FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
), here AS (
    SELECT state, xact_start FROM client WHERE datname = current_database()
)
SELECT jsonb_build_object(
    'maxConnections', current_setting('max_connections')::int8,
    'reservedConnections', current_setting('superuser_reserved_connections')::int8,
    -- Every state that there is, so that one nobody is in is 0 and not absent; this session is one of those that count.
    'sessions', (
        SELECT jsonb_object_agg(state, n) FROM (
            SELECT state, count(*) FILTER (WHERE open) + (state = 'active')::int AS n FROM (
                SELECT state, true AS open FROM here
                UNION ALL
                SELECT unnest(ARRAY['active', 'idle', 'idle in transaction', 'idle in transaction (aborted)']), false) s
            GROUP BY state) n),
    'sessionsElsewhere', (SELECT count(*) FROM client WHERE datname IS DISTINCT FROM current_database()),
    'transactions', (SELECT count(*) FROM here WHERE xact_start IS NOT NULL),
    'oldestTransactionS', (
        SELECT coalesce(jsonb_object_agg(state, s), '{}') FROM (
            SELECT state, greatest(0, extract(epoch FROM clock_timestamp() - min(xact_start))) AS s
            FROM here WHERE xact_start IS NOT NULL GROUP BY state) t),
    'longestLockWaitS', (
        SELECT greatest(0, extract(epoch FROM clock_timestamp() - min(l.waitstart)))
        FROM pg_locks l
        WHERE NOT l.granted AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())),
    'database', (
        SELECT jsonb_build_object(
                   'numbackends', numbackends, 'xact_commit', xact_commit, 'xact_rollback', xact_rollback,
                   'blks_read', blks_read, 'blks_hit', blks_hit, 'tup_returned', tup_returned,
                   'tup_fetched', tup_fetched, 'tup_inserted', tup_inserted, 'tup_updated', tup_updated,
                   'tup_deleted', tup_deleted, 'conflicts', conflicts, 'temp_files', temp_files,
                   'temp_bytes', temp_bytes, 'deadlocks', deadlocks)
        FROM pg_stat_database WHERE datname = current_database()),
    'sizeBytes', pg_database_size(current_database()),
    'isReplica', pg_is_in_recovery(),
    -- Where nothing is written, the last transaction is old and the standby not behind for that: it has replayed all that it
    -- was sent, and somebody sends it.
    'replicationLagS', CASE WHEN NOT pg_is_in_recovery() THEN 0
        WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() AND EXISTS (SELECT FROM pg_stat_wal_receiver) THEN 0
        ELSE greatest(0, extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())) END,
    -- Only who may see the standbys sees any.
    'standbyLagS', (SELECT max(extract(epoch FROM coalesce(replay_lag, '0'))) FROM pg_stat_replication WHERE state IS NOT NULL),
    'startedAtS', extract(epoch FROM pg_postmaster_start_time()),
    'port', (SELECT setting::int8 FROM pg_settings WHERE name = 'port'),
    -- Absent for who may not see it.
    'dataDirectory', (SELECT setting FROM pg_settings WHERE name = 'data_directory'))
