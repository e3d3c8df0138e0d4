-- Whoever owns the schema could replace the log by a table whose triggers run as the superuser that writes to it.
SELECT what, owner FROM (
  SELECT 'schema migration_service', r.rolname, r.rolsuper FROM pg_namespace n JOIN pg_roles r ON r.oid = n.nspowner
   WHERE n.nspname = 'migration_service'
  UNION ALL
  SELECT 'relation migration_service.' || c.relname, r.rolname, r.rolsuper FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner
   WHERE c.oid IN (to_regclass('migration_service.audit_entry'), to_regclass('migration_service.audit_chain'))
  UNION ALL
  SELECT 'function migration_service.audit_ddl()', r.rolname, r.rolsuper FROM pg_proc p JOIN pg_roles r ON r.oid = p.proowner
   WHERE p.oid = to_regprocedure('migration_service.audit_ddl()')
) found (what, owner, trusted) WHERE NOT trusted LIMIT 1
