//! Changes too large for one statement: expanded, filled batch by batch, checked, contracted.

mod faults;
mod load;
mod proofs;
mod standby;
mod way_back;

use migration_engine::event::Outcome;
use migration_engine::hold::Hold;
use migration_engine::status::{BackfillStatus, MigrationState};
use migration_engine::{EngineError, ErrorCode, Event};

use crate::help::{World, all};

/// What an application had before there was a slug: `rows` plans.
pub async fn plans(rows: u32) -> World {
    let w = World::new().await;
    w.project.migration(
        "alpha/1_plans",
        &format!(
            "CREATE TABLE alpha.plans (id bigint PRIMARY KEY, name text NOT NULL, views int NOT NULL DEFAULT 0);
             INSERT INTO alpha.plans SELECT g, 'Plan ' || g FROM generate_series(1, {rows}) g;"
        ),
        "DROP TABLE alpha.plans;",
    );
    w.run_ok().await;
    w
}

/// The change: plans get a slug, which must be there in the end. `said` is said of the backfill.
pub fn slugs(w: &World, said: &str) {
    w.project.migration(
        "alpha/2_slugs",
        &format!(
            "-- part: expand\nALTER TABLE alpha.plans ADD COLUMN slug text;\n\
             ALTER TABLE alpha.plans ADD CONSTRAINT slug_is_there CHECK (slug IS NOT NULL) NOT VALID;\n\
             -- part: backfill\n{said}\
             UPDATE alpha.plans SET slug = lower(replace(name, ' ', '-')) WHERE slug IS NULL;\n\
             -- part: contract\nALTER TABLE alpha.plans VALIDATE CONSTRAINT slug_is_there;\n\
             ALTER TABLE alpha.plans ALTER COLUMN slug SET NOT NULL;\n\
             ALTER TABLE alpha.plans DROP CONSTRAINT slug_is_there;\n"
        ),
        "-- part: contract\nALTER TABLE alpha.plans ALTER COLUMN slug DROP NOT NULL;\n\
         -- part: expand\nALTER TABLE alpha.plans DROP COLUMN slug;\n",
    );
}

/// What the engine keeps while a backfill is under way.
pub const LEFT_OVERS: &str = "SELECT (SELECT count(*) FROM migration_service.journal) + (SELECT count(*) FROM migration_service.backfill) \
    + (SELECT count(*) FROM pg_trigger WHERE tgname LIKE '%profe%') + (SELECT count(*) FROM pg_proc WHERE proname LIKE 'profe_sync%')";

/// How far the backfills of `id` have come.
pub async fn progress(w: &World, id: &str) -> Vec<BackfillStatus> {
    let status = w.engine().status().await.unwrap_or_else(|error| panic!("{error:#?}"));
    let mut migrations = status.services.into_iter().flat_map(|service| service.migrations);
    migrations.find(|migration| migration.migration.to_string() == id).expect("it is in the status").backfills
}

/// How many batches were told of or done, as the last progress says.
fn last_progress(w: &World) -> (u64, u64) {
    let events = w.events.lock().unwrap();
    let told = events.iter().rev().find_map(|event| match event {
        Event::BackfillProgress { rows_done, rows_estimated, .. } => Some((*rows_done, *rows_estimated)),
        _ => None,
    });
    told.expect("progress is told")
}

#[tokio::test]
async fn rows_are_filled_batch_by_batch_between_expand_and_contract() {
    let w = plans(1_000).await;
    slugs(&w, "-- batch-rows: 100\n");
    let transactions = "SELECT count(DISTINCT xmin::text) FROM alpha.plans";
    assert_eq!(w.run_ok().await, ["alpha/2"]);
    assert_eq!(w.db.value(transactions).await.as_deref(), Some("10"), "a transaction for each batch");
    assert_eq!(w.db.value("SELECT slug FROM alpha.plans WHERE id = 7").await.as_deref(), Some("plan-7"));
    let wrong = "SELECT count(*) FROM alpha.plans WHERE slug IS DISTINCT FROM 'plan-' || id";
    assert_eq!(w.db.value(wrong).await.as_deref(), Some("0"));
    let not_null = "SELECT attnotnull FROM pg_attribute WHERE attrelid = 'alpha.plans'::regclass AND attname = 'slug'";
    assert_eq!(w.db.value(not_null).await.as_deref(), Some("t"));
    assert_eq!(w.db.value(LEFT_OVERS).await.as_deref(), Some("0"));
    assert_eq!(last_progress(&w), (1_000, 1_000));
    assert_eq!(w.state("alpha/2").await, MigrationState::Applied);
    assert!(w.saw(|e| matches!(e, Event::StatementFinished { tag, rows: 1_000, .. } if tag == "UPDATE (backfill)")));
    assert_eq!(w.run_ok().await, [""; 0]);
}

