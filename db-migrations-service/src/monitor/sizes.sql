SET LOCAL transaction_read_only = on;
SET LOCAL statement_timeout = '5s';
SET LOCAL lock_timeout = '100ms';
SELECT coalesce(jsonb_object_agg(nspname, bytes), '{}') FROM (
    SELECT n.nspname, sum(pg_total_relation_size(c.oid))::int8 AS bytes
    FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid
    WHERE c.relkind IN ('r', 'm') AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\_%'
    GROUP BY n.nspname) s
