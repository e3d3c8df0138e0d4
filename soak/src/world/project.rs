//! The project that is served: the platform's own, and a service that lives in a fleet.

use std::fs;
use std::path::Path;

use crate::Outcome;

/// The newest version of the fleet's service.
pub const TENANT_MIGRATIONS: u64 = 9;

/// The fleet, and runs that give up on a lock soon enough for many of them.
const CATALOGUE: &str = r#"
[run]
lock_timeout_ms = 400
lock_attempts = 4
retry_delay_ms = 100

[run.backfill]
batch_ms = 20
max_active = 0

[services.tenants-service]
schemas = ["tenants"]

[fleets.tenants]
service = "tenants-service"
environment = "development"
servers = ["TENANTS_ONE_URL", "TENANTS_TWO_URL"]
match = "tenant_%"
canary = 2
wave = 12
per_server = 3
failure_budget = "50%"

[[environments.development.backup.schedules]]
cron = "*/2 * * * *"
services = ["file-service"]
"#;

/// Each leaves a row in `tenants.ledger`, so that what was done twice or not at all shows; an index concurrently, a slow
/// statement, and a migration in three parts are among them.
const MIGRATIONS: [(&str, &str, &str); 9] = [
    (
        "1_ledger",
        "CREATE TABLE tenants.ledger (version int NOT NULL);\nINSERT INTO tenants.ledger VALUES (1);",
        "DROP TABLE tenants.ledger;",
    ),
    (
        "2_students",
        "CREATE TABLE tenants.students (id int PRIMARY KEY, name text NOT NULL);\n\
         INSERT INTO tenants.students SELECT n, 'student ' || n FROM generate_series(1, 2000) n;\n\
         INSERT INTO tenants.ledger VALUES (2);",
        "DROP TABLE tenants.students;\nDELETE FROM tenants.ledger WHERE version = 2;",
    ),
    (
        "3_find_by_name",
        "CREATE INDEX CONCURRENTLY students_name_idx ON tenants.students (name);",
        "DROP INDEX CONCURRENTLY tenants.students_name_idx;",
    ),
    (
        "4_slowly",
        "CREATE TABLE tenants.slow (id int PRIMARY KEY);\nSELECT pg_sleep(0.5);\nINSERT INTO tenants.ledger VALUES (4);",
        "DROP TABLE tenants.slow;\nSELECT pg_sleep(0.2);\nDELETE FROM tenants.ledger WHERE version = 4;",
    ),
    (
        "5_slugs",
        "-- part: expand\nALTER TABLE tenants.students ADD COLUMN slug text;\n\
         INSERT INTO tenants.ledger VALUES (5);\n\
         -- part: backfill\n-- batch-rows: 200\n\
         UPDATE tenants.students SET slug = replace(name, ' ', '-') WHERE slug IS NULL;\n\
         -- part: contract\nALTER TABLE tenants.students ALTER COLUMN slug SET NOT NULL;",
        "-- part: contract\nALTER TABLE tenants.students ALTER COLUMN slug DROP NOT NULL;\n\
         -- part: expand\nALTER TABLE tenants.students DROP COLUMN slug;\n\
         DELETE FROM tenants.ledger WHERE version = 5;",
    ),
    (
        "6_marks",
        "CREATE TABLE tenants.marks (student int REFERENCES tenants.students, mark int CHECK (mark BETWEEN 1 AND 10));\n\
         CREATE VIEW tenants.means AS SELECT student, avg(mark) AS mean FROM tenants.marks GROUP BY student;\n\
         INSERT INTO tenants.ledger VALUES (6);",
        "DROP VIEW tenants.means;\nDROP TABLE tenants.marks;\nDELETE FROM tenants.ledger WHERE version = 6;",
    ),
    (
        "7_touch",
        "CREATE FUNCTION tenants.touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;\n\
         CREATE TRIGGER touched BEFORE UPDATE ON tenants.marks FOR EACH ROW EXECUTE FUNCTION tenants.touch();\n\
         INSERT INTO tenants.ledger VALUES (7);",
        "DROP TRIGGER touched ON tenants.marks;\nDROP FUNCTION tenants.touch();\n\
         DELETE FROM tenants.ledger WHERE version = 7;",
    ),
    (
        "8_one_slug_each",
        "CREATE UNIQUE INDEX CONCURRENTLY students_slug_idx ON tenants.students (slug);",
        "DROP INDEX CONCURRENTLY tenants.students_slug_idx;",
    ),
    (
        "9_longer_names",
        "ALTER TABLE tenants.students ADD CONSTRAINT name_is_there CHECK (name <> '') NOT VALID;\n\
         ALTER TABLE tenants.students VALIDATE CONSTRAINT name_is_there;\nINSERT INTO tenants.ledger VALUES (9);",
        "ALTER TABLE tenants.students DROP CONSTRAINT name_is_there;\nDELETE FROM tenants.ledger WHERE version = 9;",
    ),
];

/// What `tenants.ledger` holds when everything is applied, each once.
pub const LEDGER: &str = "1 2 4 5 6 7 9";

/// Writes it into a folder.
pub fn write(folder: &Path) -> Outcome<()> {
    let put = |path: &str, text: &[u8]| -> Outcome<()> {
        let path = folder.join(path);
        let parent = path.parent().ok_or("a file has a folder")?;
        fs::create_dir_all(parent).and_then(|()| fs::write(&path, text)).map_err(|e| format!("{}: {e}", path.display()))
    };
    for (path, text) in db_migrations_service::project::embedded_files() {
        put(&path, &text)?;
        if path == "config/services.toml" {
            put(&path, &[&text, CATALOGUE.as_bytes()].concat())?;
        }
    }
    for (name, up, down) in MIGRATIONS {
        put(&format!("migrations/tenants/{name}.up.sql"), up.as_bytes())?;
        put(&format!("migrations/tenants/{name}.down.sql"), down.as_bytes())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_project_opens() {
        let folder = tempfile::tempdir().expect("a folder");
        write(folder.path()).expect("it can be written");
        let project = migration_engine::Project::open(folder.path()).unwrap_or_else(|error| panic!("{error:#?}"));
        assert!(project.catalogue.fleets.contains_key("tenants"));
        assert_eq!(MIGRATIONS.len() as u64, TENANT_MIGRATIONS);
        let inserts = MIGRATIONS.iter().filter(|(_, up, _)| up.contains("INSERT INTO tenants.ledger"));
        let versions: Vec<_> = inserts.filter_map(|(name, ..)| name.split('_').next()).collect();
        assert_eq!(versions.join(" "), LEDGER);
    }
}
