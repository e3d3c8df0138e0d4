-- Functions, types and sequences.
SELECT CASE p.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END AS kind,
       p.oid AS unit, n.nspname AS schema, p.proname AS name,
       '(' || coalesce((SELECT string_agg(format_type(t, NULL), ', ' ORDER BY at)
                          FROM unnest(p.proargtypes) WITH ORDINALITY AS a(t, at)), '') || ')' AS args,
       pg_get_userbyid(p.proowner) AS owner, pg_get_userbyid(p.proowner) AS "acl owner",
       array_to_string(coalesce(p.proacl, acldefault('f', p.proowner)), chr(10)) AS "acl f",
       nullif(pg_get_function_arguments(p.oid), '') AS "sql arguments",
       pg_get_function_result(p.oid) AS "sql result",
       CASE WHEN p.prokind = 'w' THEN 'window function' END AS window,
       l.lanname AS language,
       CASE p.provolatile WHEN 'i' THEN 'immutable' WHEN 's' THEN 'stable' END AS volatility,
       CASE p.proparallel WHEN 's' THEN 'parallel safe' WHEN 'r' THEN 'parallel restricted' END AS parallel,
       CASE WHEN p.prosecdef THEN 'security definer' END AS security,
       CASE WHEN p.proisstrict THEN 'strict' END AS strictness,
       CASE WHEN p.proleakproof THEN 'leakproof' END AS leakproofness,
       nullif(p.procost, CASE WHEN l.lanname IN ('c', 'internal') OR p.prokind = 'a' THEN 1 ELSE 100 END) AS cost,
       nullif(nullif(p.prorows, 1000), 0) AS rows,
       nullif(p.prosupport, 0)::regproc AS "sql support",
       (SELECT string_agg(s, ', ' ORDER BY s COLLATE "C") FROM unnest(p.proconfig) s) AS configuration,
       CASE WHEN p.prosqlbody IS NULL AND p.prokind <> 'a' THEN p.prosrc END AS body,
       pg_get_function_sqlbody(p.oid) AS "sql statements",
       p.probin AS library,
       (SELECT string_agg(format('%s = %s', key, value), ', ' ORDER BY key COLLATE "C")
          FROM (VALUES ('kind', nullif(g.aggkind::text, 'n')), ('sfunc', nullif(g.aggtransfn, 0)::regproc::text),
                       ('stype', g.aggtranstype::regtype::text), ('sspace', nullif(g.aggtransspace, 0)::text),
                       ('finalfunc', nullif(g.aggfinalfn, 0)::regproc::text),
                       ('finalfunc_modify', g.aggfinalmodify::text), ('finalfunc_extra', nullif(g.aggfinalextra, false)::text),
                       ('combinefunc', nullif(g.aggcombinefn, 0)::regproc::text),
                       ('serialfunc', nullif(g.aggserialfn, 0)::regproc::text),
                       ('deserialfunc', nullif(g.aggdeserialfn, 0)::regproc::text),
                       ('msfunc', nullif(g.aggmtransfn, 0)::regproc::text),
                       ('minvfunc', nullif(g.aggminvtransfn, 0)::regproc::text),
                       ('mstype', nullif(g.aggmtranstype, 0)::regtype::text),
                       ('mfinalfunc', nullif(g.aggmfinalfn, 0)::regproc::text),
                       ('initcond', quote_literal(g.agginitval)), ('minitcond', quote_literal(g.aggminitval)),
                       ('sortop', nullif(g.aggsortop, 0)::regoperator::text)) AS parts(key, value)
         WHERE value IS NOT NULL AND g.aggfnoid IS NOT NULL) AS "sql definition",
       d.description AS comment
  FROM pg_proc p
  JOIN pg_namespace n ON n.oid = p.pronamespace
  JOIN pg_language l ON l.oid = p.prolang
  LEFT JOIN pg_aggregate g ON g.aggfnoid = p.oid
  LEFT JOIN pg_description d ON d.objoid = p.oid AND d.classoid = 'pg_proc'::regclass
 WHERE :scope AND p.oid :listed
   -- A range type makes its constructors.
   AND NOT EXISTS (SELECT FROM pg_depend x
                    WHERE x.classid = 'pg_proc'::regclass AND x.objid = p.oid AND x.deptype IN ('e', 'i'));

