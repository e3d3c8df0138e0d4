-- What depends on one object, by schema. :kind is relation, routine or type; :column is empty for the whole relation.
WITH target AS (
    SELECT 'pg_class'::regclass AS class, c.oid, coalesce(a.attnum, 0)::int AS part
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = :column AND NOT a.attisdropped
     WHERE :kind = 'relation' AND n.nspname = :schema AND c.relname = :name AND (:column = '' OR a.attnum IS NOT NULL)
    UNION ALL
    -- The row type of a relation: columns and arguments of that type depend on it.
    SELECT 'pg_type'::regclass, t.oid, 0
      FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
     WHERE n.nspname = :schema AND t.typname = :name AND (:kind = 'type' OR :kind = 'relation' AND :column = '')
    UNION ALL
    SELECT 'pg_proc'::regclass, p.oid, 0
      FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
     WHERE :kind = 'routine' AND n.nspname = :schema AND p.proname = :name
), direct AS (
    SELECT d.classid, d.objid, d.objsubid
      FROM target t JOIN pg_depend d
        ON d.refclassid = t.class AND d.refobjid = t.oid AND (t.part = 0 OR d.refobjsubid = t.part)
     WHERE d.deptype IN ('n', 'a')
    UNION
    -- A foreign key of another table depends on this one's key, not on its columns alone.
    SELECT 'pg_constraint'::regclass, k.oid, 0
      FROM target t JOIN pg_constraint k ON k.contype = 'f' AND k.confrelid = t.oid
     WHERE t.class = 'pg_class'::regclass AND (t.part = 0 OR t.part = ANY (k.confkey))
), told AS (
    SELECT CASE d.classid
             WHEN 'pg_rewrite'::regclass THEN 'pg_class'::regclass ELSE d.classid END AS classid,
           CASE d.classid
             WHEN 'pg_rewrite'::regclass THEN (SELECT r.ev_class FROM pg_rewrite r WHERE r.oid = d.objid)
             ELSE d.objid END AS objid,
           CASE d.classid WHEN 'pg_rewrite'::regclass THEN 0 ELSE d.objsubid END AS objsubid
      FROM direct d
), placed AS (
    SELECT t.*, coalesce(
             (SELECT c.relnamespace FROM pg_class c WHERE t.classid = 'pg_class'::regclass AND c.oid = t.objid),
             (SELECT c.relnamespace FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
               WHERE t.classid = 'pg_constraint'::regclass AND k.oid = t.objid),
             (SELECT c.relnamespace FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid
               WHERE t.classid = 'pg_policy'::regclass AND p.oid = t.objid),
             (SELECT c.relnamespace FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid
               WHERE t.classid = 'pg_trigger'::regclass AND g.oid = t.objid AND NOT g.tgisinternal),
             (SELECT c.relnamespace FROM pg_attrdef a JOIN pg_class c ON c.oid = a.adrelid
               WHERE t.classid = 'pg_attrdef'::regclass AND a.oid = t.objid),
             (SELECT p.pronamespace FROM pg_proc p WHERE t.classid = 'pg_proc'::regclass AND p.oid = t.objid),
             (SELECT y.typnamespace FROM pg_type y WHERE t.classid = 'pg_type'::regclass AND y.oid = t.objid)
           ) AS namespace
      FROM told t
)
SELECT DISTINCT n.nspname, pg_describe_object(p.classid, p.objid, p.objsubid), true
  FROM placed p JOIN pg_namespace n ON n.oid = p.namespace
UNION
-- Bodies that the server keeps as text.
SELECT n.nspname, pg_describe_object('pg_proc'::regclass, f.oid, 0), false
  FROM pg_proc f JOIN pg_namespace n ON n.oid = f.pronamespace
 WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'migration_service')
   AND :column = '' AND f.prosqlbody IS NULL AND f.prokind IN ('f', 'p')
   AND strpos(f.prosrc, :schema || '.' || :name) > 0
ORDER BY 1, 2
