//! Schemas of a live database brought back: wholly or not at all.

use std::sync::Arc;

use backup_vault::{InPlace, Manifest, Progress, Scope, Swapped, VaultError, sweep_schemas};
use testkit::server;
use tokio_util::sync::CancellationToken;

use crate::help::{Place, plans};

const LOCK: (i32, i32) = (1, 2);
const WORK: (i32, i32) = (1, 3);

async fn restore(place: &Place, manifest: &Manifest) -> Result<Swapped, VaultError> {
    let target = InPlace::new(place.db.connect().clone(), LOCK, WORK);
    let (progress, cancel) = (Arc::new(Progress::default()), CancellationToken::new());
    place.vault.restore_in_place(&manifest.id, &target, &progress, &cancel).await
}

async fn value(place: &Place, sql: &str) -> String {
    place.db.value(sql).await.unwrap_or_default()
}

/// Schemas and databases that a restore has left.
async fn left(place: &Place, manifest: &Manifest) -> (String, String) {
    let name = manifest.id.as_str().replace('-', "_");
    (
        value(place, "SELECT string_agg(nspname, ',') FROM pg_namespace WHERE nspname LIKE '%\\_profe\\_%'").await,
        value(place, &format!("SELECT string_agg(datname, ',') FROM pg_database WHERE datname LIKE '%{name}%'")).await,
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn schemas_come_back_and_the_keys_of_others_lead_to_them() {
    let place = Place::new().await;
    value(&place, "CREATE TABLE users.likes (plan bigint CONSTRAINT likes_plan REFERENCES plans.plans ON DELETE CASCADE); INSERT INTO users.likes VALUES (7), (8);
         CREATE FUNCTION plans.guard() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER guarded BEFORE UPDATE ON users.likes FOR EACH ROW WHEN (NEW.plan > 0) EXECUTE FUNCTION plans.guard();
         ALTER TABLE users.likes DISABLE TRIGGER guarded; CREATE POLICY few ON users.likes AS RESTRICTIVE FOR SELECT USING (plan < plans.f()); COMMENT ON POLICY few ON users.likes IS 'few'").await;
    let manifest = place.make(plans()).await;
    let before = value(&place, "SELECT count(*) || ' ' || sum(length) || ' ' || last_value FROM plans.plans, plans.plans_id_seq GROUP BY last_value").await;
    value(
        &place,
        "DELETE FROM plans.plans WHERE id > 1000; UPDATE plans.plans SET title = 'spoilt' WHERE id = 7; CREATE OR REPLACE FUNCTION plans.f() RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint'; DROP TABLE plans.cache;
         CREATE TABLE plans.late (); ALTER TABLE plans.plans DISABLE ROW LEVEL SECURITY; DELETE FROM users.users WHERE id = 500 AND NOT EXISTS (SELECT FROM plans.plans WHERE owner = 500)",
    )
    .await;
    value(
        &place,
        "INSERT INTO users.users SELECT 500, 'back' WHERE NOT EXISTS (SELECT FROM users.users WHERE id = 500)",
    )
    .await;
    let swapped = restore(&place, &manifest).await.unwrap();
    assert_eq!((swapped.schemas.as_slice(), swapped.bindings), (["plans".to_owned()].as_slice(), 3));
    let after = value(&place, "SELECT count(*) || ' ' || sum(length) || ' ' || last_value FROM plans.plans, plans.plans_id_seq GROUP BY last_value").await;
    assert_eq!(after, before);
    assert_eq!(value(&place, "SELECT plans.f() || ' ' || (SELECT count(*) FROM plans.cache) || ' ' || coalesce(to_regclass('plans.late')::text, 'none')").await, "2000 2 none");
    assert_eq!(value(&place, "SELECT relrowsecurity FROM pg_class WHERE oid = 'plans.plans'::regclass").await, "t");
    // Keys from and to others are real ones.
    value(&place, "DELETE FROM plans.plans WHERE id = 7").await;
    assert_eq!(value(&place, "SELECT string_agg(plan::text, ',') FROM users.likes").await, "8");
    let refused = place.db.session().await.batch("INSERT INTO plans.plans (owner) VALUES (9999)").await.unwrap_err();
    assert_eq!(refused.sqlstate(), Some("23503"));
    assert_eq!(value(&place, "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND NOT convalidated").await, "0");
    // The schema is the one that was backed up, to the last comment.
    let again = place.make(plans()).await;
    assert_eq!(
        (&again.schemas["plans"], &again.schemas["users"]),
        (&manifest.schemas["plans"], &manifest.schemas["users"])
    );
    assert_eq!(left(&place, &manifest).await, (String::new(), String::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_break_is_named_and_nothing_changes() {
    let place = Place::new().await;
    value(&place, "CREATE TABLE users.likes (plan bigint CONSTRAINT likes_plan REFERENCES plans.plans)").await;
    let manifest = place.make(plans()).await;
    // A row of another service refers to one that is not in the backup.
    value(&place, "INSERT INTO plans.plans (id, owner, title) OVERRIDING SYSTEM VALUE VALUES (9999, 1, 'new'); INSERT INTO users.likes VALUES (9999)").await;
    let error = restore(&place, &manifest).await.unwrap_err();
    assert!(
        matches!(&error, VaultError::WouldBreak(what) if what.contains("likes_plan") && what.contains("9999")),
        "{error}"
    );
    assert_eq!(value(&place, "SELECT title FROM plans.plans WHERE id = 9999").await, "new");
    assert_eq!(left(&place, &manifest).await, (String::new(), String::new()));
    // A row of the backup refers to one that is gone.
    value(
        &place,
        "DELETE FROM users.likes; DELETE FROM plans.plans WHERE owner = 17; DELETE FROM users.users WHERE id = 17",
    )
    .await;
    let error = restore(&place, &manifest).await.unwrap_err();
    assert!(
        matches!(&error, VaultError::WouldBreak(what) if what.contains("plans_owner_fkey") && what.contains("(17)")),
        "{error}"
    );
    assert_eq!(value(&place, "SELECT count(*) FROM plans.plans WHERE owner = 17").await, "0");
    assert_eq!(left(&place, &manifest).await, (String::new(), String::new()));
}

/// Writes down each change of a definition: its transaction, whether the key holds by then, what is locked of the table.
const WATCHED: &str = "CREATE TABLE users.seen (at int GENERATED ALWAYS AS IDENTITY, tx bigint, valid boolean, locks text);
    CREATE FUNCTION users.see() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
      INSERT INTO users.seen (tx, valid, locks) SELECT txid_current(), (SELECT convalidated FROM pg_constraint WHERE conname = 'likes_plan'),
        (SELECT string_agg(DISTINCT mode, ',') FROM pg_locks WHERE pid = pg_backend_pid() AND relation = 'users.likes'::regclass); END $$;
    CREATE EVENT TRIGGER see ON ddl_command_end WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION users.see()";

/// Whoever writes needs ROW EXCLUSIVE, which goes with ACCESS SHARE and SHARE UPDATE EXCLUSIVE.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_while_the_rows_of_others_are_read() {
    let place = Place::new().await;
    value(&place, "CREATE TABLE users.likes (plan bigint CONSTRAINT likes_plan REFERENCES plans.plans, \"a, b\" int, \"C\" text);
         CREATE TABLE plans.pairs (x int, y text, PRIMARY KEY (x, y)); INSERT INTO plans.pairs VALUES (1, 'one');
         ALTER TABLE users.likes ADD FOREIGN KEY (\"a, b\", \"C\") REFERENCES plans.pairs; INSERT INTO users.likes VALUES (7, 1, 'one'), (NULL, 2, NULL)").await;
    let manifest = place.make(plans()).await;
    value(&place, WATCHED).await;
    let swapped = restore(&place, &manifest).await.unwrap();
    assert_eq!((swapped.bindings, swapped.unvalidated), (2, Vec::new()));
    // The transaction that keeps everybody out ends without having looked at a row, and what looks at them keeps nobody out.
    let exclusive = "SELECT bool_or(valid) FROM users.seen WHERE tx IN (SELECT tx FROM users.seen WHERE locks ~ 'AccessExclusive') \
                     AND at > (SELECT min(at) FROM users.seen WHERE valid IS NULL)";
    assert_eq!(value(&place, exclusive).await, "f");
    let last = "SELECT valid || ' ' || locks FROM users.seen ORDER BY at DESC LIMIT 1";
    assert_eq!(value(&place, last).await, "true AccessShareLock,ShareUpdateExclusiveLock");
    assert_eq!(value(&place, "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND NOT convalidated").await, "0");
    assert_eq!(value(&place, "SELECT count(*) FROM pg_trigger WHERE tgname LIKE '%watch%'").await, "0");
    let refused = place.db.session().await.batch("INSERT INTO users.likes VALUES (9999)").await.unwrap_err();
    assert_eq!(refused.sqlstate(), Some("23503"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_after_the_check_and_would_break_is_named_and_nothing_changes() {
    let place = Place::new().await;
    value(&place, "CREATE TABLE users.likes (plan bigint CONSTRAINT likes_plan REFERENCES plans.plans); CREATE TABLE users.marks (plan bigint CONSTRAINT marks_plan REFERENCES plans.plans)").await;
    let manifest = place.make(plans()).await;
    value(&place, "INSERT INTO plans.plans (id, owner, title) OVERRIDING SYSTEM VALUE VALUES (9999, 1, 'new')").await;
    // The keys are looked at in the order of their names: this writer lets the first pass and stops the second.
    let writer = place.db.session().await;
    writer.batch("BEGIN; INSERT INTO users.marks VALUES (7)").await.unwrap();
    let write = async {
        let waits = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'users.marks'::regclass)";
        while value(&place, waits).await != "t" {
            tokio::task::yield_now().await;
        }
        // It is not held up, and it is right as long as the live plans are the live ones.
        value(&place, "INSERT INTO users.likes VALUES (8), (9999)").await;
        writer.batch("COMMIT").await.unwrap();
    };
    let (restored, ()) = tokio::join!(restore(&place, &manifest), write);
    let error = restored.unwrap_err();
    assert!(
        matches!(&error, VaultError::WouldBreak(what) if what.contains("likes_plan") && what.contains("(9999)")),
        "{error}"
    );
    assert_eq!(value(&place, "SELECT title FROM plans.plans WHERE id = 9999").await, "new");
    assert_eq!(value(&place, "SELECT string_agg(plan::text, ',') FROM users.likes").await, "8,9999");
    assert_eq!(value(&place, "SELECT count(*) FROM pg_trigger WHERE tgname LIKE '%watch%'").await, "0");
    assert_eq!(left(&place, &manifest).await, (String::new(), String::new()));
    value(&place, "DELETE FROM users.likes WHERE plan = 9999").await;
    restore(&place, &manifest).await.unwrap();
    assert_eq!(value(&place, "SELECT count(*) FROM users.likes JOIN plans.plans ON id = plan").await, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_bound_to_the_schemas_is_named() {
    let place = Place::new().await;
    value(&place, "CREATE VIEW users.seen AS SELECT title FROM plans.plans; CREATE TABLE users.fine (a int)").await;
    let manifest = place.make(plans()).await;
    let error = restore(&place, &manifest).await.unwrap_err();
    assert!(
        matches!(&error, VaultError::Bound { bound, .. } if bound.len() == 1 && bound[0].contains("users.seen")),
        "{error}"
    );
    let whole = place.make(Scope::default()).await;
    let error = restore(&place, &whole).await.unwrap_err();
    assert!(matches!(&error, VaultError::NotInPlace { what, .. } if what == "large objects"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_stands_aside_for_migrations_and_for_those_who_use_the_tables() {
    let place = Place::new().await;
    let manifest = place.make(plans()).await;
    let other = place.db.session().await;
    other.batch(&format!("SELECT pg_advisory_lock({}, {})", LOCK.0, LOCK.1)).await.unwrap();
    assert!(matches!(restore(&place, &manifest).await, Err(VaultError::Busy)));
    other.batch("SELECT pg_advisory_unlock_all(); BEGIN; DELETE FROM plans.plans WHERE id = 7").await.unwrap();
    assert!(matches!(restore(&place, &manifest).await, Err(VaultError::InUse)));
    other.batch("COMMIT").await.unwrap();
    assert_eq!(value(&place, "SELECT count(*) FROM plans.plans").await, "1999");
    assert_eq!(left(&place, &manifest).await, (String::new(), String::new()));
    restore(&place, &manifest).await.unwrap();
    assert_eq!(value(&place, "SELECT count(*) FROM plans.plans").await, "2000");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_of_a_dead_migration_run_is_ended_first() {
    let place = Place::new().await;
    let manifest = place.make(plans()).await;
    // Its runner is gone, and its lock with it; what the server does for it goes on.
    let orphan = place.db.session().await;
    orphan
        .batch(&format!("SELECT pg_advisory_lock({}, {}); BEGIN; DELETE FROM plans.plans", WORK.0, WORK.1))
        .await
        .unwrap();
    restore(&place, &manifest).await.unwrap();
    assert!(orphan.batch("COMMIT").await.is_err(), "its session was ended");
    assert_eq!(value(&place, "SELECT count(*) FROM plans.plans").await, "2000");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_breaks_in_the_swap_changes_nothing() {
    let place = Place::new().await;
    let manifest = place.make(plans()).await;
    let reader = place.db.session().await;
    reader.batch("BEGIN; SELECT FROM plans.plans LIMIT 1").await.unwrap();
    // Its swap waits for the reader.
    let breaking = async {
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'profe restore' AND wait_event_type = 'Lock'";
        let mut tick = tokio::time::interval(std::time::Duration::from_millis(20));
        while value(&place, end).await != "t" {
            tick.tick().await;
        }
        reader.batch("COMMIT; DELETE FROM plans.plans WHERE id = 7").await.unwrap();
    };
    let (restored, ()) = tokio::join!(restore(&place, &manifest), breaking);
    let error = restored.unwrap_err();
    assert!(error.to_string().contains("swapping the schemas failed"), "{error}");
    assert_eq!(value(&place, "SELECT count(*) FROM plans.plans").await, "1999");
    assert_eq!(left(&place, &manifest).await, (String::new(), String::new()));
}

/// Whoever gets the lock while the session is gone takes what was staged for left behind, and drops it.
#[tokio::test(flavor = "multi_thread")]
async fn a_swap_is_not_taken_for_done_because_what_was_staged_is_gone() {
    let place = Place::new().await;
    let manifest = place.make(plans()).await;
    let (reader, next) = (place.db.session().await, place.db.session().await);
    reader.batch("BEGIN; SELECT FROM plans.plans LIMIT 1").await.unwrap();
    let sweeping = async {
        let waits = "SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'profe restore' AND wait_event_type = 'Lock'";
        let mut tick = tokio::time::interval(std::time::Duration::from_millis(20));
        while value(&place, waits).await != "t" {
            tick.tick().await;
        }
        let staged = "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'plans\\_profe\\_restored\\_%'";
        let drop = format!(
            "SELECT pg_advisory_lock({}, {}); DROP SCHEMA {} CASCADE",
            LOCK.0,
            LOCK.1,
            value(&place, staged).await
        );
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'profe restore' AND wait_event_type = 'Lock'";
        let (dropped, ended) = tokio::join!(next.batch(&drop), value(&place, end));
        assert_eq!((dropped.is_ok(), ended.as_str()), (true, "t"));
        reader.batch("COMMIT").await.unwrap();
        next.close().await;
    };
    let (restored, ()) = tokio::join!(restore(&place, &manifest), sweeping);
    let error = restored.unwrap_err();
    assert!(error.to_string().contains("swapping the schemas failed"), "{error}");
    assert_eq!(value(&place, "SELECT count(*) FROM plans.plans").await, "2000");
    assert_eq!(left(&place, &manifest).await, (String::new(), String::new()));
}

/// The same without a restore to come: a sweep drops it, stands aside for whoever works, and leaves what is nobody's.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_restore_left_goes_with_a_sweep_and_not_while_somebody_works() {
    let place = Place::new().await;
    let there = "SELECT string_agg(nspname, ' ' ORDER BY 1) FROM pg_namespace WHERE nspname LIKE '%\\_profe\\_%'";
    let made = "CREATE SCHEMA users_profe_restored_0123ab; CREATE TABLE users_profe_restored_0123ab.t (); CREATE SCHEMA my_profe_notes; \
                CREATE SCHEMA keys_profe_watch_0123ab; CREATE FUNCTION keys_profe_watch_0123ab.watch_0() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; \
                CREATE TRIGGER keys_profe_watch_0123ab_0 AFTER INSERT ON users.users FOR EACH ROW EXECUTE FUNCTION keys_profe_watch_0123ab.watch_0()";
    value(&place, made).await;
    let target = InPlace::new(place.db.connect().clone(), LOCK, WORK);
    let all = value(&place, there).await;
    let works = place.db.session().await;
    works.batch(&format!("SELECT pg_advisory_lock({}, {})", LOCK.0, LOCK.1)).await.unwrap();
    sweep_schemas(&target).await.unwrap();
    assert_eq!(value(&place, there).await, all, "somebody works there");
    works.batch("SELECT pg_advisory_unlock_all(); BEGIN; INSERT INTO users.users VALUES (-1, 'nobody')").await.unwrap();
    assert!(matches!(sweep_schemas(&target).await, Err(VaultError::InUse)), "nobody is kept waiting for it");
    works.batch("COMMIT").await.unwrap();
    sweep_schemas(&target).await.unwrap();
    assert_eq!(value(&place, there).await, "my_profe_notes");
    let triggers = "SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'keys\\_profe%'";
    assert_eq!(value(&place, triggers).await, "0");
    let locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    assert_eq!(value(&place, locks).await, "0", "and the lock is free");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_restore_of_another_backup_left_goes_with_the_next_one() {
    let place = Place::new().await;
    let manifest = place.make(plans()).await;
    value(
        &place,
        "CREATE SCHEMA users_profe_restored_0123ab; CREATE TABLE users_profe_restored_0123ab.t (); CREATE SCHEMA plans_profe_former_0123ab; CREATE SCHEMA my_profe_notes",
    )
    .await;
    restore(&place, &manifest).await.unwrap();
    assert_eq!(left(&place, &manifest).await, ("my_profe_notes".to_owned(), String::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_cancelled_before_the_swap_leaves_nothing() {
    let place = Place::new().await;
    let manifest = place.make(plans()).await;
    value(&place, "DELETE FROM plans.plans WHERE id > 1000").await;
    let target = InPlace::new(place.db.connect().clone(), LOCK, WORK);
    let (progress, cancel, stages) = (Arc::new(Progress::default()), CancellationToken::new(), target.stages.clone());
    let begun = place.vault.begin_in_place(&manifest.id, target).await.unwrap();
    assert_eq!((begun.schemas(), stages.now()), (["plans".to_owned()].as_slice(), None));
    assert!(matches!(restore(&place, &manifest).await, Err(VaultError::Busy)), "one at a time");
    cancel.cancel();
    assert!(matches!(begun.finish(&progress, &cancel).await, Err(VaultError::Cancelled)));
    assert_eq!(value(&place, "SELECT count(*) FROM plans.plans").await, "994");
    assert_eq!(left(&place, &manifest).await, (String::new(), String::new()));
    restore(&place, &manifest).await.unwrap();
}

/// The platform's own schema, with its history and its audit.
#[tokio::test(flavor = "multi_thread")]
async fn the_history_says_what_the_schema_is() {
    let db = server().platform_database().await;
    let place = Place::of(db);
    let manifest = place.make(plans()).await;
    let applied = "SELECT string_agg(version::text, ',' ORDER BY version) FROM migration_service.history WHERE schema_name = 'plans' AND rolled_back_at IS NULL";
    let before = value(&place, applied).await;
    // One was taken back since, and one more was applied.
    value(
        &place,
        "UPDATE migration_service.history SET rolled_back_at = now(), rolled_back_by = 'a test' WHERE id = (SELECT max(id) FROM migration_service.history WHERE schema_name = 'plans');
         INSERT INTO migration_service.history (service, schema_name, version, name, checksum, file_hash, up_sql, down_sql, late, applied_by, duration_ms, run_id)
         VALUES ('plans-service', 'plans', 99990101000000, 'late', 'x', 'x', 'x', 'x', false, 'a test', 1, gen_random_uuid())",
    )
    .await;
    assert_ne!(value(&place, applied).await, before);
    let elsewhere = "SELECT md5(string_agg(h::text, ',' ORDER BY id)) FROM migration_service.history h WHERE schema_name <> 'plans'";
    let others = value(&place, elsewhere).await;
    match restore(&place, &manifest).await {
        Ok(swapped) => assert_eq!(swapped.schemas, ["plans"]),
        Err(error) => panic!("{error}"),
    }
    assert_eq!(value(&place, applied).await, before);
    assert_eq!(value(&place, elsewhere).await, others);
    assert_eq!(
        value(&place, "SELECT rolled_back_by FROM migration_service.history WHERE version = 99990101000000").await,
        format!("restore of backup {}", manifest.id)
    );
    let told =
        "SELECT count(*) || ' ' || min(objects ->> 0) FROM migration_service.audit_entry WHERE command = 'RESTORE'";
    let object = r#"1 {"type": "schema", "schema": "plans", "command": "RESTORE", "identity": "plans"}"#;
    assert_eq!(value(&place, told).await, object);
    // The next run looks whether the rights of then are those of now.
    assert_eq!(value(&place, "SELECT count(*) FROM migration_service.meta WHERE key = 'catalogue'").await, "0");
}