#[tokio::test]
async fn the_plan_says_how_many_rows_it_fills() {
    let w = plans(700).await;
    w.db.value("ANALYZE alpha.plans").await;
    slugs(&w, "");
    let plan = w.engine().plan(&migration_engine::request::Scope::All, false).await.unwrap();
    assert_eq!(plan.migrations[0].fills, ["alpha.plans"]);
    assert_eq!(plan.notes, ["alpha/2 fills about 700 rows of alpha.plans batch by batch"]);
}

#[tokio::test]
async fn a_table_is_walked_by_whatever_unique_key_it_has() {
    for (name, key, said) in [
        ("text", "code text PRIMARY KEY DEFAULT 'it''s \\' || nextval('alpha.s') || ' $do$é'", ""),
        ("uuid", "code uuid PRIMARY KEY DEFAULT gen_random_uuid()", ""),
        (
            "two columns",
            "a int DEFAULT nextval('alpha.s') % 7, b int DEFAULT nextval('alpha.s'), PRIMARY KEY (a, b)",
            "",
        ),
        ("time", "at timestamptz NOT NULL UNIQUE DEFAULT now() + nextval('alpha.s') * interval '1 us'", ""),
        ("an enum", "k alpha.kind DEFAULT 'x', n int DEFAULT nextval('alpha.s'), PRIMARY KEY (k, n)", ""),
        (
            "named",
            "id int PRIMARY KEY DEFAULT nextval('alpha.s'), \"Other\" int NOT NULL UNIQUE DEFAULT nextval('alpha.s')",
            "-- key: Other\n",
        ),
    ] {
        let w = World::new().await;
        let base = format!(
            "CREATE SEQUENCE alpha.s; CREATE TYPE alpha.kind AS ENUM ('z', 'x'); CREATE TABLE alpha.t ({key}, v int);
             INSERT INTO alpha.t (v) SELECT g FROM generate_series(1, 230) g;"
        );
        w.project.migration("alpha/1_t", &base, "-- irreversible: not needed\n");
        w.run_ok().await;
        let up = format!(
            "-- part: expand\nALTER TABLE alpha.t ADD COLUMN double int;\n-- part: backfill\n-- batch-rows: 50\n{said}\
             UPDATE alpha.t AS x SET double = x.v * 2 FROM generate_series(1, 1) one;\n"
        );
        w.project.migration("alpha/2_double", &up, "ALTER TABLE alpha.t DROP COLUMN double;");
        assert_eq!(w.run_ok().await, ["alpha/2"], "{name}");
        let left = "SELECT count(*) FROM alpha.t WHERE double IS DISTINCT FROM v * 2";
        assert_eq!(w.db.value(left).await.as_deref(), Some("0"), "{name}");
        let batches = "SELECT count(DISTINCT xmin::text) FROM alpha.t";
        assert_eq!(w.db.value(batches).await.as_deref(), Some("5"), "{name}");
    }
}

#[tokio::test]
async fn a_partitioned_table_is_walked_as_one_and_several_tables_one_after_the_other() {
    let w = World::new().await;
    w.project.migration(
        "alpha/1_t",
        "CREATE TABLE alpha.p (id int, half int, v int, PRIMARY KEY (half, id)) PARTITION BY LIST (half);
         CREATE TABLE alpha.p0 PARTITION OF alpha.p FOR VALUES IN (0);
         CREATE TABLE alpha.p1 (v int, gone int, half int NOT NULL, id int NOT NULL);
         ALTER TABLE alpha.p1 DROP COLUMN gone;
         ALTER TABLE alpha.p ATTACH PARTITION alpha.p1 FOR VALUES IN (1);
         CREATE TABLE alpha.o (id int PRIMARY KEY, v int);
         INSERT INTO alpha.p SELECT g, g % 2, g FROM generate_series(1, 100) g;
         INSERT INTO alpha.o SELECT g, g FROM generate_series(1, 60) g;",
        "-- irreversible: not needed\n",
    );
    w.run_ok().await;
    w.project.migration(
        "alpha/2_fill",
        "-- part: expand\nALTER TABLE alpha.p ADD COLUMN w int; ALTER TABLE alpha.o ADD COLUMN w int;\n-- part: backfill\n\
         -- batch-rows: 7\nUPDATE alpha.p SET w = v + 1;\n-- batch-rows: 20\nUPDATE alpha.o SET w = v + 2 WHERE w IS NULL;\n",
        "ALTER TABLE alpha.o DROP COLUMN w; ALTER TABLE alpha.p DROP COLUMN w;",
    );
    assert_eq!(w.run_ok().await, ["alpha/2"]);
    let wrong = "SELECT (SELECT count(*) FROM alpha.p WHERE w IS DISTINCT FROM v + 1) + (SELECT count(*) FROM alpha.o WHERE w IS DISTINCT FROM v + 2)";
    assert_eq!(w.db.value(wrong).await.as_deref(), Some("0"));
    assert_eq!(w.db.value(LEFT_OVERS).await.as_deref(), Some("0"));
}

