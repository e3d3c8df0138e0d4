SELECT jsonb_build_object(
    'activity', (
        SELECT jsonb_build_object(
                   'since', to_char(stats_reset AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
                   'cacheHitRatio', round(blks_hit::numeric / nullif(blks_hit + blks_read, 0), 4),
                   'commits', xact_commit, 'rollbacks', xact_rollback, 'deadlocks', deadlocks,
                   'temporaryBytes', temp_bytes,
                   'rowsRead', tup_fetched + tup_returned,
                   'rowsWritten', tup_inserted + tup_updated + tup_deleted)
        FROM pg_stat_database WHERE datname = current_database()),
    'sequentiallyRead', (
        SELECT coalesce(jsonb_agg(jsonb_build_object(
                   'table', schemaname || '.' || relname,
                   'sequentialScans', seq_scan, 'rowsRead', seq_tup_read, 'indexScans', coalesce(idx_scan, 0),
                   'liveRows', n_live_tup, 'deadRows', n_dead_tup) ORDER BY seq_tup_read DESC, schemaname, relname), '[]')
        FROM (SELECT * FROM pg_stat_user_tables WHERE seq_tup_read > 0
              ORDER BY seq_tup_read DESC, schemaname, relname LIMIT 20) t),
    'loaded', current_setting('shared_preload_libraries', true) LIKE '%pg_stat_statements%',
    'installedIn', (
        SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
        WHERE e.extname = 'pg_stat_statements'))
