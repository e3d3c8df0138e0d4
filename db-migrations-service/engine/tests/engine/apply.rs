//! A migration is one transaction with its history row, run as its service's owner.

use migration_engine::request::HistoryFilter;

use crate::help::World;

#[tokio::test]
async fn applies_everything_once_and_records_it() {
    let w = World::new().await;
    w.project
        .migration("alpha/20260101000000_create_t", "CREATE TABLE alpha.t (id int PRIMARY KEY);", "DROP TABLE alpha.t;")
        .migration(
            "alpha/20260102000000_fill_t",
            "INSERT INTO alpha.t VALUES (1); -- the first",
            "DELETE FROM alpha.t;",
        );
    assert_eq!(w.run_ok().await, ["alpha/20260101000000", "alpha/20260102000000"]);
    assert_eq!(w.run_ok().await, [""; 0]);
    assert_eq!(w.states().await, ["alpha/20260101000000 Applied", "alpha/20260102000000 Applied"]);
    let history = w.engine().history(&HistoryFilter { with_sql: true, ..HistoryFilter::default() }).await.unwrap();
    assert_eq!(history.len(), 2);
    let newest = &history[0];
    assert_eq!(
        (newest.name.as_str(), newest.service.as_str(), newest.applied_by.as_str()),
        ("fill_t", "alpha-service", "a test")
    );
    assert_eq!(newest.up_sql.as_deref(), Some("INSERT INTO alpha.t VALUES (1); -- the first"));
    assert_eq!(newest.down_sql.as_deref(), Some("DELETE FROM alpha.t;"));
    assert!(!newest.late && newest.rolled_back_at.is_none());
}

#[tokio::test]
async fn a_failure_in_the_middle_leaves_nothing_of_it_and_all_before_it() {
    let w = World::new().await;
    w.project
        .migration("alpha/1_good", "CREATE TABLE alpha.good ();", "DROP TABLE alpha.good;")
        .migration(
            "alpha/2_bad",
            "CREATE TABLE alpha.half ();\n-- é\nINSERT INTO alpha.half\n  (nothing) VALUES (1);\nCREATE TABLE alpha.rest ();",
            "DROP TABLE alpha.half;",
        )
        .migration("alpha/3_never", "CREATE TABLE alpha.never ();", "DROP TABLE alpha.never;");
    let error = w.run_err().await;
    let place = error.location.expect("it has a place");
    assert_eq!((place.file.as_str(), place.line, place.column), ("migrations/alpha/2_bad.up.sql", 4, 4));
    assert_eq!((place.statement, place.line_text.as_str()), (Some(2), "  (nothing) VALUES (1);"));
    assert_eq!(error.sql.unwrap().sqlstate, "42703");
    assert_eq!(w.relations().await, ["alpha.good"]);
    assert_eq!(w.states().await, ["alpha/1 Applied", "alpha/2 Failed", "alpha/3 Pending"]);
    // Mended, it goes on, and the failure is forgotten.
    w.project.migration("alpha/2_bad", "CREATE TABLE alpha.half ();", "DROP TABLE alpha.half;");
    assert_eq!(w.run_ok().await, ["alpha/2", "alpha/3"]);
    assert_eq!(w.db.value("SELECT count(*) FROM migration_service.failure").await.as_deref(), Some("0"));
}

#[tokio::test]
async fn a_failure_without_a_position_still_names_its_statement() {
    let w = World::new().await;
    w.project.migration("alpha/1_bad", "SELECT 1;\n\nSELECT 1 / 0;", "SELECT 1;");
    let place = w.run_err().await.location.unwrap();
    assert_eq!((place.line, place.column, place.statement), (3, 1, Some(2)));
    assert_eq!(place.statement_text.as_deref(), Some("SELECT 1 / 0"));
}

#[tokio::test]
async fn postgres_itself_keeps_a_service_in_its_schemas() {
    let w = World::new().await;
    w.project.migration("alpha/1_t", "CREATE TABLE alpha.t (id int PRIMARY KEY);", "DROP TABLE alpha.t;").migration(
        "beta/2_may",
        "CREATE TABLE beta.u (t int REFERENCES alpha.t);",
        "DROP TABLE beta.u;",
    );
    w.run_ok().await;
    assert_eq!(
        w.db.value("SELECT tableowner LIKE 'beta_owner%' FROM pg_tables WHERE tablename = 'u'").await.as_deref(),
        Some("t")
    );
    for (file, sql) in [
        ("gamma/3_may_not", "CREATE TABLE gamma.v (t int REFERENCES alpha.t);"),
        ("beta/4_alter", "ALTER TABLE alpha.t ADD COLUMN x int;"),
        ("beta/5_create", "CREATE TABLE alpha.mine ();"),
        ("beta/6_read", "CREATE TABLE beta.c AS SELECT * FROM alpha.t;"),
        ("beta/7_dynamic", "DO $$ BEGIN EXECUTE 'DROP TABLE alpha.t'; END $$;"),
        ("beta/8_history", "DELETE FROM migration_service.history;"),
    ] {
        w.project.migration(file, sql, "SELECT 1;");
        let error = w.run_err().await;
        let state = error.sql.as_ref().unwrap().sqlstate.clone();
        assert_eq!(state, "42501", "{file}: {error:#?}");
        assert!(error.cure.unwrap().contains("runs as"), "{file}");
        w.project.remove_migration(file);
    }
}

