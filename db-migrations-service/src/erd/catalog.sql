-- db-migrations-service/src/erd: one document with everything the two ERD files say. $1 is the list of schemas.
-- Every list is ordered here, in the C collation, so that the files do not depend on the server's locale.
WITH wanted AS (
    SELECT n.oid, n.nspname, obj_description(n.oid, 'pg_namespace') AS comment
    FROM pg_namespace n
    WHERE n.nspname = ANY ($1::text[])
), relations AS (
    SELECT c.oid, c.relname, c.relkind, c.relrowsecurity, c.relforcerowsecurity, w.nspname,
           obj_description(c.oid, 'pg_class') AS comment, c.relispartition
    FROM pg_class c
    JOIN wanted w ON w.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm')
      AND NOT EXISTS (SELECT FROM pg_depend d
                      WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
), columns AS (
    SELECT a.attrelid, json_agg(json_build_object(
        'name', a.attname,
        'type', format_type(a.atttypid, a.atttypmod),
        'notNull', a.attnotnull,
        'default', CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END,
        'generated', CASE WHEN a.attgenerated <> '' THEN pg_get_expr(d.adbin, d.adrelid) END,
        'identity', CASE a.attidentity WHEN 'a' THEN 'always' WHEN 'd' THEN 'by default' END,
        'comment', col_description(a.attrelid, a.attnum)
    ) ORDER BY a.attnum) AS list
    FROM pg_attribute a
    JOIN relations r ON r.oid = a.attrelid
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attnum > 0 AND NOT a.attisdropped
    GROUP BY a.attrelid
), constraints AS (
    SELECT k.conrelid, json_agg(json_build_object(
        'name', k.conname,
        'kind', k.contype,
        'definition', pg_get_constraintdef(k.oid),
        'columns', (SELECT coalesce(json_agg(a.attname ORDER BY x.place), '[]')
                    FROM unnest(k.conkey) WITH ORDINALITY AS x (attnum, place)
                    JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = x.attnum),
        'foreignSchema', fn.nspname,
        'foreignTable', fc.relname,
        'foreignColumns', (SELECT coalesce(json_agg(a.attname ORDER BY x.place), '[]')
                           FROM unnest(k.confkey) WITH ORDINALITY AS x (attnum, place)
                           JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = x.attnum),
        'onDelete', CASE WHEN k.contype = 'f' THEN CASE k.confdeltype
            WHEN 'c' THEN 'cascade' WHEN 'n' THEN 'set null' WHEN 'd' THEN 'set default'
            WHEN 'r' THEN 'restrict' ELSE 'no action' END END,
        'comment', obj_description(k.oid, 'pg_constraint')
    ) ORDER BY array_position('{p,u,f,c,x}'::"char"[], k.contype), k.conname COLLATE "C") AS list
    FROM pg_constraint k
    JOIN relations r ON r.oid = k.conrelid
    LEFT JOIN pg_class fc ON fc.oid = k.confrelid
    LEFT JOIN pg_namespace fn ON fn.oid = fc.relnamespace
    WHERE k.contype IN ('p', 'u', 'f', 'c', 'x')        -- 18 also lists NOT NULL here: the column says it
      AND k.conparentid = 0
    GROUP BY k.conrelid
), indexes AS (
    SELECT i.indrelid, json_agg(json_build_object(
        'name', c.relname,
        'definition', pg_get_indexdef(i.indexrelid),
        'unique', i.indisunique,
        'ofConstraint', EXISTS (SELECT FROM pg_constraint k
                                WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x')),
        'comment', obj_description(i.indexrelid, 'pg_class')
    ) ORDER BY c.relname COLLATE "C") AS list
    FROM pg_index i
    JOIN pg_class c ON c.oid = i.indexrelid
    JOIN relations r ON r.oid = i.indrelid
    GROUP BY i.indrelid
), triggers AS (
    SELECT t.tgrelid, json_agg(json_build_object(
        'name', t.tgname,
        'definition', pg_get_triggerdef(t.oid),
        'comment', obj_description(t.oid, 'pg_trigger')
    ) ORDER BY t.tgname COLLATE "C") AS list
    FROM pg_trigger t
    JOIN relations r ON r.oid = t.tgrelid
    WHERE NOT t.tgisinternal
    GROUP BY t.tgrelid
), policies AS (
    SELECT p.polrelid, json_agg(json_build_object(
        'name', p.polname,
        'permissive', p.polpermissive,
        'command', CASE p.polcmd WHEN 'r' THEN 'select' WHEN 'a' THEN 'insert' WHEN 'w' THEN 'update'
                                 WHEN 'd' THEN 'delete' ELSE 'all' END,
        'roles', (SELECT coalesce(json_agg(coalesce(g.rolname, 'public') ORDER BY g.rolname COLLATE "C"), '[]')
                  FROM unnest(p.polroles) AS x (oid) LEFT JOIN pg_roles g ON g.oid = x.oid),
        'using', pg_get_expr(p.polqual, p.polrelid),
        'check', pg_get_expr(p.polwithcheck, p.polrelid),
        'comment', obj_description(p.oid, 'pg_policy')
    ) ORDER BY p.polname COLLATE "C") AS list
    FROM pg_policy p
    JOIN relations r ON r.oid = p.polrelid
    GROUP BY p.polrelid
), tables AS (
    SELECT r.nspname, json_agg(json_build_object(
        'name', r.relname,
        'kind', r.relkind,
        'comment', r.comment,
        'rowSecurity', r.relrowsecurity,
        'forceRowSecurity', r.relforcerowsecurity,
        'columns', coalesce(co.list, '[]'),
        'constraints', coalesce(k.list, '[]'),
        'indexes', coalesce(i.list, '[]'),
        'triggers', coalesce(t.list, '[]'),
        'policies', coalesce(p.list, '[]')
    ) ORDER BY r.relname COLLATE "C") AS list
    FROM relations r
    LEFT JOIN columns co ON co.attrelid = r.oid
    LEFT JOIN constraints k ON k.conrelid = r.oid
    LEFT JOIN indexes i ON i.indrelid = r.oid
    LEFT JOIN triggers t ON t.tgrelid = r.oid
    LEFT JOIN policies p ON p.polrelid = r.oid
    WHERE NOT r.relispartition
    GROUP BY r.nspname
), functions AS (
    SELECT w.nspname, json_agg(json_build_object(
        'name', p.proname,
        'arguments', pg_get_function_arguments(p.oid),
        'result', pg_get_function_result(p.oid),
        'kind', p.prokind,
        'volatility', CASE p.provolatile WHEN 'i' THEN 'immutable' WHEN 's' THEN 'stable' ELSE 'volatile' END,
        'securityDefiner', p.prosecdef,
        'language', l.lanname,
        'comment', obj_description(p.oid, 'pg_proc')
    ) ORDER BY p.proname COLLATE "C", pg_get_function_identity_arguments(p.oid) COLLATE "C") AS list
    FROM pg_proc p
    JOIN wanted w ON w.oid = p.pronamespace
    JOIN pg_language l ON l.oid = p.prolang
    WHERE NOT EXISTS (SELECT FROM pg_depend d
                      WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
    GROUP BY w.nspname
)
SELECT coalesce(json_agg(json_build_object(
    'name', w.nspname,
    'comment', w.comment,
    'tables', coalesce(t.list, '[]'),
    'functions', coalesce(f.list, '[]')
) ORDER BY w.nspname COLLATE "C"), '[]')::text
FROM wanted w
LEFT JOIN tables t USING (nspname)
LEFT JOIN functions f USING (nspname)
