-- The wanted tables with all that inherits from them, what has a name in their schemas (indexes, sequences of their columns), and what
-- ties them to others, with the statement that takes it off: parents, foreign keys, triggers, policies, rules.
WITH RECURSIVE wanted (schema, name) AS (
    VALUES :wanted
), moving (oid) AS (
    SELECT c.oid FROM wanted w JOIN pg_namespace n ON n.nspname = w.schema JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w.name
     WHERE c.relkind IN ('r', 'p')
    UNION
    SELECT i.inhrelid FROM moving m JOIN pg_inherits i ON i.inhparent = m.oid
), tables AS (
    SELECT c.oid, n.nspname, c.relname, c.relispartition, format('%I.%I', n.nspname, c.relname) AS full_name
      FROM moving m JOIN pg_class c ON c.oid = m.oid JOIN pg_namespace n ON n.oid = c.relnamespace
)
SELECT 'PARENT' AS kind, t.nspname AS schema, t.relname AS name,
       CASE WHEN t.relispartition THEN format('ALTER TABLE %s DETACH PARTITION %s', p.full_name, t.full_name)
            ELSE format('ALTER TABLE %s NO INHERIT %s', t.full_name, p.full_name) END AS untie
  FROM tables t JOIN pg_inherits i ON i.inhrelid = t.oid
  JOIN (SELECT c.oid, format('%I.%I', n.nspname, c.relname) AS full_name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace) p
    ON p.oid = i.inhparent
 WHERE i.inhparent NOT IN (SELECT oid FROM moving)
UNION ALL
SELECT 'CONSTRAINT', t.nspname, k.conname, format('ALTER TABLE %s DROP CONSTRAINT IF EXISTS %I', t.full_name, k.conname)
  FROM tables t JOIN pg_constraint k ON k.conrelid = t.oid WHERE k.contype = 'f' AND k.conparentid = 0
UNION ALL
SELECT 'TRIGGER', t.nspname, g.tgname, format('DROP TRIGGER IF EXISTS %I ON %s', g.tgname, t.full_name)
  FROM tables t JOIN pg_trigger g ON g.tgrelid = t.oid WHERE NOT g.tgisinternal AND g.tgparentid = 0
UNION ALL
SELECT 'POLICY', t.nspname, p.polname, format('DROP POLICY %I ON %s', p.polname, t.full_name)
  FROM tables t JOIN pg_policy p ON p.polrelid = t.oid
UNION ALL
SELECT 'RULE', t.nspname, r.rulename, format('DROP RULE %I ON %s', r.rulename, t.full_name)
  FROM tables t JOIN pg_rewrite r ON r.ev_class = t.oid
UNION ALL
SELECT 'INDEX', t.nspname, x.relname, NULL
  FROM tables t JOIN pg_index i ON i.indrelid = t.oid JOIN pg_class x ON x.oid = i.indexrelid
UNION ALL
SELECT 'SEQUENCE', n.nspname, s.relname, NULL
  FROM tables t JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = t.oid AND d.refobjsubid > 0
   AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
  JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S' JOIN pg_namespace n ON n.oid = s.relnamespace
UNION ALL
SELECT 'TABLE', t.nspname, t.relname, NULL FROM tables t
 ORDER BY 1, 2, 3
