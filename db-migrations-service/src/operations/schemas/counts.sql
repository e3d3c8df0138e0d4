-- What $1's schemas hold, in $1's order. One document, so that one round trip is enough.
SELECT coalesce(jsonb_agg(jsonb_build_object(
           'name', wanted.name,
           'exists', n.oid IS NOT NULL,
           'owner', pg_get_userbyid(n.nspowner),
           'comment', obj_description(n.oid, 'pg_namespace'),
           'tables', r.tables, 'views', r.views, 'indexes', r.indexes, 'sizeBytes', r.size_bytes,
           'functions', (SELECT count(*) FROM pg_proc p WHERE p.pronamespace = n.oid),
           'policies', (SELECT count(*) FROM pg_policy o JOIN pg_class c ON c.oid = o.polrelid WHERE c.relnamespace = n.oid)
       ) ORDER BY wanted.place), '[]')
FROM unnest($1::text[]) WITH ORDINALITY AS wanted (name, place)
LEFT JOIN pg_namespace n ON n.nspname = wanted.name
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition) AS tables,
           count(*) FILTER (WHERE c.relkind IN ('v', 'm')) AS views,
           count(*) FILTER (WHERE c.relkind IN ('i', 'I')) AS indexes,
           coalesce(sum(pg_total_relation_size(c.oid)) FILTER (WHERE c.relkind IN ('r', 'm')), 0)::int8 AS size_bytes
    FROM pg_class c WHERE c.relnamespace = n.oid
) r
