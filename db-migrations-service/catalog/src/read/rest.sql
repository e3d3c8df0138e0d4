-- The kinds that a schema rarely holds.
SELECT 'operator' AS kind, n.nspname AS schema, o.oprname AS name,
       format('(%s, %s)', CASE WHEN o.oprleft = 0 THEN 'none' ELSE format_type(o.oprleft, NULL) END,
              format_type(o.oprright, NULL)) AS args,
       pg_get_userbyid(o.oprowner) AS owner, o.oprcode::regprocedure AS "sql function",
       nullif(o.oprcom, 0)::regoperator AS "sql commutator", nullif(o.oprnegate, 0)::regoperator AS "sql negator",
       nullif(o.oprrest, 0)::regproc AS "sql restrict", nullif(o.oprjoin, 0)::regproc AS "sql join",
       nullif(concat_ws(', ', CASE WHEN o.oprcanhash THEN 'hashes' END, CASE WHEN o.oprcanmerge THEN 'merges' END), '')
           AS supports,
       d.description AS comment
  FROM pg_operator o
  JOIN pg_namespace n ON n.oid = o.oprnamespace
  LEFT JOIN pg_description d ON d.objoid = o.oid AND d.classoid = 'pg_operator'::regclass
 WHERE :scope
   AND NOT EXISTS (SELECT FROM pg_depend x
                    WHERE x.classid = 'pg_operator'::regclass AND x.objid = o.oid AND x.deptype = 'e');

SELECT 'operator class' AS kind, n.nspname AS schema, o.opcname AS name, 'using ' || am.amname AS args,
       pg_get_userbyid(o.opcowner) AS owner, format_type(o.opcintype, NULL) AS "sql type",
       CASE WHEN o.opcdefault THEN 'default' END AS "default",
       nullif(o.opckeytype, 0)::regtype AS "sql key type", format('%I.%I', fn.nspname, f.opfname) AS "sql family",
       (SELECT string_agg(format('%s %s', amopstrategy, amopopr::regoperator), ', ' ORDER BY amopstrategy,
                          amopopr::regoperator::text COLLATE "C") FROM pg_amop WHERE amopfamily = f.oid)
           AS "sql family operators",
       (SELECT string_agg(format('%s %s', amprocnum, amproc::regprocedure), ', ' ORDER BY amprocnum,
                          amproc::regprocedure::text COLLATE "C") FROM pg_amproc WHERE amprocfamily = f.oid)
           AS "sql family functions",
       d.description AS comment
  FROM pg_opclass o
  JOIN pg_namespace n ON n.oid = o.opcnamespace
  JOIN pg_am am ON am.oid = o.opcmethod
  JOIN pg_opfamily f ON f.oid = o.opcfamily
  JOIN pg_namespace fn ON fn.oid = f.opfnamespace
  LEFT JOIN pg_description d ON d.objoid = o.oid AND d.classoid = 'pg_opclass'::regclass
 WHERE :scope
   AND NOT EXISTS (SELECT FROM pg_depend x
                    WHERE x.classid = 'pg_opclass'::regclass AND x.objid = o.oid AND x.deptype = 'e');

-- A cast has no schema; it stands with the type that is not the server's own.
SELECT 'cast' AS kind, n.nspname AS schema, '' AS name,
       format('(%s as %s)', format_type(c.castsource, NULL), format_type(c.casttarget, NULL)) AS args,
       CASE c.castmethod WHEN 'b' THEN 'binary' WHEN 'i' THEN 'inout' ELSE c.castfunc::regprocedure::text END
           AS "sql function",
       CASE c.castcontext WHEN 'a' THEN 'assignment' WHEN 'i' THEN 'implicit' ELSE 'explicit' END AS context,
       d.description AS comment
  FROM pg_cast c
  JOIN pg_type s ON s.oid = c.castsource
  JOIN pg_type t ON t.oid = c.casttarget
  LEFT JOIN pg_proc f ON f.oid = c.castfunc
  -- Objects that initdb makes have numbers below 16384.
  JOIN pg_namespace n ON n.oid = CASE WHEN s.oid >= 16384 THEN s.typnamespace WHEN t.oid >= 16384 THEN t.typnamespace
                                      ELSE f.pronamespace END
  LEFT JOIN pg_description d ON d.objoid = c.oid AND d.classoid = 'pg_cast'::regclass
 WHERE :scope AND c.oid >= 16384
   AND NOT EXISTS (SELECT FROM pg_depend x
                    WHERE x.classid = 'pg_cast'::regclass AND x.objid = c.oid AND x.deptype IN ('e', 'i'));

