-- One result per kind of object, each one JSON array. Nothing here opens a user's table but pg_relation_size and its
-- kin, which would wait behind an ACCESS EXCLUSIVE lock: where somebody holds or awaits one, the last known number of
-- pages has to do.
SELECT json_build_object(
    'server_version_num', current_setting('server_version_num')::int,
    'search_path', current_schemas(false), 'user', current_user,
    'utc', current_setting('TimeZone') IN ('UTC', 'Etc/UTC', 'GMT', 'Etc/UCT', 'UCT', 'Zulu', 'Universal', 'Greenwich'));
SELECT coalesce(json_agg(r), '[]') FROM (
    SELECT c.oid::int8 AS id, n.nspname AS schema, c.relname AS name, c.relkind AS kind, c.relpersistence AS persistence,
           c.relispartition AS is_partition, pg_get_userbyid(c.relowner) AS owner, coalesce(a.amname, '') AS method,
           c.reltuples AS tuples, c.relpages::int8 AS pages, coalesce(pg_stat_get_live_tuples(c.oid), 0) AS live,
           CASE WHEN c.relkind NOT IN ('r', 'm') THEN 0
                WHEN held.relation IS NULL THEN pg_relation_size(c.oid)
                ELSE c.relpages * current_setting('block_size')::int8 END AS heap_bytes,
           CASE WHEN c.relkind NOT IN ('r', 'm', 'i', 'S') THEN 0
                WHEN held.relation IS NULL THEN pg_table_size(c.oid)
                ELSE c.relpages * current_setting('block_size')::int8 END AS bytes,
           CASE WHEN c.relkind NOT IN ('r', 'm', 'i', 'S') THEN 0
                WHEN held.relation IS NULL THEN pg_total_relation_size(c.oid)
                ELSE c.relpages * current_setting('block_size')::int8 END AS total_bytes,
           i.indrelid::int8 AS index_of,
           i.indexprs IS NOT NULL OR i.indpred IS NOT NULL AS expressions,
           array_remove(string_to_array(i.indkey::text, ' ')::int[], 0) AS keys,
           CASE WHEN t.partdefid <> 0 THEN t.partdefid::int8 END AS default_partition,
           coalesce(s.spcname, '') AS tablespace
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_am a ON a.oid = c.relam
    LEFT JOIN pg_index i ON i.indexrelid = c.oid
    LEFT JOIN pg_partitioned_table t ON t.partrelid = c.oid
    LEFT JOIN pg_tablespace s ON s.oid = c.reltablespace
    LEFT JOIN (SELECT DISTINCT relation FROM pg_locks
               WHERE mode = 'AccessExclusiveLock' AND pid <> pg_backend_pid()
                 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())) held
           ON held.relation = c.oid
    WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
      AND (n.nspname NOT LIKE 'pg\_%temp\_%' OR n.oid = pg_my_temp_schema())) r;
SELECT coalesce(json_agg(r), '[]') FROM (
    SELECT a.attrelid::int8 AS relation, a.attnum AS number, a.attname AS name, a.atttypid::int8 AS type,
           a.atttypmod AS modifier, a.attnotnull AS not_null
    FROM pg_attribute a
    JOIN pg_class c ON c.oid = a.attrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c')
      AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
      AND (n.nspname NOT LIKE 'pg\_%temp\_%' OR n.oid = pg_my_temp_schema())
    ORDER BY a.attrelid, a.attnum) r;
SELECT coalesce(json_agg(r), '[]') FROM (
    SELECT oid::int8 AS id, conname AS name, conrelid::int8 AS relation, contype AS kind,
           convalidated AS validated, confrelid::int8 AS referenced,
           confdeltype IN ('c', 'n', 'd') OR confupdtype IN ('c', 'n', 'd') AS writes,
           coalesce(conkey, '{}') AS columns, coalesce(confkey, '{}') AS referenced_columns,
           conparentid::int8 AS parent,
           -- Columns that a check of nothing but IS NOT NULL, joined by AND, proves. pg_get_constraintdef would open the
           -- table and wait for its locks.
           CASE WHEN contype = 'c' AND conbin::text !~ '\{(?!NULLTEST|VAR|BOOLEXPR)'
                     AND conbin::text !~ ':boolop (or|not)' AND conbin::text !~ ':nulltesttype 0'
                     AND conbin::text ~ '^\{(NULLTEST|BOOLEXPR)'
                THEN ARRAY(SELECT (regexp_matches(conbin::text, ':varattno (\d+)', 'g'))[1]::int)
                ELSE '{}' END AS not_null
    FROM pg_constraint WHERE oid >= 16384) r;
SELECT coalesce(json_agg(r), '[]') FROM (
    SELECT t.oid::int8 AS id, t.tgrelid::int8 AS relation, t.tgname AS name, t.tgtype AS type,
           t.tgenabled <> 'D' AS enabled,
           pn.nspname || '.' || p.proname AS routine
    FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_namespace pn ON pn.oid = p.pronamespace
    WHERE NOT t.tgisinternal OR t.tgparentid <> 0) r;
SELECT coalesce(json_agg(r), '[]') FROM (
    SELECT inhrelid::int8 AS child, inhparent::int8 AS parent FROM pg_inherits) r;
SELECT coalesce(json_agg(r), '[]') FROM (
    SELECT classid::regclass::text AS class, objid::int8 AS id, objsubid AS sub,
           refclassid::regclass::text AS on_class, refobjid::int8 AS on_id, refobjsubid AS on_sub
    FROM pg_depend WHERE objid >= 16384 AND refobjid >= 16384) r;
SELECT coalesce(json_agg(r), '[]') FROM (
    SELECT 'pg_policy' AS class, oid::int8 AS id, polrelid::int8 AS relation, '' AS schema, polname AS name, 0 AS sub
    FROM pg_policy
    UNION ALL SELECT 'pg_rewrite', oid::int8, ev_class::int8, '', rulename, 0 FROM pg_rewrite WHERE oid >= 16384
    UNION ALL SELECT 'pg_attrdef', oid::int8, adrelid::int8, '', '', adnum FROM pg_attrdef
    UNION ALL SELECT 'pg_statistic_ext', e.oid::int8, stxrelid::int8, n.nspname, stxname, 0
              FROM pg_statistic_ext e JOIN pg_namespace n ON n.oid = stxnamespace
    UNION ALL SELECT 'pg_namespace', oid::int8, 0, '', nspname, 0 FROM pg_namespace
    UNION ALL SELECT 'pg_extension', oid::int8, 0, '', extname, 0 FROM pg_extension) r;
SELECT coalesce(json_agg(r), '[]') FROM (
    SELECT t.oid::int8 AS id, n.nspname AS schema, t.typname AS name, t.typtype AS kind, t.typbasetype::int8 AS base,
           t.typtypmod AS modifier, t.typrelid::int8 AS relation, t.typelem::int8 AS element,
           t.typnotnull OR EXISTS (SELECT FROM pg_constraint WHERE contypid = t.oid) AS constrained
    FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
    WHERE t.oid >= 16384 OR t.typrelid = 0) r;
SELECT coalesce(json_agg(json_build_array(castsource::int8, casttarget::int8)), '[]')
FROM pg_cast WHERE castmethod = 'b';
SELECT coalesce(json_agg(r), '[]') FROM (
    SELECT p.oid::int8 AS id, n.nspname AS schema, p.proname AS name, p.provolatile = 'v' AS volatile, p.oid < 16384 AS builtin
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE p.oid >= 16384 OR (n.nspname = 'pg_catalog' AND p.provolatile = 'v')) r;
