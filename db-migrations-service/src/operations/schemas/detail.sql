-- Everything in $1's schemas. One document, so that one round trip is enough.
SELECT coalesce(jsonb_agg(jsonb_build_object(
           'name', n.nspname,
           'comment', obj_description(n.oid, 'pg_namespace'),
           'tables', t.tables
       ) ORDER BY wanted.place), '[]')
FROM unnest($1::text[]) WITH ORDINALITY AS wanted (name, place)
JOIN pg_namespace n ON n.nspname = wanted.name
CROSS JOIN LATERAL (
    SELECT coalesce(jsonb_agg(jsonb_build_object(
               'name', c.relname,
               'comment', obj_description(c.oid, 'pg_class'),
               'estimatedRows', c.reltuples::int8,
               'sizeBytes', pg_total_relation_size(c.oid),
               'rowLevelSecurity', c.relrowsecurity,
               'rowLevelSecurityForced', c.relforcerowsecurity,
               'columns', (
                   SELECT coalesce(jsonb_agg(jsonb_build_object(
                              'name', a.attname,
                              'type', format_type(a.atttypid, a.atttypmod),
                              'nullable', NOT a.attnotnull,
                              'default', pg_get_expr(d.adbin, d.adrelid),
                              'comment', col_description(c.oid, a.attnum)
                          ) ORDER BY a.attnum), '[]')
                   FROM pg_attribute a
                   LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
                   WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
               'constraints', (
                   SELECT coalesce(jsonb_agg(jsonb_build_object(
                              'name', o.conname, 'definition', pg_get_constraintdef(o.oid, true)) ORDER BY o.conname), '[]')
                   FROM pg_constraint o WHERE o.conrelid = c.oid),
               'indexes', (
                   SELECT coalesce(jsonb_agg(jsonb_build_object(
                              'name', i.relname, 'definition', pg_get_indexdef(i.oid)) ORDER BY i.relname), '[]')
                   FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid WHERE x.indrelid = c.oid),
               'triggers', (
                   SELECT coalesce(jsonb_agg(jsonb_build_object(
                              'name', g.tgname, 'definition', pg_get_triggerdef(g.oid, true)) ORDER BY g.tgname), '[]')
                   FROM pg_trigger g WHERE g.tgrelid = c.oid AND NOT g.tgisinternal),
               'policies', (
                   SELECT coalesce(jsonb_agg(jsonb_build_object(
                              'name', p.policyname,
                              'command', p.cmd,
                              'roles', to_jsonb(p.roles),
                              'permissive', p.permissive = 'PERMISSIVE',
                              'using', p.qual,
                              'check', p.with_check) ORDER BY p.policyname), '[]')
                   FROM pg_policies p WHERE p.schemaname = n.nspname AND p.tablename = c.relname)
           ) ORDER BY c.relname), '[]') AS tables
    FROM pg_class c
    WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'p') AND NOT c.relispartition
) t