SELECT CASE t.typtype WHEN 'e' THEN 'enum' WHEN 'c' THEN 'composite type' WHEN 'r' THEN 'range type'
            WHEN 'd' THEN 'domain' ELSE 'type' END AS kind,
       t.oid AS unit, n.nspname AS schema, t.typname AS name,
       pg_get_userbyid(t.typowner) AS owner, pg_get_userbyid(t.typowner) AS "acl owner",
       array_to_string(coalesce(t.typacl, acldefault('T', t.typowner)), chr(10)) AS "acl T",
       (SELECT string_agg(quote_literal(enumlabel), ', ' ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid)
           AS labels,
       CASE WHEN c.relkind = 'c' THEN
            (SELECT string_agg(concat_ws(' ', quote_ident(a.attname), format_type(a.atttypid, a.atttypmod),
                    CASE WHEN a.attcollation <> at.typcollation
                         THEN 'collate ' || a.attcollation::regcollation::text END), ', ' ORDER BY a.attnum)
               FROM pg_attribute a JOIN pg_type at ON at.oid = a.atttypid
              WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) END AS "sql attributes",
       CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod) END AS "sql type",
       CASE WHEN t.typtype = 'd' AND t.typcollation <> base.typcollation OR t.typtype = 'b' AND t.typcollation <> 0
            THEN (SELECT format('%I.%I', nc.nspname, co.collname) FROM pg_collation co
                    JOIN pg_namespace nc ON nc.oid = co.collnamespace WHERE co.oid = t.typcollation) END
           AS "sql collation",
       CASE WHEN t.typnotnull THEN 'not null' END AS "not null",
       CASE WHEN t.typtype = 'd' AND t.typdefaultbin IS NOT NULL THEN pg_get_expr(t.typdefaultbin, 0)
            ELSE quote_literal(t.typdefault) END AS "sql default",
       format_type(r.rngsubtype, NULL) AS "sql subtype",
       -- Of a type that is no range nothing is known here, and format() would make words of that.
       CASE WHEN r.rngtypid IS NOT NULL THEN
            concat_ws(', ', 'opclass = ' || format('%I.%I', opn.nspname, opc.opcname),
                      'collation = ' || nullif(r.rngcollation, 0)::regcollation,
                      'canonical = ' || nullif(r.rngcanonical, 0)::regproc,
                      'subtype_diff = ' || nullif(r.rngsubdiff, 0)::regproc,
                      'multirange = ' || r.rngmultitypid::regtype) END AS "sql range",
       CASE WHEN t.typtype = 'b' THEN
            concat_ws(', ', 'input = ' || t.typinput::regproc, 'output = ' || t.typoutput::regproc,
                      'receive = ' || nullif(t.typreceive, 0)::regproc, 'send = ' || nullif(t.typsend, 0)::regproc,
                      'length = ' || t.typlen, 'alignment = ' || t.typalign::text, 'storage = ' || t.typstorage::text,
                      'category = ' || t.typcategory::text, 'delimiter = ' || t.typdelim::text,
                      CASE WHEN t.typbyval THEN 'by value' END, CASE WHEN t.typispreferred THEN 'preferred' END,
                      'element = ' || nullif(t.typelem, 0)::regtype)
            WHEN NOT t.typisdefined THEN 'a shell' END AS "sql definition",
       d.description AS comment
  FROM pg_type t
  JOIN pg_namespace n ON n.oid = t.typnamespace
  LEFT JOIN pg_class c ON c.oid = t.typrelid
  LEFT JOIN pg_type base ON base.oid = t.typbasetype
  LEFT JOIN pg_range r ON r.rngtypid = t.oid
  LEFT JOIN pg_opclass opc ON opc.oid = r.rngsubopc
  LEFT JOIN pg_namespace opn ON opn.oid = opc.opcnamespace
  LEFT JOIN pg_description d ON d.objoid = t.oid AND d.classoid = 'pg_type'::regclass AND d.objsubid = 0
 WHERE :scope AND t.oid :listed AND (t.typtype IN ('e', 'r', 'd', 'p') OR t.typtype = 'c' AND c.relkind = 'c'
                   OR t.typtype = 'b' AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = t.oid))
   AND NOT EXISTS (SELECT FROM pg_depend x
                    WHERE x.classid = 'pg_type'::regclass AND x.objid = t.oid AND x.deptype = 'e');

SELECT 'sequence' AS kind, s.seqrelid AS unit, n.nspname AS schema, c.relname AS name,
       pg_get_userbyid(c.relowner) AS owner, pg_get_userbyid(c.relowner) AS "acl owner",
       array_to_string(coalesce(c.relacl, acldefault('s', c.relowner)), chr(10)) AS "acl s",
       CASE c.relpersistence WHEN 'u' THEN 'unlogged' END AS persistence,
       format_type(s.seqtypid, NULL) AS "sql type", s.seqstart AS start, s.seqincrement AS increment,
       s.seqmin AS minimum, s.seqmax AS maximum, s.seqcache AS cache,
       CASE WHEN s.seqcycle THEN 'cycle' END AS cycling,
       CASE WHEN a.attname IS NOT NULL THEN format('%s.%I', owned.refobjid::regclass, a.attname) END AS "sql owned by",
       d.description AS comment
  FROM pg_sequence s
  JOIN pg_class c ON c.oid = s.seqrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_depend owned
         ON owned.classid = 'pg_class'::regclass AND owned.objid = c.oid AND owned.deptype IN ('a', 'i')
        AND owned.refclassid = 'pg_class'::regclass AND owned.refobjsubid > 0
  LEFT JOIN pg_attribute a ON a.attrelid = owned.refobjid AND a.attnum = owned.refobjsubid
  LEFT JOIN pg_description d ON d.objoid = c.oid AND d.classoid = 'pg_class'::regclass AND d.objsubid = 0
 WHERE :scope AND s.seqrelid :listed
   AND NOT EXISTS (SELECT FROM pg_depend x
                    WHERE x.classid = 'pg_class'::regclass AND x.objid = c.oid AND x.deptype = 'e')
