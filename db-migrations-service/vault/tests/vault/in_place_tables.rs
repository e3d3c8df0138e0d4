//! Single tables of a backup, brought back beside the live ones.

use std::sync::Arc;

use backup_vault::archive::TableName;
use backup_vault::{InPlace, Manifest, Progress, RestoredTables, Scope, VaultError};
use tokio_util::sync::CancellationToken;

use crate::help::{Place, plans};

fn table(schema: &str, name: &str) -> TableName {
    TableName { schema: schema.to_owned(), name: name.to_owned() }
}

async fn restore(place: &Place, manifest: &Manifest, tables: &[TableName]) -> Result<RestoredTables, VaultError> {
    let target = InPlace::new(place.db.connect().clone(), (1, 2), (1, 3));
    let (progress, cancel) = (Arc::new(Progress::default()), CancellationToken::new());
    place.vault.begin_tables(&manifest.id, tables, target).await?.finish(&progress, &cancel).await
}

async fn value(place: &Place, sql: &str) -> String {
    place.db.value(sql).await.unwrap_or_default()
}

/// What the live schemas are, and what is in them.
const LIVE: &str = "SELECT md5(string_agg(format('%s %s %s', c.oid, c.relname, c.relnamespace), ',' ORDER BY c.oid)) || \
     (SELECT md5(string_agg(p::text, ',' ORDER BY id)) FROM plans.plans p) || (SELECT md5(string_agg(e::text, ',' ORDER BY k)) FROM plans.events e) \
     FROM pg_class c WHERE relnamespace IN ('plans'::regnamespace, 'users'::regnamespace) AND relname NOT LIKE '%restored%'";

