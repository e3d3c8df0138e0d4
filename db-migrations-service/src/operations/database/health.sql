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
        FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()))
