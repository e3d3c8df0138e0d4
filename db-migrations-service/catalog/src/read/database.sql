-- Objects of the database rather than of one schema; the schemas themselves.
SELECT 'schema' AS kind, n.nspname AS schema, n.nspname AS name,
       -- PostgreSQL 15 gave the schema public an owner of its own; before, it belonged to the first superuser.
       CASE WHEN n.nspname = 'public' AND n.nspowner = 10 THEN 'pg_database_owner'
            ELSE pg_get_userbyid(n.nspowner) END AS owner,
       pg_get_userbyid(n.nspowner) AS "acl owner",
       array_to_string(coalesce(n.nspacl, acldefault('n', n.nspowner)), chr(10)) AS "acl n",
       d.description AS comment
  FROM pg_namespace n
  LEFT JOIN pg_description d ON d.objoid = n.oid AND d.classoid = 'pg_namespace'::regclass AND d.objsubid = 0
 WHERE :scope;

SELECT 'default privileges' AS kind, n.nspname AS schema,
       'on ' || CASE a.defaclobjtype WHEN 'r' THEN 'tables' WHEN 'S' THEN 'sequences' WHEN 'f' THEN 'functions'
            WHEN 'T' THEN 'types' WHEN 'n' THEN 'schemas' ELSE 'large objects' END || ' of' AS prefix,
       pg_get_userbyid(a.defaclrole) AS name,
       pg_get_userbyid(a.defaclrole) AS "acl owner",
       array_to_string(a.defaclacl, chr(10)) AS "acl d"
  FROM pg_default_acl a
  LEFT JOIN pg_namespace n ON n.oid = a.defaclnamespace
 WHERE CASE WHEN a.defaclnamespace = 0 THEN :database ELSE :scope END;

SELECT 'extension' AS kind, e.extname AS name, n.nspname AS "extension schema",
       -- What the server installs by itself differs between its versions; only an older one is worth a word.
       CASE WHEN e.extversion = v.default_version THEN 'default' ELSE e.extversion END AS version,
       d.description AS comment
  FROM pg_extension e
  JOIN pg_namespace n ON n.oid = e.extnamespace
  LEFT JOIN pg_available_extensions() v ON v.name = e.extname
  LEFT JOIN pg_description d ON d.objoid = e.oid AND d.classoid = 'pg_extension'::regclass AND d.objsubid = 0
 WHERE :database;

SELECT 'event trigger' AS kind, e.evtname AS name, pg_get_userbyid(e.evtowner) AS owner, e.evtevent AS event,
       e.evtfoid::regprocedure AS "sql function",
       (SELECT string_agg(tag, ', ' ORDER BY tag COLLATE "C") FROM unnest(e.evttags) tag) AS tags,
       CASE e.evtenabled WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'enabled on replica' WHEN 'A' THEN 'enabled always' END
           AS enabled,
       d.description AS comment
  FROM pg_event_trigger e
  LEFT JOIN pg_description d ON d.objoid = e.oid AND d.classoid = 'pg_event_trigger'::regclass AND d.objsubid = 0
 WHERE :database
   AND NOT EXISTS (SELECT FROM pg_depend x
                    WHERE x.classid = 'pg_event_trigger'::regclass AND x.objid = e.oid AND x.deptype = 'e');

SELECT 'publication' AS kind, p.pubname AS name, pg_get_userbyid(p.pubowner) AS owner,
       concat_ws(', ', CASE WHEN p.pubinsert THEN 'insert' END, CASE WHEN p.pubupdate THEN 'update' END,
                 CASE WHEN p.pubdelete THEN 'delete' END, CASE WHEN p.pubtruncate THEN 'truncate' END) AS publishes,
       CASE WHEN p.pubviaroot THEN 'via the partition root' END AS "via root",
       -- Since PostgreSQL 18: n is what the versions before do.
       nullif(to_jsonb(p) ->> 'pubgencols', 'n') AS "generated columns",
       CASE WHEN p.puballtables THEN 'all tables' ELSE
           (SELECT string_agg(concat_ws(' ', r.prrelid::regclass,
                       -- Since PostgreSQL 15: columns and rows.
                       '(' || (SELECT string_agg(a.attname, ', ' ORDER BY a.attnum) FROM pg_attribute a
                                WHERE a.attrelid = r.prrelid
                                  AND a.attnum = ANY (string_to_array(to_jsonb(r) ->> 'prattrs', ' ')::int2[])) || ')',
                       'where ' || pg_get_expr((to_jsonb(r) ->> 'prqual')::pg_node_tree, r.prrelid)),
                   ', ' ORDER BY r.prrelid::regclass::text COLLATE "C")
              FROM pg_publication_rel r WHERE r.prpubid = p.oid) END AS "sql tables",
       :publication_schemas AS schemas,
       d.description AS comment
  FROM pg_publication p
  LEFT JOIN pg_description d ON d.objoid = p.oid AND d.classoid = 'pg_publication'::regclass AND d.objsubid = 0
 WHERE :database
