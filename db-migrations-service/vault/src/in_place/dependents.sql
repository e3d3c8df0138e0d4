-- Objects outside of the schemas that depend on objects within them; foreign keys, policies and triggers left out. A dependency is told by what PostgreSQL
-- itself would name: pg_describe_object.
WITH swapped AS (
    SELECT oid FROM pg_namespace WHERE nspname IN (:schemas)
), inside (classid, objid) AS (
    SELECT 'pg_class'::regclass::oid, c.oid FROM pg_class c WHERE c.relnamespace IN (SELECT oid FROM swapped)
    UNION ALL SELECT 'pg_proc'::regclass::oid, p.oid FROM pg_proc p WHERE p.pronamespace IN (SELECT oid FROM swapped)
    UNION ALL SELECT 'pg_type'::regclass::oid, t.oid FROM pg_type t WHERE t.typnamespace IN (SELECT oid FROM swapped)
    UNION ALL SELECT 'pg_operator'::regclass::oid, o.oid FROM pg_operator o WHERE o.oprnamespace IN (SELECT oid FROM swapped)
    UNION ALL SELECT 'pg_collation'::regclass::oid, o.oid FROM pg_collation o WHERE o.collnamespace IN (SELECT oid FROM swapped)
    UNION ALL SELECT 'pg_constraint'::regclass::oid, k.oid FROM pg_constraint k WHERE k.connamespace IN (SELECT oid FROM swapped)
), dependents AS (
    SELECT DISTINCT d.classid, d.objid, d.refclassid, d.refobjid
      FROM pg_depend d JOIN inside i ON i.classid = d.refclassid AND i.objid = d.refobjid
     WHERE d.deptype IN ('n', 'a')
), homes AS (
    SELECT d.*, CASE d.classid
        WHEN 'pg_class'::regclass THEN (SELECT relnamespace FROM pg_class WHERE oid = d.objid)
        WHEN 'pg_proc'::regclass THEN (SELECT pronamespace FROM pg_proc WHERE oid = d.objid)
        WHEN 'pg_type'::regclass THEN (SELECT typnamespace FROM pg_type WHERE oid = d.objid)
        WHEN 'pg_constraint'::regclass THEN (SELECT connamespace FROM pg_constraint WHERE oid = d.objid)
        WHEN 'pg_rewrite'::regclass THEN (SELECT c.relnamespace FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class WHERE r.oid = d.objid)
        WHEN 'pg_attrdef'::regclass THEN (SELECT c.relnamespace FROM pg_attrdef a JOIN pg_class c ON c.oid = a.adrelid WHERE a.oid = d.objid)
        WHEN 'pg_policy'::regclass THEN (SELECT c.relnamespace FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid WHERE p.oid = d.objid)
        WHEN 'pg_trigger'::regclass THEN (SELECT c.relnamespace FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE t.oid = d.objid)
        WHEN 'pg_operator'::regclass THEN (SELECT oprnamespace FROM pg_operator WHERE oid = d.objid)
        WHEN 'pg_statistic_ext'::regclass THEN (SELECT stxnamespace FROM pg_statistic_ext WHERE oid = d.objid)
      END AS home
      FROM dependents d
)
SELECT DISTINCT pg_describe_object(h.classid, h.objid, 0) || ' depends on ' || pg_describe_object(h.refclassid, h.refobjid, 0)
  FROM homes h
 WHERE h.home IS NOT NULL AND h.home NOT IN (SELECT oid FROM swapped)
   AND h.home NOT IN (SELECT oid FROM pg_namespace WHERE nspname ~ '^pg_toast')
   AND NOT EXISTS (SELECT FROM pg_constraint k WHERE h.classid = 'pg_constraint'::regclass AND k.oid = h.objid AND k.contype = 'f')
   -- They are taken off and put back.
   AND h.classid NOT IN ('pg_policy'::regclass, 'pg_trigger'::regclass)
 ORDER BY 1
