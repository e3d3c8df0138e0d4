-- What is wrong with the parts that record: one row each, none where all is well.
SELECT wanted.name, CASE
         WHEN t.oid IS NULL THEN 'trigger_missing'
         WHEN t.evtenabled <> 'A' THEN 'trigger_disabled'
         WHEN t.evtevent <> wanted.event OR t.evttags IS NOT NULL OR p.proname <> 'audit_ddl' THEN 'trigger_altered'
         ELSE 'function_altered'
       END
  FROM (VALUES ('migration_service_audit', 'ddl_command_end'), ('migration_service_audit_drops', 'sql_drop')) wanted (name, event)
  LEFT JOIN pg_event_trigger t ON t.evtname = wanted.name
  LEFT JOIN pg_proc p ON p.oid = t.evtfoid
  LEFT JOIN pg_language l ON l.oid = p.prolang
  LEFT JOIN pg_roles r ON r.oid = p.proowner
 WHERE (t.evtenabled = 'A' AND t.evtevent = wanted.event AND t.evttags IS NULL
        AND p.oid = to_regprocedure('migration_service.audit_ddl()') AND p.prosrc = {body} AND p.prosecdef
        AND p.proconfig = ARRAY['search_path=pg_catalog, pg_temp'] AND l.lanname = 'plpgsql' AND r.rolsuper) IS NOT TRUE
UNION ALL
SELECT wanted.name, CASE WHEN c.oid IS NULL THEN 'table_missing' ELSE 'table_altered' END
  FROM (VALUES ('audit_entry'), ('audit_chain')) wanted (name)
  LEFT JOIN pg_class c ON c.oid = to_regclass('migration_service.' || wanted.name)
  LEFT JOIN pg_roles r ON r.oid = c.relowner
 WHERE c.oid IS NULL OR NOT r.rolsuper OR c.relkind <> 'r' OR c.relforcerowsecurity
    OR EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = c.oid)
    OR EXISTS (SELECT FROM pg_rewrite w WHERE w.ev_class = c.oid)
    OR EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype NOT IN ('p', 'u', 'n'))
    OR EXISTS (SELECT FROM aclexplode(c.relacl) a WHERE a.grantee <> c.relowner AND a.privilege_type <> 'SELECT')
