(SELECT count(*) = 2 FROM pg_event_trigger
  WHERE (evtname, evtevent) IN (('migration_service_audit', 'ddl_command_end'), ('migration_service_audit_drops', 'sql_drop'))
    AND evtenabled = 'A' AND evttags IS NULL
    AND evtfoid = (SELECT p.oid FROM pg_proc p
                    WHERE p.proname = 'audit_ddl' AND p.pronamespace = to_regnamespace('migration_service') AND p.pronargs = 0
                      AND p.prosrc = {body} AND p.prosecdef AND p.proconfig = ARRAY['search_path=pg_catalog, pg_temp']
                      AND p.prolang = (SELECT oid FROM pg_language WHERE lanname = 'plpgsql')
                      AND (SELECT rolsuper FROM pg_authid WHERE oid = p.proowner)))
AND to_regclass('migration_service.audit_entry') IS NOT NULL AND to_regclass('migration_service.audit_chain') IS NOT NULL
