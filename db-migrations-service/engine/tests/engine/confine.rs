//! What a migration brings along cannot leave its owner role, however it is spelled and whenever it runs.
//!
//! The tests connect as a superuser, so that any way out would be a way to everything.

use migration_engine::ErrorCode;
use migration_engine::audit::AuditFilter;

use crate::help::World;

/// A function that leaves the role and tells nobody: its words are put together at run time.
const ESCAPE: &str = "
CREATE FUNCTION alpha.escape() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE 're' || 'set ro' || 'le';
  EXECUTE 'create role escaped superuser';
END $$;
CREATE FUNCTION alpha.escape_trigger() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM alpha.escape(); RETURN NULL; END $$;
CREATE FUNCTION alpha.pure(x int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN PERFORM set_config('ro' || 'le', 'none', false); RETURN x; END $$;
CREATE TABLE alpha.t (a int);
INSERT INTO alpha.t VALUES (1);
";

/// Ways to have code run, each as the second migration after [`ESCAPE`].
const WAYS: &[(&str, &str)] = &[
    ("a select", "SELECT alpha.escape();"),
    ("a do block", "DO $$ BEGIN EXECUTE 'RESET' || ' ROLE'; CREATE ROLE escaped SUPERUSER; END $$;"),
    ("a setting by its computed name", "SELECT set_config('ro' || 'le', 'none', true);"),
    ("session authorization", "DO $$ BEGIN EXECUTE 'reset session au' || 'thorization'; END $$;"),
    ("a default", "ALTER TABLE alpha.t ADD COLUMN b int DEFAULT alpha.pure(1);"),
    ("a check", "ALTER TABLE alpha.t ADD CHECK (alpha.pure(a) > 0);"),
    (
        "a generated column",
        "CREATE TABLE alpha.g (a int, b int GENERATED ALWAYS AS (alpha.pure(1)) STORED); INSERT INTO alpha.g VALUES (1);",
    ),
    (
        "a bound of a partition",
        "CREATE TABLE alpha.p (a int) PARTITION BY LIST (a); CREATE TABLE alpha.p1 PARTITION OF alpha.p FOR VALUES IN (alpha.pure(1));",
    ),
    ("an index", "CREATE INDEX i ON alpha.t (alpha.pure(a));"),
    ("an index built concurrently", "CREATE INDEX CONCURRENTLY i ON alpha.t (alpha.pure(a));"),
    ("a using clause", "ALTER TABLE alpha.t ALTER a TYPE bigint USING alpha.pure(a);"),
    (
        "a trigger",
        "CREATE TRIGGER g AFTER INSERT ON alpha.t EXECUTE FUNCTION alpha.escape_trigger(); INSERT INTO alpha.t VALUES (2);",
    ),
    (
        "a trigger put off to the commit",
        "CREATE CONSTRAINT TRIGGER g AFTER INSERT ON alpha.t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION alpha.escape_trigger(); INSERT INTO alpha.t VALUES (2);",
    ),
    ("a cursor held over the commit", "DECLARE c CURSOR WITH HOLD FOR SELECT alpha.escape(); SELECT 1 / 0;"),
    ("a materialized view", "CREATE MATERIALIZED VIEW alpha.m AS SELECT alpha.pure(a) FROM alpha.t;"),
    (
        "a truncate trigger",
        "CREATE TRIGGER g BEFORE TRUNCATE ON alpha.t EXECUTE FUNCTION alpha.escape_trigger(); TRUNCATE alpha.t;",
    ),
    ("the plan of a query", "EXPLAIN SELECT alpha.pure(1);"),
    ("a prepared statement", "PREPARE p AS SELECT alpha.escape(); EXECUTE p;"),
];

#[tokio::test]
async fn no_code_of_a_migration_leaves_its_role() {
    for (way, sql) in WAYS {
        let w = World::new().await;
        w.project.migration("alpha/1_escape", ESCAPE, "SELECT 1;").migration("alpha/2_way", sql, "SELECT 1;");
        let error = w.run_err().await;
        assert_eq!(w.states().await, ["alpha/1 Applied", "alpha/2 Failed"], "{way}: {error:#?}");
        let refused = error.sql.as_ref().expect("the server says it");
        if !way.starts_with("a cursor") {
            assert_eq!(
                (refused.sqlstate.as_str(), error.code),
                ("42501", ErrorCode::InsufficientPrivilege),
                "{way}: {refused:?}"
            );
            assert!(refused.message.starts_with("cannot set parameter"), "{way}: {}", refused.message);
            assert!(error.message.starts_with("migrations/alpha/2_way.up.sql"), "{way}: {}", error.message);
        }
        assert_eq!(
            w.db.value("SELECT count(*) FROM pg_roles WHERE rolname = 'escaped'").await.as_deref(),
            Some("0"),
            "{way}"
        );
    }
}

/// A cursor that is held would be read at the commit, when the engine is itself again.
#[tokio::test]
async fn a_held_cursor_is_closed_before_the_commit() {
    let w = World::new().await;
    w.project.migration("alpha/1_escape", ESCAPE, "SELECT 1;").migration(
        "alpha/2_way",
        "DECLARE c CURSOR WITH HOLD FOR SELECT alpha.escape();",
        "SELECT 1;",
    );
    assert_eq!(w.run_ok().await, ["alpha/1", "alpha/2"]);
    assert_eq!(w.db.value("SELECT count(*) FROM pg_roles WHERE rolname = 'escaped'").await.as_deref(), Some("0"));
}

#[tokio::test]
async fn neither_does_a_way_back_nor_a_seed() {
    let w = World::new().await;
    w.project.migration("alpha/1_escape", ESCAPE, "DO $$ BEGIN EXECUTE 'RESET' || ' ROLE'; END $$;");
    w.run_ok().await;
    let report = w.try_rollback(migration_engine::request::RollbackTo::Steps(1)).await.expect("it is planned");
    assert_eq!(report.error.expect("refused").code, ErrorCode::InsufficientPrivilege);

    w.project.write("seeds/alpha/01_bad.sql", "SELECT alpha.escape();");
    let scope = migration_engine::request::Scope::All;
    let error = w.engine().seed(&scope, w.context()).await.expect_err("refused");
    assert_eq!(error.code, ErrorCode::InsufficientPrivilege, "{error:#?}");

    w.project.write("seeds/alpha/01_bad.sql", "SELECT 1;");
    w.project.migration(
        "alpha/2_trigger",
        "CREATE TRIGGER g BEFORE TRUNCATE ON alpha.t EXECUTE FUNCTION alpha.escape_trigger();",
        "DROP TRIGGER g ON alpha.t;",
    );
    w.run_ok().await;
    let error = w.engine().seed_reset(&scope, w.context()).await.expect_err("refused");
    assert!(error.message.contains("alpha.t has the trigger g"), "{error:#?}");
    assert_eq!(w.db.value("SELECT count(*) FROM alpha.t").await.as_deref(), Some("1"));
}

/// The function that confines belongs to the role that it confines. What is done to it is noticed before it is used,
/// and mended by the next run.
#[tokio::test]
async fn a_door_that_was_altered_is_noticed_and_mended() {
    for (tampering, is_refused) in [
        // Noticed before the commit.
        ("ALTER FUNCTION {door} SECURITY INVOKER;", true),
        ("ALTER FUNCTION {door} SET search_path = alpha;", true),
        ("DO $$ BEGIN EXECUTE 'alter function {door} security invoker'; END $$;", true),
        // Noticed by the next that needs it.
        ("DROP FUNCTION {door};", false),
        ("ALTER FUNCTION {door} SET SCHEMA alpha;", false),
    ] {
        let w = World::new().await;
        w.project.migration("alpha/1_first", "CREATE TABLE alpha.t ();", "DROP TABLE alpha.t;");
        w.run_ok().await;
        let door = "SELECT p.oid::regprocedure FROM pg_proc p WHERE prosecdef AND proowner = (SELECT relowner FROM pg_class WHERE oid = 'alpha.t'::regclass)";
        let door = w.db.value(door).await.expect("the owner has a door");
        w.project.migration("alpha/2_tampers", &tampering.replace("{door}", &door), "SELECT 1;").migration(
            "alpha/3_way",
            "DO $$ BEGIN EXECUTE 'RESET' || ' ROLE'; END $$;",
            "SELECT 1;",
        );
        let error = w.run_err().await;
        assert_eq!(error.code, ErrorCode::InsufficientPrivilege, "{tampering}: {error:#?}");
        let cure = error.cure.expect("it has a cure");
        assert!(cure.starts_with("it confines migrations"), "{tampering}: {cure}");
        assert_eq!(w.states().await[1] == "alpha/2 Failed", is_refused, "{tampering}");
        // The next run puts the door right, and that refuses.
        if is_refused {
            w.project.migration("alpha/2_tampers", "SELECT 1;", "SELECT 1;");
        }
        let error = w.run_err().await;
        assert!(error.message.contains("cannot set parameter"), "{tampering}: {}", error.message);
    }
}

#[tokio::test]
async fn what_only_speaks_of_roles_runs() {
    let w = World::new().await;
    w.project.migration(
        "alpha/1_words",
        "DO $$ BEGIN RAISE NOTICE 'please reset role later'; END $$;
         CREATE TABLE alpha.roles (role text);
         CREATE FUNCTION alpha.f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN SET LOCAL ROLE app_user; END $$;",
        "DROP TABLE alpha.roles; DROP FUNCTION alpha.f();",
    );
    assert_eq!(w.run_ok().await, ["alpha/1"]);
}

/// Places in errors are those of the file, also behind statements that were passed through the door.
#[tokio::test]
async fn places_are_those_of_the_file() {
    for (sql, line, column) in [
        ("SELECT 'é'; SELECT 'it''s\\n';\nCREATE TABLE alpha.x (a nothing);", 2, 25),
        ("SELECT 1;\nSELECT 'é', nothing;", 2, 13),
        ("SELECT 1; /* é */ CREATE TABLE alpha.x ();\n  SELECT 1 / 0;", 2, 3),
        ("SELECT 1;\nDO $$ BEGIN\n  IF nothing() THEN END IF;\nEND $$;", 3, 6),
        ("SELECT 1;\nCREATE TABLE alpha.a ();\nCREATE TABLE alpha.a ();", 3, 1),
    ] {
        let w = World::new().await;
        w.project.migration("alpha/1_bad", sql, "SELECT 1;");
        let place = w.run_err().await.location.expect("a place");
        assert_eq!((place.line, place.column), (line, column), "{sql}: {place:?}");
    }
}

/// Settings for the session: in a body, by their computed names, one that no statement of the file shows.
const SETS: &str = "
DO $$ BEGIN
  PERFORM set_config(name, value, false) FROM (VALUES ('statement_time' || 'out', '9min'), ('lock_timeout', '9min'),
    ('search_path', 'beta'), ('standard_conforming_strings', 'off'), ('DateStyle', 'German'), ('test.x', 'set')) s (name, value);
END $$;
";

/// Every setting but the path to the migration's own schema, as a table of `name`.
fn settings_as(table: &str) -> String {
    format!(
        "CREATE TABLE {table} AS SELECT name, setting FROM pg_settings WHERE name <> 'search_path'
         UNION ALL SELECT 'test.x', COALESCE(current_setting('test.x', true), '')
         UNION ALL SELECT 'path', split_part(current_setting('search_path'), ',', 2);"
    )
}

#[tokio::test]
async fn what_a_body_sets_for_its_session_does_not_reach_the_next_migration() {
    let alone = "CREATE TABLE alpha.t (a int); CREATE INDEX CONCURRENTLY t_a ON alpha.t (a);";
    for (way, sets) in [("one transaction", SETS.to_owned()), ("statement by statement", format!("{alone}{SETS}"))] {
        let w = World::new().await;
        w.project
            .migration("alpha/1_before", &settings_as("alpha.before"), "DROP TABLE alpha.before;")
            .migration("alpha/2_sets", &sets, SETS)
            .migration("alpha/3_after", &settings_as("alpha.after"), "DROP TABLE alpha.after;");
        assert_eq!(w.run_ok().await, ["alpha/1", "alpha/2", "alpha/3"], "{way}");
        let differ = "SELECT name || ': ' || b.setting || ' -> ' || a.setting FROM alpha.before b JOIN alpha.after a USING (name) \
                      WHERE a.setting <> b.setting";
        assert_eq!(w.db.rows(differ).await, Vec::<String>::new(), "{way}");
        assert_eq!(
            w.db.value("SELECT setting ~ '^profe_.*_told$' FROM alpha.after WHERE name = 'backtrace_functions'")
                .await
                .as_deref(),
            Some("t"),
            "{way}: the audit's mark stays"
        );
    }
}

#[tokio::test]
async fn nor_the_next_one_that_is_taken_back_or_tried_nor_the_next_seed() {
    let w = World::new().await;
    w.project.migration("alpha/1_reads", &settings_as("alpha.before"), &settings_as("alpha.after")).migration(
        "alpha/2_sets",
        "SELECT 1;",
        SETS,
    );
    w.run_ok().await;
    let report = w.try_rollback(migration_engine::request::RollbackTo::Steps(2)).await.expect("it is planned");
    assert!(report.error.is_none(), "{:#?}", report.error);
    // Each run names itself in these two.
    let differ = "SELECT b.name FROM alpha.before b JOIN alpha.after a USING (name) WHERE a.setting <> b.setting \
                  AND b.name NOT IN ('application_name', 'backtrace_functions')";
    assert_eq!(w.db.rows(differ).await, Vec::<String>::new(), "a way back");

    let refused = "DO $$ BEGIN IF current_setting('test.x', true) = 'set' THEN RAISE 'it is set'; END IF; END $$;";
    let w = World::new().await;
    w.project.migration("alpha/1_sets", SETS, "SELECT 1;").migration("alpha/2_reads", refused, "SELECT 1;");
    let dry = migration_engine::request::RunRequest { dry_run: true, ..crate::help::all() };
    let report = w.try_run(dry).await.expect("it is planned");
    assert!(report.error.is_none(), "a dry run: {:#?}", report.error);
    w.run_ok().await;
    w.project.write("seeds/alpha/01_sets.sql", SETS);
    w.project.write("seeds/alpha/02_reads.sql", refused);
    w.engine().seed(&migration_engine::request::Scope::All, w.context()).await.expect("a seed");
}

/// A statement that may run code is passed through a function; it is the run's own all the same.
#[tokio::test]
async fn what_a_run_passes_through_a_door_is_its_own_and_what_that_calls_is_not() {
    let w = World::new().await;
    w.project
        .migration("alpha/1_t", "CREATE TABLE alpha.t (v text);", "DROP TABLE alpha.t;")
        .migration(
            "alpha/2_own",
            "INSERT INTO alpha.t VALUES ('x');\nALTER TABLE alpha.t ADD COLUMN n int DEFAULT 1,\n  ADD CHECK (n > 0);\nCREATE TABLE alpha.c AS SELECT 'it''s' AS \"$$\";\nALTER TABLE alpha.t ALTER n TYPE bigint;",
            "ALTER TABLE alpha.t DROP n; DROP TABLE alpha.c;",
        )
        .migration(
            "alpha/3_calls",
            "CREATE FUNCTION alpha.make() RETURNS int LANGUAGE plpgsql AS $$ BEGIN CREATE TABLE alpha.deep (); RETURN 1; END $$;
             ALTER TABLE alpha.t ADD COLUMN m int DEFAULT alpha.make();",
            "SELECT 1;",
        );
    assert_eq!(w.run_ok().await, ["alpha/1", "alpha/2", "alpha/3"]);
    let entries = w.engine().audit(&AuditFilter::default()).await.unwrap().entries;
    let of = |event: &str| entries.iter().filter(|e| e.event == event).collect::<Vec<_>>();
    let seen: Vec<_> = of("ddl_command_end").iter().map(|e| e.objects[0]["identity"].as_str().unwrap()).collect();
    assert_eq!(seen, ["alpha.deep"], "{entries:#?}");
    assert_eq!((of("sql_drop").len(), of("error").len(), of("migration").len()), (0, 0, 3), "{entries:#?}");
}
