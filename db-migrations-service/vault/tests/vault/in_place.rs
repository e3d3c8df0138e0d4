//! Schemas of a live database brought back: wholly or not at all.

use std::sync::Arc;

use backup_vault::{InPlace, Manifest, Progress, Scope, Swapped, VaultError};
use testkit::server;
use tokio_util::sync::CancellationToken;

use crate::help::{Place, plans};

const LOCK: (i32, i32) = (1, 2);

async fn restore(place: &Place, manifest: &Manifest) -> Result<Swapped, VaultError> {
    let target = InPlace { live: place.db.connect().clone(), run_lock: LOCK };
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
    assert_eq!(
        value(&place, "SELECT count(*) FROM migration_service.audit_entry WHERE command = 'RESTORE'").await,
        "1"
    );
}
