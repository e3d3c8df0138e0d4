-- What a role that services sign in as ($1) could do beyond serving requests in the role of signed-in users ($2): each with
-- its cure. pg_shdepend knows what somebody owns in this database and of the whole cluster.
WITH login AS (
    SELECT * FROM pg_catalog.pg_roles WHERE rolname = $1
), users AS (
    SELECT * FROM pg_catalog.pg_roles WHERE rolname = $2
), both_roles AS (
    SELECT * FROM login UNION ALL SELECT * FROM users
), owned AS (
    SELECT refobjid AS owner, count(*) AS things, min(pg_catalog.format('%s %s', it.type, it.identity)) AS one
    FROM pg_catalog.pg_shdepend, pg_catalog.pg_identify_object(classid, objid, objsubid) it
    WHERE refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass AND deptype = 'o'
      AND dbid IN (0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()))
    GROUP BY refobjid
), settable AS (
    -- From 16 on, being a member and being able to become the role are two things.
    SELECT r.*
    FROM login l, pg_catalog.pg_roles r
    WHERE NOT l.rolsuper AND r.oid <> l.oid AND pg_catalog.pg_has_role(l.oid, r.oid,
        CASE WHEN pg_catalog.current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END)
), truncatable AS (
    SELECT r.rolname, count(*) AS things, min(pg_catalog.format('%I.%I', n.nspname, c.relname)) AS one
    FROM both_roles r, pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE NOT r.rolsuper AND c.relowner <> r.oid AND c.relkind IN ('r', 'p', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
      AND pg_catalog.has_table_privilege(r.oid, c.oid, 'TRUNCATE')
    GROUP BY r.rolname
), faults (place, fault, cure) AS (
    SELECT 1, pg_catalog.format('there is no role %I', $2), 'migrate the database: profe migrate run'
    WHERE NOT EXISTS (SELECT FROM users)
    UNION ALL
    SELECT 2, pg_catalog.format('%I is a superuser', rolname), pg_catalog.format('ALTER ROLE %I NOSUPERUSER', rolname)
    FROM both_roles WHERE rolsuper
    UNION ALL
    SELECT 3, pg_catalog.format('%I bypasses row level security', rolname), pg_catalog.format('ALTER ROLE %I NOBYPASSRLS', rolname)
    FROM both_roles WHERE rolbypassrls
    UNION ALL
    SELECT 4, pg_catalog.format('%I may create roles', rolname), pg_catalog.format('ALTER ROLE %I NOCREATEROLE', rolname)
    FROM both_roles WHERE rolcreaterole
    UNION ALL
    SELECT 5, pg_catalog.format('%I may replicate the cluster', rolname), pg_catalog.format('ALTER ROLE %I NOREPLICATION', rolname)
    FROM both_roles WHERE rolreplication
    UNION ALL
    SELECT 6, pg_catalog.format('%I inherits what its roles may do', rolname), pg_catalog.format('ALTER ROLE %I NOINHERIT', rolname)
    FROM login WHERE rolinherit
    UNION ALL
    SELECT 7, pg_catalog.format('%I inherits what %I may do', l.rolname, r.rolname),
           pg_catalog.format('GRANT %I TO %I WITH INHERIT FALSE', r.rolname, l.rolname)
    FROM login l, pg_catalog.pg_roles r
    WHERE NOT l.rolsuper AND NOT l.rolinherit AND r.oid <> l.oid AND pg_catalog.pg_has_role(l.oid, r.oid, 'USAGE')
    UNION ALL
    SELECT 8, pg_catalog.format('%I owns %s%s', r.rolname, o.one, CASE WHEN o.things > 1 THEN pg_catalog.format(' and %s more', o.things - 1) END),
           pg_catalog.format('REASSIGN OWNED BY %I TO the role that migrations run as', r.rolname)
    FROM both_roles r JOIN owned o ON o.owner = r.oid
    UNION ALL
    SELECT 9, pg_catalog.format('%I may empty %s%s past every policy', t.rolname, t.one,
               CASE WHEN t.things > 1 THEN pg_catalog.format(' and %s more', t.things - 1) END),
           pg_catalog.format('REVOKE TRUNCATE ON %s FROM %I', t.one, t.rolname)
    FROM truncatable t
    UNION ALL
    SELECT 10, pg_catalog.format('%I may become %I, which %s', l.rolname, r.rolname,
               CASE WHEN r.rolsuper THEN 'is a superuser' WHEN r.rolbypassrls THEN 'bypasses row level security'
                    WHEN r.rolcreaterole THEN 'may create roles'
                    WHEN o.one IS NOT NULL THEN 'owns ' || o.one ELSE 'is one of the server''s own roles' END),
           pg_catalog.format('REVOKE %I FROM %I', r.rolname, l.rolname)
    FROM login l, settable r LEFT JOIN owned o ON o.owner = r.oid
    WHERE r.rolname <> $2 AND (r.rolsuper OR r.rolbypassrls OR r.rolcreaterole OR o.one IS NOT NULL OR r.rolname ~ '^pg_')
    UNION ALL
    SELECT 11, pg_catalog.format('%I may not become %I', l.rolname, u.rolname), pg_catalog.format('GRANT %I TO %I', u.rolname, l.rolname)
    FROM login l, users u
    WHERE NOT l.rolsuper AND NOT EXISTS (SELECT FROM settable s WHERE s.oid = u.oid)
)
SELECT fault, cure FROM faults ORDER BY place, fault
