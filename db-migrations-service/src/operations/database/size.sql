WITH relation AS MATERIALIZED (
    SELECT n.nspname, c.relname, c.reltuples::int8 AS estimated_rows,
           pg_total_relation_size(c.oid) AS size_bytes, pg_indexes_size(c.oid) AS index_bytes
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'm') AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\_%'
      AND ($1::text[] IS NULL OR n.nspname = ANY ($1))
)
SELECT jsonb_build_object(
    'database', current_database(),
    'sizeBytes', pg_database_size(current_database()),
    'schemas', (
        SELECT coalesce(jsonb_agg(jsonb_build_object('schema', nspname, 'sizeBytes', size_bytes) ORDER BY size_bytes DESC, nspname), '[]')
        FROM (SELECT nspname, sum(size_bytes)::int8 AS size_bytes FROM relation GROUP BY nspname) s),
    'tables', (
        SELECT coalesce(jsonb_agg(jsonb_build_object(
                   'table', nspname || '.' || relname, 'sizeBytes', size_bytes, 'indexBytes', index_bytes,
                   'estimatedRows', estimated_rows) ORDER BY size_bytes DESC, nspname, relname), '[]')
        FROM (SELECT * FROM relation ORDER BY size_bytes DESC, nspname, relname LIMIT $2) t))
