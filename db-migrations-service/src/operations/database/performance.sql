-- Sizes here are what the planner believes, from the last VACUUM or ANALYZE: asking for them waits for nobody's lock.
WITH activity AS MATERIALIZED (
    SELECT t.schemaname || '.' || t.relname AS name, t.seq_scan, t.seq_tup_read, coalesce(t.idx_scan, 0) AS idx_scan,
           t.n_live_tup, t.n_dead_tup, c.relpages, c.relpages * current_setting('block_size')::int8 AS size_bytes,
           round(io.heap_blks_hit::numeric / nullif(io.heap_blks_hit + io.heap_blks_read, 0), 4) AS cache_hit_ratio
    FROM pg_stat_user_tables t JOIN pg_class c ON c.oid = t.relid JOIN pg_statio_user_tables io ON io.relid = t.relid
    WHERE t.seq_tup_read > 0 AND ($1::text[] IS NULL OR t.schemaname = ANY ($1))
), foreign_key AS MATERIALIZED (
    SELECT k.oid, k.conrelid, k.conkey, EXISTS (
               -- Its first columns are the key's, in any order, and it has every row that can be meant.
               SELECT FROM pg_index i
               WHERE i.indrelid = k.conrelid AND i.indisvalid
                 AND (i.indkey::int2[])[0:cardinality(k.conkey) - 1] @> k.conkey
                 AND (i.indkey::int2[])[0:cardinality(k.conkey) - 1] <@ k.conkey
                 AND (i.indpred IS NULL OR pg_get_expr(i.indpred, i.indrelid) = (
                         SELECT format('(%I IS NOT NULL)', a.attname) FROM pg_attribute a
                         WHERE a.attrelid = k.conrelid AND a.attnum = k.conkey[1] AND cardinality(k.conkey) = 1))
           ) AS has_index
    FROM pg_constraint k WHERE k.contype = 'f' AND k.conparentid = 0
)
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
                   'table', name, 'sequentialScans', seq_scan, 'rowsRead', seq_tup_read, 'indexScans', idx_scan,
                   'liveRows', n_live_tup, 'deadRows', n_dead_tup, 'sizeBytes', size_bytes,
                   'cacheHitRatio', cache_hit_ratio) ORDER BY seq_tup_read DESC, name), '[]')
        FROM (SELECT * FROM activity ORDER BY seq_tup_read DESC, name LIMIT $2) t),
    -- 8 MiB with blocks of the usual size. Below, reading the whole table is often the best that can be done.
    'largeTableScans', (
        SELECT coalesce(jsonb_agg(jsonb_build_object(
                   'table', name, 'sequentialScans', seq_scan, 'rowsRead', seq_tup_read, 'indexScans', idx_scan,
                   'liveRows', n_live_tup, 'deadRows', n_dead_tup, 'sizeBytes', size_bytes,
                   'cacheHitRatio', cache_hit_ratio) ORDER BY seq_tup_read DESC, name), '[]')
        FROM (SELECT * FROM activity WHERE relpages >= 1024
              ORDER BY seq_tup_read DESC, name LIMIT $2) t),
    'unusedIndexes', (
        SELECT coalesce(jsonb_agg(jsonb_build_object(
                   'index', schemaname || '.' || indexrelname, 'table', schemaname || '.' || relname,
                   'definition', pg_get_indexdef(indexrelid), 'sizeBytes', size_bytes, 'servesForeignKey', serves)
                   ORDER BY size_bytes DESC, schemaname, indexrelname), '[]')
        FROM (SELECT s.*, c.relpages * current_setting('block_size')::int8 AS size_bytes, EXISTS (
                         SELECT FROM foreign_key k
                         WHERE k.conrelid = i.indrelid
                           AND (i.indkey::int2[])[0:cardinality(k.conkey) - 1] @> k.conkey
                           AND (i.indkey::int2[])[0:cardinality(k.conkey) - 1] <@ k.conkey) AS serves
              FROM pg_stat_user_indexes s JOIN pg_index i ON i.indexrelid = s.indexrelid JOIN pg_class c ON c.oid = s.indexrelid
              WHERE s.idx_scan = 0 AND NOT i.indisunique AND NOT i.indisreplident AND i.indisvalid
                AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid)
                AND s.schemaname <> 'migration_service' AND ($1::text[] IS NULL OR s.schemaname = ANY ($1))
              ORDER BY size_bytes DESC, s.schemaname, s.indexrelname LIMIT $2) u),
    'missingIndexes', (
        SELECT coalesce(jsonb_agg(jsonb_build_object(
                   'table', name, 'foreignKey', conname, 'columns', columns, 'references', referenced,
                   'estimatedRows', reltuples, 'sizeBytes', size_bytes,
                   'statement', 'CREATE INDEX CONCURRENTLY ON ' || quoted || ' (' || quoted_columns || ')')
                   ORDER BY size_bytes DESC, name, conname), '[]')
        FROM (SELECT n.nspname || '.' || c.relname AS name, k.conname, a.columns, a.quoted_columns,
                     format('%I.%I', n.nspname, c.relname) AS quoted, rn.nspname || '.' || r.relname AS referenced,
                     c.reltuples::int8 AS reltuples, c.relpages * current_setting('block_size')::int8 AS size_bytes
              FROM foreign_key f JOIN pg_constraint k ON k.oid = f.oid
              JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
              JOIN pg_class r ON r.oid = k.confrelid JOIN pg_namespace rn ON rn.oid = r.relnamespace
              CROSS JOIN LATERAL (
                  SELECT jsonb_agg(a.attname ORDER BY u.place) AS columns,
                         string_agg(quote_ident(a.attname), ', ' ORDER BY u.place) AS quoted_columns
                  FROM unnest(k.conkey) WITH ORDINALITY u (attnum, place)
                  JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum) a
              WHERE NOT f.has_index AND ($1::text[] IS NULL OR n.nspname = ANY ($1))
              ORDER BY size_bytes DESC, name, k.conname LIMIT $2) m),
    'loaded', current_setting('shared_preload_libraries', true) LIKE '%pg_stat_statements%',
    'installedIn', (
        SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
        WHERE e.extname = 'pg_stat_statements'))
