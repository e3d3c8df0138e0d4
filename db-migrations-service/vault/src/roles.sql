-- The roles that own something of this database or were granted something in it, what they are members of, and what the
-- database itself is set to. Passwords are left out, and so are rights over the whole cluster.
WITH RECURSIVE used (oid) AS (
    SELECT DISTINCT refobjid FROM pg_shdepend
     WHERE refclassid = 'pg_authid'::regclass
       AND (dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
            OR classid = 'pg_database'::regclass AND objid = (SELECT oid FROM pg_database WHERE datname = current_database()))
    UNION
    SELECT r.oid FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole
     WHERE s.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
), related (oid) AS (
    SELECT oid FROM used
    UNION
    SELECT CASE m.member WHEN related.oid THEN m.roleid ELSE m.member END
      FROM related JOIN pg_auth_members m ON related.oid IN (m.member, m.roleid)
)
SELECT jsonb_build_object(
    'roles', (SELECT coalesce(jsonb_agg(jsonb_build_object('name', r.rolname, 'login', r.rolcanlogin, 'inherit', r.rolinherit,
                'createRole', r.rolcreaterole, 'createDatabase', r.rolcreatedb, 'bypassRls', r.rolbypassrls,
                'connectionLimit', r.rolconnlimit, 'settings', coalesce(to_jsonb(r.rolconfig), '[]'),
                'comment', shobj_description(r.oid, 'pg_authid')) ORDER BY r.rolname), '[]')
                FROM pg_roles r WHERE r.oid IN (SELECT oid FROM related) AND r.rolname !~ '^pg_'),
    'memberships', (SELECT coalesce(jsonb_agg(DISTINCT jsonb_build_object('role', r.rolname, 'member', m.rolname, 'admin', a.admin_option)), '[]')
                FROM pg_auth_members a JOIN pg_roles r ON r.oid = a.roleid JOIN pg_roles m ON m.oid = a.member
               WHERE a.member IN (SELECT oid FROM related) AND m.rolname !~ '^pg_'),
    'owner', (SELECT r.rolname FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba WHERE d.datname = current_database()),
    'settings', (SELECT coalesce(jsonb_agg(jsonb_build_object('role', r.rolname, 'setting', setting) ORDER BY r.rolname NULLS FIRST, setting), '[]')
                FROM pg_db_role_setting s CROSS JOIN unnest(s.setconfig) setting LEFT JOIN pg_roles r ON r.oid = s.setrole
               WHERE s.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())),
    'rights', (SELECT CASE WHEN d.datacl IS NOT NULL THEN (SELECT coalesce(jsonb_agg(jsonb_build_object('grantee', g.rolname,
                'privilege', a.privilege_type, 'grantable', a.is_grantable) ORDER BY g.rolname NULLS FIRST, a.privilege_type), '[]')
                FROM aclexplode(d.datacl) a LEFT JOIN pg_roles g ON g.oid = a.grantee) END
                FROM pg_database d WHERE d.datname = current_database()))