#[tokio::test]
async fn what_cannot_be_walked_is_told_with_its_line_and_the_cure() {
    for (table, said, update, words) in [
        ("id int, v int", "", "UPDATE alpha.t SET v = 1", "alpha.t has no key that it can be walked by"),
        (
            "id int PRIMARY KEY, v int",
            "-- key: v\n",
            "UPDATE alpha.t SET id = 1",
            "no unique index of alpha.t is over (v)",
        ),
        ("id int PRIMARY KEY, v int", "", "UPDATE alpha.u SET v = 1", "alpha.u"),
        ("id int PRIMARY KEY, v int", "", "UPDATE alpha.t SET w = 1", "column \"w\" of relation \"t\" does not exist"),
        ("id int PRIMARY KEY, v int", "", "UPDATE alpha.t SET v = 1 / (id - id)", "division by zero"),
    ] {
        let w = World::new().await;
        w.project.migration(
            "alpha/1_t",
            &format!("CREATE TABLE alpha.t ({table}); INSERT INTO alpha.t VALUES (1);"),
            "DROP TABLE alpha.t;",
        );
        w.run_ok().await;
        w.project.migration(
            "alpha/2_x",
            &format!("-- part: backfill\n{said}{update};"),
            "-- irreversible: nothing to undo\n",
        );
        let error = match w.try_run(all()).await {
            Ok(report) => *report.error.expect("it fails"),
            Err(error) => error,
        };
        assert!(error.message.contains(words) && error.cure.is_some(), "{update}: {error:#?}");
    }
}

/// What a trigger gets wrong, every writer would be refused for.
#[tokio::test]
async fn an_update_that_cannot_run_leaves_no_trigger_behind() {
    for expression in ["lower(id)", "nowhere", "plans.ctid::text || (plans::alpha.plans).name"] {
        let w = plans(3).await;
        slugs(&w, "");
        let up = w.project.read("migrations/alpha/2_slugs.up.sql");
        w.project.write("migrations/alpha/2_slugs.up.sql", &up.replace("lower(replace(name, ' ', '-'))", expression));
        let error = w.run_err().await;
        assert_eq!((error.code, error.location.unwrap().line), (ErrorCode::MigrationFailed, 5), "{expression}");
        w.db.value("INSERT INTO alpha.plans (id, name) VALUES (10, 'as before')").await;
        assert_eq!(w.state("alpha/2").await, MigrationState::Failed, "not even expanded");
    }
}

#[tokio::test]
async fn parts_that_do_not_fit_together_are_refused_before_anything_runs() {
    let w = plans(1).await;
    for (up, down, words) in [
        (
            "-- part: contract\nSELECT 1;\n-- part: backfill\nUPDATE alpha.plans SET name = '';",
            "SELECT 1;",
            "from expand to contract",
        ),
        ("-- part: expand\nSELECT 1;\n-- part: contract\nSELECT 2;", "SELECT 1;", "no backfill"),
        ("SELECT 1;", "-- part: expand\nSELECT 1;\n-- part: contract\nSELECT 2;", "from contract to expand"),
    ] {
        w.project.migration("alpha/2_x", up, down);
        let error = w.refused().await;
        assert_eq!(error.code, ErrorCode::BadDirective, "{up}");
        assert!(error.message.contains(words) && error.location.is_some(), "{error:#?}");
    }
}