#[tokio::test]
async fn settings_of_one_migration_do_not_reach_the_next() {
    let w = World::new().await;
    w.project
        .migration("alpha/1_set", "SET search_path = pg_catalog; SET lock_timeout = '1ms'; SET work_mem = '1MB';", "SELECT 1;")
        .migration(
            "alpha/2_look",
            "CREATE TABLE seen AS SELECT current_setting('search_path') p, current_setting('work_mem') w, current_user u;",
            "DROP TABLE seen;",
        );
    w.run_ok().await;
    let seen = w.db.rows("SELECT p, w = (SELECT boot_val || 'kB' FROM pg_settings WHERE name = 'work_mem') OR w = '4MB', u LIKE 'alpha_owner%' FROM alpha.seen").await;
    assert_eq!(seen, ["alpha, pg_catalog|t|t"]);
}

#[tokio::test]
async fn odd_texts_survive_the_way_into_the_history() {
    let w = World::new().await;
    let up = "SELECT 'it''s', E'a\\'b\\\\', $x$;'\\$x$, '–é😀' -- no semicolon, and a comment at the end";
    w.project.migration("alpha/1_odd", up, "/* only */ SELECT 'down\\';");
    w.run_ok().await;
    let stored = w.engine().history(&HistoryFilter { with_sql: true, ..HistoryFilter::default() }).await.unwrap();
    assert_eq!(stored[0].up_sql.as_deref(), Some(up));
    assert_eq!(stored[0].down_sql.as_deref(), Some("/* only */ SELECT 'down\\';"));
}

#[tokio::test]
async fn a_catalogue_that_changes_changes_the_grants() {
    let w = World::new().await;
    w.project.migration("alpha/1_t", "CREATE TABLE alpha.t (id int PRIMARY KEY);", "DROP TABLE alpha.t;");
    w.run_ok().await;
    let catalogue = w.project.read("config/services.toml");
    let gamma = catalogue.rfind("references = []").unwrap();
    let permitted =
        format!("{}references = [\"alpha\"]{}", &catalogue[..gamma], &catalogue[gamma + "references = []".len()..]);
    w.project.write("config/services.toml", &permitted);
    w.project.migration("gamma/2_v", "CREATE TABLE gamma.v (t int REFERENCES alpha.t);", "DROP TABLE gamma.v;");
    assert_eq!(w.run_ok().await, ["gamma/2"]);
    // Taken back, it no longer may.
    w.project.write("config/services.toml", &catalogue);
    w.project.migration("gamma/3_w", "CREATE TABLE gamma.w (t int REFERENCES alpha.t);", "DROP TABLE gamma.w;");
    assert_eq!(w.run_err().await.sql.unwrap().sqlstate, "42501");
}

#[tokio::test]
async fn temporary_tables_and_the_servers_catalogs_need_no_schema() {
    let w = World::new().await;
    w.project.migration(
        "alpha/1_temporary",
        "CREATE TEMP TABLE x (a int) ON COMMIT DROP;\nINSERT INTO x SELECT count(*) FROM pg_class;\n\
         CREATE TABLE alpha.y AS SELECT * FROM x JOIN pg_settings ON true LIMIT 1;",
        "DROP TABLE alpha.y;",
    );
    assert_eq!(w.run_ok().await, ["alpha/1"]);
    assert_eq!(w.relations().await, ["alpha.y"]);
}

#[tokio::test]
async fn a_mistake_in_a_functions_body_has_its_own_place() {
    let w = World::new().await;
    w.project.migration(
        "alpha/1_f",
        "-- why\nCREATE FUNCTION alpha.f() RETURNS int LANGUAGE plpgsql AS $$\nBEGIN\n  RETRUN 1;\nEND $$;",
        "DROP FUNCTION alpha.f();",
    );
    let place = w.run_err().await.location.unwrap();
    assert_eq!((place.line, place.column, place.line_text.as_str()), (4, 3, "  RETRUN 1;"));
    w.project.migration(
        "alpha/1_f",
        "CREATE FUNCTION alpha.f() RETURNS int LANGUAGE sql AS $$\n  SELECT nothing FROM (SELECT 1) q\n$$;",
        "DROP FUNCTION alpha.f();",
    );
    let place = w.run_err().await.location.unwrap();
    assert_eq!((place.line, place.column), (2, 10));
}
