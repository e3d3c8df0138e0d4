-- The units that may be worded otherwise because some were altered: what depends on them or on their parts. A function
-- is looked through, since what calls it is worded by what it returns. Parts depend on their whole in a way of their
-- own ('a', 'i', and of partitions 'P', 'S'), which also leads from a view's rule to the view and from a key to its
-- table.
WITH RECURSIVE reached (class, number, open) AS (
    SELECT class, number, true
      FROM unnest('{:altered}'::oid[]) number, unnest('{pg_class,pg_type,pg_proc}'::regclass[]::oid[]) class
    UNION
    SELECT linked.*
      FROM reached
     CROSS JOIN LATERAL (
        SELECT d.classid, d.objid, d.deptype IN ('a', 'i', 'P', 'S') OR d.classid = 'pg_proc'::regclass
          FROM pg_depend d
         WHERE reached.open AND d.refclassid = reached.class AND d.refobjid = reached.number
         UNION ALL
        SELECT d.refclassid, d.refobjid, false
          FROM pg_depend d
         WHERE d.classid = reached.class AND d.objid = reached.number AND d.deptype IN ('a', 'i', 'P', 'S')
     ) linked
)
SELECT DISTINCT number FROM reached