#[tokio::test]
async fn a_contract_is_refused_while_rows_are_left_with_their_number_and_one_of_them() {
    let w = plans(300).await;
    w.project.migration(
        "alpha/2_slugs",
        "-- part: expand\nALTER TABLE alpha.plans ADD COLUMN slug text;\n-- part: backfill\n-- batch-rows: 100\n-- remaining: slug IS NULL\n\
         UPDATE alpha.plans SET slug = lower(name) WHERE id NOT IN (7, 8);\n-- part: contract\nALTER TABLE alpha.plans DROP COLUMN views;\n",
        "ALTER TABLE alpha.plans DROP COLUMN slug;",
    );
    let error = w.run_err().await;
    assert_eq!(error.code, ErrorCode::RowsLeft, "{error:#?}");
    assert!(
        error.message.contains("2 rows of alpha.plans are not filled, one of them where id = 7"),
        "{}",
        error.message
    );
    let columns = "SELECT count(*) FROM pg_attribute WHERE attrelid = 'alpha.plans'::regclass AND attname = 'views' AND NOT attisdropped";
    assert_eq!(w.db.value(columns).await.as_deref(), Some("1"), "the contract was not taken");
    assert_eq!(w.state("alpha/2").await, MigrationState::Interrupted);
    w.db.value("UPDATE alpha.plans SET slug = '' WHERE id IN (7, 8)").await;
    assert_eq!(w.run_ok().await, ["alpha/2"]);
    assert_eq!(w.db.value(LEFT_OVERS).await.as_deref(), Some("0"));
}

/// Whether rows are left is asked of values, where the update's condition does not say it.
#[tokio::test]
async fn without_a_condition_the_rows_that_the_update_would_change_are_left() {
    let w = plans(50).await;
    w.project.migration(
        "alpha/2_half",
        "-- part: expand\nALTER TABLE alpha.plans ADD COLUMN half numeric(10, 2), ADD COLUMN doc json;\n-- part: backfill\n\
         UPDATE alpha.plans SET half = id / 3.0, doc = json_build_object('n', name);\n-- part: contract\nALTER TABLE alpha.plans ALTER half SET NOT NULL;",
        "ALTER TABLE alpha.plans DROP COLUMN half, DROP COLUMN doc;",
    );
    assert_eq!(w.run_ok().await, ["alpha/2"], "rounded to the column's type it is no other value");
}

#[tokio::test]
async fn a_held_contract_waits_and_the_next_run_goes_on_with_it() {
    let w = plans(250).await;
    slugs(&w, "-- batch-rows: 100\n");
    let hold = Hold::new(|contracts| async move {
        assert_eq!(
            (contracts[0].migration.to_string(), contracts[0].of.to_string()),
            ("alpha/2".into(), "alpha/2".into())
        );
        Err(EngineError::new(ErrorCode::ContractHeld, "plans 1.4 still needs what alpha/2 takes away"))
    });
    let mut run = w.engine().prepare_run(all(), w.context()).await.unwrap();
    run.hold_contracts_by(hold, None);
    let report = run.execute().await;
    let error = report.error.expect("it is held");
    assert_eq!((report.outcome, error.code), (Outcome::Failed, ErrorCode::ContractHeld));
    assert!(error.left_behind.unwrap().contains("goes on with the contract"));
    assert_eq!(w.db.value("SELECT count(*) FROM alpha.plans WHERE slug IS NULL").await.as_deref(), Some("0"));
    let progress = progress(&w, "alpha/2").await;
    assert!(progress[0].is_filled && progress[0].waits_for.as_deref().unwrap().contains("plans 1.4"), "{progress:#?}");
    // What is written while it waits is filled by the trigger.
    w.db.value("INSERT INTO alpha.plans (id, name) VALUES (1000, 'A New One')").await;
    assert_eq!(w.db.value("SELECT slug FROM alpha.plans WHERE id = 1000").await.as_deref(), Some("a-new-one"));
    let before = "SELECT count(DISTINCT xmin::text) FROM alpha.plans";
    let transactions = w.db.value(before).await;
    assert_eq!(w.run_ok().await, ["alpha/2"]);
    assert_eq!(w.db.value(before).await, transactions, "nothing is filled twice");
    assert_eq!(w.db.value(LEFT_OVERS).await.as_deref(), Some("0"));
}

#[tokio::test]
async fn a_dry_run_names_a_backfill_as_not_tried() {
    let w = plans(1).await;
    slugs(&w, "");
    let report = w.try_run(migration_engine::request::RunRequest { dry_run: true, ..all() }).await.unwrap();
    assert_eq!(report.not_tried.len(), 1);
    assert!(report.not_tried[0].1.contains("backfill"), "{report:#?}");
}