-- What a version calls its columns here changed three times.
SELECT 'collation' AS kind, n.nspname AS schema, c.collname AS name,
       pg_get_userbyid(c.collowner) AS owner,
       CASE c.collprovider WHEN 'c' THEN 'libc' WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'default' END AS provider,
       coalesce(j.o ->> 'colllocale', j.o ->> 'colliculocale', j.o ->> 'collcollate') AS locale,
       nullif(j.o ->> 'collctype', coalesce(j.o ->> 'colllocale', j.o ->> 'colliculocale', j.o ->> 'collcollate'))
           AS "character type",
       j.o ->> 'collicurules' AS rules,
       CASE WHEN NOT c.collisdeterministic THEN 'nondeterministic' END AS determinism,
       d.description AS comment
  FROM pg_collation c
 CROSS JOIN LATERAL (SELECT to_jsonb(c) AS o) j
  JOIN pg_namespace n ON n.oid = c.collnamespace
  LEFT JOIN pg_description d ON d.objoid = c.oid AND d.classoid = 'pg_collation'::regclass
 WHERE :scope
   AND NOT EXISTS (SELECT FROM pg_depend x
                    WHERE x.classid = 'pg_collation'::regclass AND x.objid = c.oid AND x.deptype = 'e');

SELECT 'text search configuration' AS kind, n.nspname AS schema, c.cfgname AS name,
       pg_get_userbyid(c.cfgowner) AS owner, format('%I.%I', pn.nspname, p.prsname) AS "sql parser",
       (SELECT string_agg(format('%s: %s', m.maptokentype, m.mapdict::regdictionary), ', '
                          ORDER BY m.maptokentype, m.mapseqno) FROM pg_ts_config_map m WHERE m.mapcfg = c.oid)
           AS "sql mappings",
       d.description AS comment
  FROM pg_ts_config c
  JOIN pg_namespace n ON n.oid = c.cfgnamespace
  JOIN pg_ts_parser p ON p.oid = c.cfgparser
  JOIN pg_namespace pn ON pn.oid = p.prsnamespace
  LEFT JOIN pg_description d ON d.objoid = c.oid AND d.classoid = 'pg_ts_config'::regclass
 WHERE :scope
   AND NOT EXISTS (SELECT FROM pg_depend x
                    WHERE x.classid = 'pg_ts_config'::regclass AND x.objid = c.oid AND x.deptype = 'e');

SELECT 'text search dictionary' AS kind, n.nspname AS schema, c.dictname AS name,
       pg_get_userbyid(c.dictowner) AS owner, format('%I.%I', tn.nspname, t.tmplname) AS "sql template",
       c.dictinitoption AS options, d.description AS comment
  FROM pg_ts_dict c
  JOIN pg_namespace n ON n.oid = c.dictnamespace
  JOIN pg_ts_template t ON t.oid = c.dicttemplate
  JOIN pg_namespace tn ON tn.oid = t.tmplnamespace
  LEFT JOIN pg_description d ON d.objoid = c.oid AND d.classoid = 'pg_ts_dict'::regclass
 WHERE :scope
   AND NOT EXISTS (SELECT FROM pg_depend x
                    WHERE x.classid = 'pg_ts_dict'::regclass AND x.objid = c.oid AND x.deptype = 'e')
