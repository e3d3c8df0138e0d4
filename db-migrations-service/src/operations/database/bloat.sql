-- How many blocks the rows would take if they were packed anew, by the planner's statistics, against how many they take.
-- An estimate: of tables and B-trees that were analyzed, of which every column's width is known to this role.
WITH block AS (
    SELECT current_setting('block_size')::numeric AS size
), stats AS MATERIALIZED (
    SELECT schemaname, tablename, attname, (1 - null_frac)::numeric * avg_width AS width, null_frac > 0 AS has_nulls
    FROM pg_stats WHERE NOT inherited AND ($1::text[] IS NULL OR schemaname = ANY ($1))
), relation AS (
    SELECT c.oid, c.oid AS table_oid, 'table' AS kind, n.nspname, c.relname, c.relpages, c.reltuples, c.reloptions,
           array(SELECT attnum FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped) AS keys,
           n.nspname AS table_schema, c.relname AS table_name
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'm') AND c.relpages >= 128 AND c.reltuples >= 0
      AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\_%'
      AND ($1::text[] IS NULL OR n.nspname = ANY ($1))
    UNION ALL
    SELECT c.oid, t.oid, 'index', n.nspname, c.relname, c.relpages, c.reltuples, c.reloptions,
           i.indkey::int2[], tn.nspname, t.relname
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace tn ON tn.oid = t.relnamespace JOIN pg_am am ON am.oid = c.relam
    WHERE am.amname = 'btree' AND c.relpages >= 128 AND c.reltuples >= 0 AND i.indisvalid
      AND n.nspname NOT LIKE 'pg\_%' AND ($1::text[] IS NULL OR n.nspname = ANY ($1))
), row_size AS (
    SELECT r.*, w.width, w.columns, w.has_nulls, coalesce(
               (SELECT option_value::numeric FROM pg_options_to_table(r.reloptions) WHERE option_name = 'fillfactor'),
               CASE r.kind WHEN 'table' THEN 100 ELSE 90 END) / 100 AS fill
    FROM relation r
    CROSS JOIN LATERAL (
        SELECT sum(s.width) AS width, count(*) AS columns, bool_or(s.has_nulls) AS has_nulls, count(s.attname) AS known
        FROM unnest(r.keys) k (attnum)
        LEFT JOIN pg_attribute a ON a.attrelid = r.table_oid AND a.attnum = k.attnum
        LEFT JOIN stats s ON s.schemaname = r.table_schema AND s.tablename = r.table_name AND s.attname = a.attname) w
    WHERE w.known = w.columns AND w.columns > 0
), packed AS (
    -- Headers and alignment as PostgreSQL's documentation has them under "Database Page Layout".
    SELECT s.nspname || '.' || s.relname AS name, s.kind, s.relpages * b.size AS size_bytes,
           CASE s.kind
               WHEN 'table' THEN ceil(s.reltuples::numeric
                   * (4 + ceil((23 + CASE WHEN s.has_nulls THEN ceil(s.columns / 8.0) ELSE 0 END) / 8) * 8 + ceil(s.width / 8) * 8)
                   / ((b.size - 24) * s.fill))
               ELSE 1 + ceil(s.reltuples::numeric
                   * (4 + ceil((8 + CASE WHEN s.has_nulls THEN ceil(s.columns / 8.0) ELSE 0 END) / 8) * 8 + ceil(s.width / 8) * 8)
                   / ((b.size - 40) * s.fill))
           END * b.size AS packed_bytes
    FROM row_size s CROSS JOIN block b
)
SELECT coalesce(jsonb_agg(jsonb_build_object(
           'name', name, 'kind', kind, 'sizeBytes', size_bytes::int8, 'wastedBytes', (size_bytes - packed_bytes)::int8,
           'ratio', round((size_bytes - packed_bytes) / size_bytes, 4)) ORDER BY size_bytes - packed_bytes DESC, name), '[]')
FROM (SELECT * FROM packed
      WHERE size_bytes - packed_bytes >= 1048576 AND size_bytes - packed_bytes >= size_bytes * 0.2
      ORDER BY size_bytes - packed_bytes DESC, name LIMIT $2) p
