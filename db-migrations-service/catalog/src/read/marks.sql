-- One row for each *unit*: a table, view, sequence, index-bearing relation, routine or type with all of its parts, and
-- the unit 0 for everything that is not one of these. What is told of a unit stands for the very row versions that it
-- is made of, so it is the same exactly where none was inserted, updated or deleted. Objects that initdb makes have
-- numbers below 16384; a migration cannot change them.
WITH relation AS MATERIALIZED (
    SELECT c.oid, coalesce(i.indrelid, toasted.oid, CASE c.relkind WHEN 'c' THEN c.reltype ELSE c.oid END) AS unit,
           hash_record_extended((c.xmin, c.ctid, c.tableoid), 0) AS version
      FROM pg_class c
      LEFT JOIN pg_index i ON i.indexrelid = c.oid
      LEFT JOIN pg_class toasted ON toasted.reltoastrelid = c.oid AND c.relkind = 't'
     WHERE c.oid >= 16384
), standing (unit, version) AS (
    SELECT unit, version FROM relation
    UNION ALL SELECT r.unit, hash_record_extended((a.xmin, a.ctid, a.tableoid), 0)
      FROM pg_attribute a JOIN relation r ON r.oid = a.attrelid WHERE a.attnum > 0
    UNION ALL SELECT adrelid, hash_record_extended((xmin, ctid, tableoid), 0) FROM pg_attrdef
    UNION ALL SELECT indrelid, hash_record_extended((xmin, ctid, tableoid), 0) FROM pg_index WHERE indrelid >= 16384
    UNION ALL SELECT greatest(conrelid, contypid), hash_record_extended((xmin, ctid, tableoid), 0) FROM pg_constraint
    UNION ALL SELECT tgrelid, hash_record_extended((xmin, ctid, tableoid), 0) FROM pg_trigger
    UNION ALL SELECT ev_class, hash_record_extended((xmin, ctid, tableoid), 0) FROM pg_rewrite WHERE ev_class >= 16384
    UNION ALL SELECT polrelid, hash_record_extended((xmin, ctid, tableoid), 0) FROM pg_policy
    UNION ALL SELECT stxrelid, hash_record_extended((xmin, ctid, tableoid), 0) FROM pg_statistic_ext
    UNION ALL SELECT r.unit, hash_record_extended((i.xmin, i.ctid, i.tableoid), 0)
      FROM pg_inherits i JOIN relation r ON r.oid = i.inhrelid
    UNION ALL SELECT partrelid, hash_record_extended((xmin, ctid, tableoid), 0) FROM pg_partitioned_table
    UNION ALL SELECT ftrelid, hash_record_extended((xmin, ctid, tableoid), 0) FROM pg_foreign_table
    UNION ALL SELECT seqrelid, hash_record_extended((xmin, ctid, tableoid), 0) FROM pg_sequence
    UNION ALL SELECT oid, hash_record_extended((xmin, ctid, tableoid), 0) FROM pg_proc WHERE oid >= 16384
    UNION ALL SELECT aggfnoid, hash_record_extended((xmin, ctid, tableoid), 0) FROM pg_aggregate WHERE aggfnoid >= 16384
    -- Not the types of rows and arrays, which their relations and elements stand for.
    UNION ALL SELECT t.oid, hash_record_extended((t.xmin, t.ctid, t.tableoid), 0)
      FROM pg_type t
      LEFT JOIN relation r ON r.oid = t.typrelid
      LEFT JOIN pg_type element ON element.typarray = t.oid
     WHERE t.oid >= 16384 AND element.oid IS NULL AND (t.typrelid = 0 OR r.unit = t.oid)
    UNION ALL SELECT enumtypid, hash_record_extended((xmin, ctid, tableoid), 0) FROM pg_enum
    UNION ALL SELECT rngtypid, hash_record_extended((xmin, ctid, tableoid), 0) FROM pg_range WHERE rngtypid >= 16384
    -- Who owns a sequence, and what belongs to an extension.
    UNION ALL
    SELECT coalesce(r.unit, CASE WHEN d.classid IN ('pg_proc'::regclass, 'pg_type'::regclass) THEN d.objid ELSE 0 END),
           hash_record_extended((d.xmin, d.ctid, d.tableoid), 0)
      FROM pg_depend d
      LEFT JOIN relation r ON d.classid = 'pg_class'::regclass AND r.oid = d.objid
     WHERE d.deptype = 'e'
        OR d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0
           AND d.deptype IN ('a', 'i')
    UNION ALL
    SELECT coalesce(r.unit, greatest(con.conrelid, con.contypid), t.tgrelid, w.ev_class, p.polrelid, s.stxrelid,
                    CASE WHEN d.classoid IN ('pg_proc'::regclass, 'pg_type'::regclass) THEN d.objoid ELSE 0 END),
           hash_record_extended((d.xmin, d.ctid, d.tableoid), 0)
      FROM pg_description d
      LEFT JOIN relation r ON d.classoid = 'pg_class'::regclass AND r.oid = d.objoid
      LEFT JOIN pg_constraint con ON d.classoid = 'pg_constraint'::regclass AND con.oid = d.objoid
      LEFT JOIN pg_trigger t ON d.classoid = 'pg_trigger'::regclass AND t.oid = d.objoid
      LEFT JOIN pg_rewrite w ON d.classoid = 'pg_rewrite'::regclass AND w.oid = d.objoid
      LEFT JOIN pg_policy p ON d.classoid = 'pg_policy'::regclass AND p.oid = d.objoid
      LEFT JOIN pg_statistic_ext s ON d.classoid = 'pg_statistic_ext'::regclass AND s.oid = d.objoid
     WHERE d.objoid >= 16384 OR d.classoid IN ('pg_namespace'::regclass, 'pg_extension'::regclass)
    UNION ALL SELECT 0, hash_record_extended((oid, rolname), 0) FROM pg_roles
    UNION ALL SELECT 0, hash_record_extended((xmin, ctid, tableoid), 0) FROM pg_tablespace
    UNION ALL SELECT 0, hash_record_extended((xmin, ctid, tableoid), 0) FROM pg_namespace
    UNION ALL SELECT 0, hash_record_extended((xmin, ctid, tableoid), 0) FROM pg_default_acl
    UNION ALL SELECT 0, hash_record_extended((xmin, ctid, tableoid), 0) FROM pg_extension
    UNION ALL SELECT 0, hash_record_extended((xmin, ctid, tableoid), 0) FROM pg_event_trigger
    UNION ALL SELECT 0, hash_record_extended((xmin, ctid, tableoid), 0) FROM pg_publication
    UNION ALL SELECT 0, hash_record_extended((xmin, ctid, tableoid), 0) FROM pg_publication_rel
    UNION ALL SELECT 0, hash_record_extended((xmin, ctid, tableoid), 0) FROM :published_schemas
    UNION ALL SELECT 0, hash_record_extended((xmin, ctid, tableoid), 0) FROM pg_language
    UNION ALL SELECT 0, hash_record_extended((xmin, ctid, tableoid), 0) FROM pg_am
    UNION ALL SELECT 0, hash_record_extended((xmin, ctid, tableoid), 0) FROM pg_foreign_server
    UNION ALL SELECT 0, hash_record_extended((xmin, ctid, tableoid), 0) FROM pg_operator WHERE oid >= 16384
    UNION ALL SELECT 0, hash_record_extended((xmin, ctid, tableoid), 0) FROM pg_opclass WHERE oid >= 16384
    UNION ALL SELECT 0, hash_record_extended((xmin, ctid, tableoid), 0) FROM pg_opfamily WHERE oid >= 16384
    UNION ALL SELECT 0, hash_record_extended((xmin, ctid, tableoid), 0) FROM pg_amop WHERE oid >= 16384
    UNION ALL SELECT 0, hash_record_extended((xmin, ctid, tableoid), 0) FROM pg_amproc WHERE oid >= 16384
    UNION ALL SELECT 0, hash_record_extended((xmin, ctid, tableoid), 0) FROM pg_cast WHERE oid >= 16384
    UNION ALL SELECT 0, hash_record_extended((xmin, ctid, tableoid), 0) FROM pg_collation WHERE oid >= 16384
    UNION ALL SELECT 0, hash_record_extended((xmin, ctid, tableoid), 0) FROM pg_ts_config WHERE oid >= 16384
    UNION ALL SELECT 0, hash_record_extended((xmin, ctid, tableoid), 0) FROM pg_ts_config_map WHERE mapcfg >= 16384
    UNION ALL SELECT 0, hash_record_extended((xmin, ctid, tableoid), 0) FROM pg_ts_dict WHERE oid >= 16384
    UNION ALL SELECT 0, hash_record_extended((xmin, ctid, tableoid), 0) FROM pg_ts_parser WHERE oid >= 16384
    UNION ALL SELECT 0, hash_record_extended((xmin, ctid, tableoid), 0) FROM pg_ts_template WHERE oid >= 16384
)
SELECT unit, sum(version) AS version FROM standing GROUP BY unit
