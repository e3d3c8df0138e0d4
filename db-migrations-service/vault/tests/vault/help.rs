//! A database with everything in it that is hard to back up, and a vault in a folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use backup_vault::{BackupId, Keys, MakeRequest, Manifest, Progress, Scope, Storage, Vault, VaultError, Verification};
use testkit::{TestDb, server};
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;

/// Large objects, partitions, generated columns, identity and sequences, row security, an extension, materialized views, unlogged
/// tables, odd names.
pub const HARD: &str = r#"
CREATE EXTENSION pg_trgm SCHEMA public;
CREATE SCHEMA plans; CREATE SCHEMA users; CREATE SCHEMA "Año 1";
CREATE TABLE users.users (id int PRIMARY KEY, name text NOT NULL);
INSERT INTO users.users SELECT g, 'a person ' || g FROM generate_series(1, 500) g;
CREATE TABLE plans.plans (
    id bigint GENERATED ALWAYS AS IDENTITY (START 7) PRIMARY KEY, owner int NOT NULL REFERENCES users.users,
    title varchar(255) NOT NULL DEFAULT 'x', length int GENERATED ALWAYS AS (length(title)) STORED, at timestamptz, ratio float8);
INSERT INTO plans.plans (owner, title, at, ratio) SELECT 1 + g % 500, repeat('é', g % 40), 'epoch'::timestamptz + g * interval '1 s', 1 / g::float8 FROM generate_series(1, 2000) g;
CREATE INDEX ON plans.plans USING gin (title public.gin_trgm_ops);
ALTER TABLE plans.plans ENABLE ROW LEVEL SECURITY; ALTER TABLE plans.plans FORCE ROW LEVEL SECURITY;
CREATE POLICY mine ON plans.plans USING (owner = 1);
CREATE TABLE plans.events (k int NOT NULL, what jsonb, CHECK (k >= 0)) PARTITION BY RANGE (k);
CREATE TABLE plans.events_1 PARTITION OF plans.events FOR VALUES FROM (0) TO (100);
CREATE TABLE plans.events_2 PARTITION OF plans.events DEFAULT;
INSERT INTO plans.events SELECT g, jsonb_build_object('k', g, 'line', E'a\n\\.\nb') FROM generate_series(0, 200) g;
CREATE UNLOGGED TABLE plans.cache (a int); INSERT INTO plans.cache VALUES (1), (2);
CREATE MATERIALIZED VIEW plans.titles AS SELECT title, count(*) FROM plans.plans GROUP BY 1;
CREATE FUNCTION plans.f() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM plans.plans';
CREATE TABLE "Año 1"."t.""x; \! echo" ("a b" text, "COPY x FROM stdin;" bytea);
INSERT INTO "Año 1"."t.""x; \! echo" VALUES (E'\\.\n\\.', '\x00ff'), (NULL, NULL), (repeat('á', 300000), decode(repeat('00ff', 100000), 'hex'));
CREATE SEQUENCE users.s START 41; SELECT nextval('users.s'), nextval('users.s');
SELECT lo_from_bytea(4000000001, 'first'), lo_from_bytea(7, ''), lo_from_bytea(8, decode(repeat('ab', 100000), 'hex'));
COMMENT ON TABLE plans.plans IS 'what it''s for';
"#;

/// A source, and a vault in a folder that goes with it.
pub struct Place {
    pub db: TestDb,
    pub vault: Vault,
    pub folder: tempfile::TempDir,
}

impl Place {
    pub async fn new() -> Self {
        let db = server().empty_database().await;
        db.value(HARD).await;
        Self::of(db)
    }

    pub fn of(db: TestDb) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let vault = vault(folder.path().to_str().expect("text"), Keys::default());
        Self { db, vault, folder }
    }

    pub async fn make(&self, scope: Scope) -> Manifest {
        self.try_make(scope).await.unwrap_or_else(|error| panic!("{error}"))
    }

    pub async fn try_make(&self, scope: Scope) -> Result<Manifest, VaultError> {
        let (progress, cancel) = (Arc::new(Progress::default()), CancellationToken::new());
        self.vault.make(self.db.connect(), request(scope), &progress, &cancel).await
    }

    pub async fn verify(&self, manifest: &Manifest) -> Verification {
        let (progress, cancel) = (Arc::new(Progress::default()), CancellationToken::new());
        self.vault
            .verify(&manifest.id, server().connect(), &progress, &cancel)
            .await
            .unwrap_or_else(|error| panic!("{error}"))
    }
}

pub fn vault(url: &str, keys: Keys) -> Vault {
    let storage = Storage::open(url, &|name| std::env::var(name).ok()).unwrap_or_else(|error| panic!("{error}"));
    Vault::new(storage, keys, Arc::new(|name| std::env::var(name).ok()))
}

pub fn request(scope: Scope) -> MakeRequest {
    MakeRequest {
        id: BackupId::generate(OffsetDateTime::now_utc(), "development").expect("a name"),
        environment: "development".to_owned(),
        scope,
        description: Some("a test".to_owned()),
        made_by: "a test".to_owned(),
        retention_days: Some(30),
    }
}

/// One service's schemas.
pub fn plans() -> Scope {
    Scope { services: vec!["plans-service".to_owned()], schemas: vec!["plans".to_owned()] }
}

/// Files of a backup, the manifest left out.
pub fn objects(place: &Place, manifest: &Manifest) -> Vec<PathBuf> {
    let folder = place.folder.path().join(manifest.id.as_str());
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries.filter(|path| !path.ends_with("manifest.json")).collect();
    files.sort();
    files
}

pub fn everything(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries
        .flat_map(|entry| {
            let path = entry.unwrap().path();
            if path.is_dir() { everything(&path) } else { vec![path.display().to_string()] }
        })
        .collect()
}

/// Databases that a restore or a verification of this backup has left.
pub async fn left(manifest: &Manifest) -> Option<String> {
    let name = manifest.id.as_str().replace('-', "_");
    let session = server().session("postgres").await;
    let found =
        session.batch(&format!("SELECT count(*) FROM pg_database WHERE datname LIKE '%{name}%'")).await.unwrap();
    found.value(0, 0).map(str::to_owned)
}

/// A pair of keys: the public one, the secret one.
pub fn keys() -> (String, String) {
    let identity = age::x25519::Identity::generate();
    (identity.to_public().to_string(), age::secrecy::ExposeSecret::expose_secret(&identity.to_string()).to_owned())
}