async fn left(place: &Place, manifest: &Manifest) -> String {
    let name = manifest.id.as_str().replace('-', "_");
    value(place, &format!("SELECT string_agg(name, ',') FROM (SELECT nspname FROM pg_namespace UNION SELECT datname FROM pg_database) n (name) \
         WHERE name LIKE '%\\_profe\\_%' OR name LIKE '%{name}%'")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_come_back_beside_the_live_ones() {
    let place = Place::new().await;
    value(
        &place,
        "CREATE FUNCTION plans.guard() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER guarded BEFORE UPDATE ON plans.plans FOR EACH ROW EXECUTE FUNCTION plans.guard();
         GRANT SELECT ON plans.plans TO PUBLIC; ALTER TABLE plans.plans ADD CONSTRAINT short CHECK (length(title) < 250); CREATE VIEW plans.mine AS SELECT * FROM plans.plans",
    )
    .await;
    let manifest = place.make(plans()).await;
    value(
        &place,
        "DELETE FROM plans.plans WHERE id > 100; UPDATE plans.plans SET title = 'spoilt'; DROP TABLE plans.events_2",
    )
    .await;
    let before = value(&place, LIVE).await;
    let wanted = [table("plans", "plans"), table("plans", "events"), table("plans", "plans")];
    let restored = restore(&place, &manifest, &wanted).await.unwrap_or_else(|error| panic!("{error}"));
    let names: Vec<&str> = restored.tables.iter().map(|one| one.restored_as.name.as_str()).collect();
    let [events, plans] = names.as_slice() else { panic!("{restored:?}") };
    assert!(plans.starts_with("plans_restored_") && events.starts_with("events_restored_"), "{restored:?}");
    assert_eq!(value(&place, LIVE).await, before, "no live table is touched");
    let rows = format!(
        "SELECT count(*) || ' ' || count(*) FILTER (WHERE title = 'spoilt') || ' ' || min(id) FROM plans.{plans}"
    );
    assert_eq!(value(&place, &rows).await, "2000 0 7");
    // Its partitions are its own, also the one that is gone.
    let parts = format!(
        "SELECT count(*) || ' ' || (SELECT count(*) FROM pg_inherits WHERE inhparent = 'plans.{events}'::regclass) FROM plans.{events}"
    );
    assert_eq!(value(&place, &parts).await, "201 2");
    // Defaults, generated columns, the identity, constraints and indexes.
    let inserted = format!("INSERT INTO plans.{plans} (owner) VALUES (7) RETURNING id || title || length");
    assert_eq!(value(&place, &inserted).await, "2007x1");
    let session = place.db.session().await;
    for (sql, state) in [
        (format!("INSERT INTO plans.{plans} (owner, title) VALUES (7, repeat('x', 250))"), "23514"),
        (format!("INSERT INTO plans.{plans} (id, owner) OVERRIDING SYSTEM VALUE VALUES (7, 7)"), "23505"),
    ] {
        assert_eq!(session.batch(&sql).await.unwrap_err().sqlstate(), Some(state), "{sql}");
    }
    let indexes = format!("SELECT count(*) FROM pg_index WHERE indrelid = 'plans.{plans}'::regclass");
    assert_eq!(value(&place, &indexes).await, "2");
    // What ties it to others is gone, and nobody else may read it.
    let ties = format!(
        "SELECT (SELECT count(*) FROM pg_constraint WHERE conrelid = c.oid AND contype = 'f') || ' ' || (SELECT count(*) FROM pg_trigger WHERE tgrelid = c.oid) \
         || ' ' || (SELECT count(*) FROM pg_policy WHERE polrelid = c.oid) || ' ' || relrowsecurity || ' ' || coalesce(relacl::text, 'owner') || ' ' \
         || obj_description(c.oid, 'pg_class') FROM pg_class c WHERE oid = 'plans.{plans}'::regclass"
    );
    assert_eq!(value(&place, &ties).await, format!("0 0 0 true owner Restored from backup {}", manifest.id));
    assert_eq!(left(&place, &manifest).await, "");
    // Once more gives others.
    let again = restore(&place, &manifest, &wanted[..1]).await.unwrap_or_else(|error| panic!("{error}"));
    assert_ne!(again.tables[0].restored_as.name, *plans);
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_names_come_back_too() {
    let place = Place::new().await;
    let long = "ñ".repeat(31);
    value(&place, &format!("CREATE TABLE \"Año 1\".\"{long}\" (\"{long}\" serial PRIMARY KEY, b int UNIQUE)")).await;
    let manifest = place.make(Scope::default()).await;
    let wanted = [table("Año 1", "t.\"x; \\! echo"), table("Año 1", &long), table("users", "users")];
    let restored = restore(&place, &manifest, &wanted).await.unwrap_or_else(|error| panic!("{error}"));
    for one in &restored.tables {
        let count = |name: &TableName| {
            format!("SELECT count(*) FROM {}", postgres_link::quote::qualified(&name.schema, &name.name))
        };
        assert_eq!(value(&place, &count(&one.restored_as)).await, value(&place, &count(&one.table)).await, "{one:?}");
    }
    assert_eq!(left(&place, &manifest).await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_not_in_the_backup_is_refused() {
    let place = Place::new().await;
    let manifest = place.make(plans()).await;
    value(&place, "CREATE TABLE plans.late ()").await;
    for (schema, name) in [("plans", "late"), ("users", "users"), ("plans", "titles"), ("nowhere", "plans")] {
        // Before anything is begun.
        let target = InPlace::new(place.db.connect().clone(), (1, 2), (1, 3));
        let tables = [table("plans", "plans"), table(schema, name)];
        let Err(error) = place.vault.begin_tables(&manifest.id, &tables, target).await else { panic!("{name}") };
        assert!(matches!(&error, VaultError::NoTable { table: said, .. } if said.name == name), "{error}");
        assert!(error.to_string().contains(&format!("does not have the table {schema}.{name}")), "{error}");
    }
    let error = restore(&place, &manifest, &[table("plans", "plan")]).await.unwrap_err();
    assert!(error.to_string().ends_with("name one that it has: plans.plans, plans.cache, plans.events_1"), "{error}");
    assert_eq!(value(&place, "SELECT count(*) FROM pg_class WHERE relname LIKE '%restored%'").await, "0");
    assert_eq!(left(&place, &manifest).await, "");
    value(&place, "DROP SCHEMA plans CASCADE").await;
    let error = restore(&place, &manifest, &[table("plans", "plans")]).await.unwrap_err();
    assert!(matches!(&error, VaultError::NoSchema { schema } if schema == "plans"), "{error}");
}
