-- What in other schemas is bound to objects of the schemas and can be taken off and put back by its own definition: what it is, the
-- statement that takes it off, the one that puts it back. With nothing on the search path, definitions name everything in full.
-- Of a foreign key that holds and can be put back without being checked also: its name, its table, the table beside that it will lead to,
-- its columns, the same of `k`, the conditions over `k` (a row of the table) and `r` (one of the table beside) that it is set and that it is met, and the
-- statements that put it back unchecked and check it.
WITH swapped AS (
    SELECT oid FROM pg_namespace WHERE nspname IN (:schemas)
), staged AS (
    SELECT oid FROM pg_namespace WHERE nspname IN (:staged)
), inside (classid, objid) AS (
    SELECT 'pg_class'::regclass::oid, c.oid FROM pg_class c WHERE c.relnamespace IN (SELECT oid FROM swapped)
    UNION ALL SELECT 'pg_proc'::regclass::oid, p.oid FROM pg_proc p WHERE p.pronamespace IN (SELECT oid FROM swapped)
    UNION ALL SELECT 'pg_type'::regclass::oid, t.oid FROM pg_type t WHERE t.typnamespace IN (SELECT oid FROM swapped)
), bound (classid, objid) AS (
    SELECT DISTINCT d.classid, d.objid FROM pg_depend d JOIN inside i ON i.classid = d.refclassid AND i.objid = d.refobjid
     WHERE d.classid IN ('pg_policy'::regclass, 'pg_trigger'::regclass) AND d.deptype IN ('n', 'a')
), tables AS (
    SELECT c.oid, c.relkind, format('%I.%I', n.nspname, c.relname) AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.oid NOT IN (SELECT oid FROM swapped) AND n.oid NOT IN (SELECT oid FROM staged)
)
SELECT 'foreign key ' || quote_ident(k.conname) || ' of ' || t.name,
       format('ALTER TABLE %s DROP CONSTRAINT %I', t.name, k.conname),
       format('ALTER TABLE %s ADD CONSTRAINT %I %s', t.name, k.conname, pg_get_constraintdef(k.oid)) || remark.statement,
       quote_ident(k.conname), t.name,
       CASE f.relkind WHEN 'p' THEN '' ELSE 'ONLY ' END || format('%I.%I', (SELECT p.staged FROM (VALUES :pairs) p (live, staged) WHERE p.live = fn.nspname), f.relname),
       columns.names, columns.of_k,
       (SELECT string_agg(format('k.%I IS NOT NULL', a.attname), ' AND ') FROM pg_attribute a WHERE a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey)),
       (SELECT string_agg(format('r.%I OPERATOR(%I.%s) k.%I', fa.attname, n.nspname, o.oprname, ka.attname), ' AND ')
          FROM unnest(k.conkey, k.confkey, k.conpfeqop) c (here, there, equal)
          JOIN pg_attribute ka ON ka.attrelid = k.conrelid AND ka.attnum = c.here JOIN pg_attribute fa ON fa.attrelid = k.confrelid AND fa.attnum = c.there
          JOIN pg_operator o ON o.oid = c.equal JOIN pg_namespace n ON n.oid = o.oprnamespace),
       -- A partitioned table takes none unchecked (before PostgreSQL 18), and one of periods is met by several rows together.
       CASE WHEN k.convalidated AND t.relkind = 'r' AND to_jsonb(k) ->> 'conperiod' IS DISTINCT FROM 'true'
            THEN format('ALTER TABLE %s ADD CONSTRAINT %I %s NOT VALID', t.name, k.conname, pg_get_constraintdef(k.oid)) || remark.statement END,
       format('ALTER TABLE %s VALIDATE CONSTRAINT %I', t.name, k.conname)
  FROM pg_constraint k JOIN tables t ON t.oid = k.conrelid JOIN pg_class f ON f.oid = k.confrelid JOIN pg_namespace fn ON fn.oid = f.relnamespace,
       LATERAL (SELECT coalesce(format(';COMMENT ON CONSTRAINT %I ON %s IS %L', k.conname, t.name, obj_description(k.oid, 'pg_constraint')), '')) remark (statement),
       LATERAL (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY c.place), string_agg(format('k.%I', a.attname), ', ' ORDER BY c.place)
                  FROM unnest(k.conkey) WITH ORDINALITY c (number, place) JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = c.number) columns (names, of_k)
 WHERE k.contype = 'f' AND k.conparentid = 0 AND f.relnamespace IN (SELECT oid FROM swapped)
UNION ALL
SELECT 'policy ' || quote_ident(p.polname) || ' of ' || t.name,
       format('DROP POLICY %I ON %s', p.polname, t.name),
       format('CREATE POLICY %I ON %s AS %s FOR %s TO %s', p.polname, t.name, CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
              CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
              (SELECT string_agg(CASE role WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(role)) END, ', ') FROM unnest(p.polroles) role))
       || coalesce(' USING (' || pg_get_expr(p.polqual, p.polrelid) || ')', '')
       || coalesce(' WITH CHECK (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')', '')
       || coalesce(format(';COMMENT ON POLICY %I ON %s IS %L', p.polname, t.name, obj_description(p.oid, 'pg_policy')), ''),
       NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
  FROM pg_policy p JOIN tables t ON t.oid = p.polrelid
 WHERE ('pg_policy'::regclass::oid, p.oid) IN (SELECT classid, objid FROM bound)
UNION ALL
SELECT 'trigger ' || quote_ident(g.tgname) || ' of ' || t.name,
       format('DROP TRIGGER %I ON %s', g.tgname, t.name),
       pg_get_triggerdef(g.oid)
       || CASE g.tgenabled WHEN 'O' THEN '' ELSE format(';ALTER TABLE %s %s TRIGGER %I', t.name,
              CASE g.tgenabled WHEN 'D' THEN 'DISABLE' WHEN 'A' THEN 'ENABLE ALWAYS' ELSE 'ENABLE REPLICA' END, g.tgname) END
       || coalesce(format(';COMMENT ON TRIGGER %I ON %s IS %L', g.tgname, t.name, obj_description(g.oid, 'pg_trigger')), ''),
       NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
  FROM pg_trigger g JOIN tables t ON t.oid = g.tgrelid
 WHERE NOT g.tgisinternal AND g.tgparentid = 0 AND ('pg_trigger'::regclass::oid, g.oid) IN (SELECT classid, objid FROM bound)
 ORDER BY 1
