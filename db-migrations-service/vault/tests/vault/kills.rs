//! An in-place restore whose process is killed: the schemas are the live ones or the restored ones, wholly.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use backup_vault::{InPlace, Keys, Manifest, Progress};
use postgres_link::ConnectOptions;
use schema_catalog::{Scope, Snapshot};
use testkit::{block_on, moments, processes_with, seed};
use tokio_util::sync::CancellationToken;

use crate::help::{Place, plans, vault};

const LOCK: (i32, i32) = (1, 3);
const KILLS: u32 = 20;

/// What a child is told: the live database, where the backups lie, which one.
const URL: &str = "LIVE_DATABASE_OF_THIS_TEST";
const FOLDER: &str = "BACKUPS_OF_THIS_TEST";
const BACKUP: &str = "BACKUP_OF_THIS_TEST";

/// Longer than anything takes on a loaded machine.
const LONGEST: Duration = Duration::from_mins(2);

#[test]
#[ignore = "run by the tests of this file, which kill it"]
fn child_that_restores() {
    let told = |name: &str| std::env::var(name).expect("it was told");
    block_on(async {
        let vault = vault(&told(FOLDER), Keys::default());
        let live = ConnectOptions::parse(&told(URL)).expect("a URL");
        let (progress, cancel) = (Arc::new(Progress::default()), CancellationToken::new());
        let id = told(BACKUP).parse().expect("an id");
        vault
            .restore_in_place(&id, &InPlace::new(live, LOCK, (LOCK.0, 4)), &progress, &cancel)
            .await
            .expect("it restores");
    });
}

/// A live database of the platform, a backup of one service of it, and a user whom the child alone is.
struct Live {
    place: Place,
    manifest: Manifest,
    user: String,
    /// For the child's files.
    temporary: tempfile::TempDir,
}

/// The definitions of each schema, and what is in those that are restored.
#[derive(Debug, PartialEq, Eq)]
struct State {
    definitions: BTreeMap<String, String>,
    rows: Vec<String>,
}

impl State {
    /// Where a restore died while it watched what others write, they have a trigger that the next restore takes away: their
    /// definitions are left out here, and are compared at the end.
    fn is(&self, expected: &Self) -> bool {
        self.rows == expected.rows
            && self.definitions.iter().all(|(name, print)| expected.definitions.get(name) == Some(print))
            && self.definitions.contains_key("plans")
    }
}

impl Live {
    async fn new() -> Self {
        let place = Place::of(testkit::server().platform_database().await);
        let user = format!("restorer_{}", &place.db.name()[place.db.name().len() - 12..]);
        place.db.value(&format!("CREATE ROLE {user} SUPERUSER LOGIN PASSWORD 'secret'")).await;
        let manifest = place.make(plans()).await;
        let live = Self { place, manifest, user, temporary: tempfile::tempdir().expect("a folder") };
        live.spoil().await;
        live
    }

    /// Makes it what the backup is not: other definitions, other rows, another history.
    async fn spoil(&self) {
        self.place
            .db
            .value(
                "ALTER TABLE plans.plans ADD COLUMN spoilt int DEFAULT 7; CREATE TABLE plans.late (a int); INSERT INTO plans.late VALUES (1);
                 ALTER TABLE plans.plans DISABLE TRIGGER USER; UPDATE plans.plans SET title = 'spoilt'; ALTER TABLE plans.plans ENABLE TRIGGER USER; DELETE FROM plans.plan_results;
                 INSERT INTO migration_service.history (service, schema_name, version, name, checksum, file_hash, up_sql, down_sql, late, applied_by, duration_ms, run_id)
                 VALUES ('plans-service', 'plans', 99990101000000, 'late', 'x', 'x', 'x', 'x', false, 'a test', 1, gen_random_uuid())",
            )
            .await;
    }

    fn child(&self) -> Command {
        let url = self.place.db.url();
        let (_, place) = url.split_once('@').expect("a user");
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command
            .args(["--ignored", "--exact", "--nocapture", "kills::child_that_restores"])
            .env(URL, format!("postgresql://{}:secret@{place}", self.user))
            .env(FOLDER, self.place.folder.path())
            .env(BACKUP, self.manifest.id.as_str())
            .env("TMPDIR", self.temporary.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        command
    }

    /// Waits until nothing of a child is left: neither a program that it has started, nor a session.
    async fn quiet(&self) {
        let sessions = format!("SELECT count(*) FROM pg_stat_activity WHERE usename = '{}'", self.user);
        let give_up = Instant::now() + LONGEST;
        loop {
            let programs = processes_with(BACKUP, self.manifest.id.as_str());
            let sessions = self.place.db.value(&sessions).await;
            if programs.is_empty() && sessions.as_deref() == Some("0") {
                return;
            }
            assert!(Instant::now() < give_up, "still there: {programs:?}, sessions: {sessions:?}");
        }
    }

    async fn state(&self) -> State {
        let session = self.place.db.session().await;
        session.batch("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await.expect("a session");
        let snapshot = Snapshot::read_within(&session, &Scope::all()).await.expect("nobody changes it");
        let ours = |name: &str| !name.contains("_profe_");
        let definitions = snapshot.schema_fingerprints();
        let definitions = definitions.iter().map(|(name, print)| (name.unwrap_or("").to_owned(), print.to_string()));
        let rows = "SELECT c.relname || ' ' || md5(query_to_xml(format('SELECT t::text FROM %s t ORDER BY 1', c.oid::regclass), true, false, '')::text)
                      FROM pg_class c WHERE c.relnamespace = 'plans'::regnamespace AND c.relkind = 'r' ORDER BY 1;
                    SELECT string_agg(version::text, ',' ORDER BY version) FROM migration_service.history WHERE schema_name = 'plans' AND rolled_back_at IS NULL";
        let rows = session.batch(rows).await.expect("tables");
        let watched =
            "SELECT DISTINCT tgrelid::regclass::text FROM pg_trigger WHERE tgname LIKE 'keys\\_profe\\_watch\\_%'";
        let watched = session.batch(watched).await.expect("triggers");
        let watched: Vec<String> = watched.rows().filter_map(|row| row.first().cloned().flatten()).collect();
        let is_watched = |name: &str| watched.iter().any(|table| table.starts_with(&format!("{name}.")));
        State {
            definitions: definitions.filter(|(name, _)| ours(name) && !is_watched(name)).collect(),
            rows: rows.rows().filter_map(|row| row.first().cloned().flatten()).collect(),
        }
    }

    /// Schemas, databases and files of restores.
    async fn left(&self) -> Vec<String> {
        let query = format!(
            "SELECT nspname FROM pg_namespace WHERE nspname LIKE '%\\_profe\\_%' UNION ALL
             SELECT datname FROM pg_database WHERE datdba = '{}'::regrole",
            self.user
        );
        let mut left = self.place.db.rows(&query).await;
        let files = std::fs::read_dir(self.temporary.path()).expect("our folder");
        left.extend(files.map(|file| file.expect("an entry").path().display().to_string()));
        left
    }

    /// Lets a child restore to its end.
    fn whole(&self) -> Duration {
        let begun = Instant::now();
        let output = self.child().output().expect("a child");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        begun.elapsed()
    }

    async fn end(self) {
        self.place.db.value(&format!("DROP OWNED BY {0}; DROP ROLE {0}", self.user)).await;
    }
}

fn kill(mut child: Child) {
    child.kill().expect("it is our child");
    child.wait().expect("it is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_in_place_restore_that_is_killed_leaves_the_schemas_whole() {
    let live = Live::new().await;
    let spoilt = live.state().await;
    let takes = live.whole();
    let restored = live.state().await;
    assert_ne!((&restored.rows, &restored.definitions["plans"]), (&spoilt.rows, &spoilt.definitions["plans"]));
    live.spoil().await;
    assert_eq!(live.state().await, spoilt);
    let seed = seed();
    for (number, after) in moments(seed, KILLS, takes).into_iter().enumerate() {
        let about = format!("kill {number} of seed {seed}, after {after:?} of {takes:?}");
        let child = live.child().spawn().expect("a child");
        // The moment is what is tested.
        tokio::time::sleep(after).await;
        kill(child);
        live.quiet().await;
        let found = live.state().await;
        assert!(
            found.is(&spoilt) || found.is(&restored),
            "{about}: {found:#?}\nneither {spoilt:#?}\nnor {restored:#?}"
        );
        if found.is(&restored) {
            live.spoil().await;
        }
    }
    live.whole();
    assert_eq!((live.state().await, live.left().await), (restored, Vec::new()), "seed {seed}");
    live.end().await;
}

/// The swap is one message: once the server has it, it does not need its sender any more.
#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_is_killed_while_it_swaps_leaves_the_schemas_whole() {
    let live = Live::new().await;
    let spoilt = live.state().await;
    let user = live.place.db.session().await;
    user.batch("BEGIN; SELECT count(*) FROM plans.plans").await.expect("a reader");
    let mut child = live.child().spawn().expect("a child");
    let swapping = format!(
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE usename = '{}' AND wait_event_type = 'Lock' AND query LIKE 'BEGIN;%')",
        live.user
    );
    while live.place.db.value(&swapping).await.as_deref() != Some("t") {
        assert!(child.try_wait().expect("our child").is_none(), "it ended by itself");
    }
    kill(child);
    user.batch("COMMIT").await.expect("it reads no more");
    live.quiet().await;
    let found = live.state().await;
    live.whole();
    let restored = live.state().await;
    assert!(found.is(&spoilt) || found.is(&restored), "{found:#?}");
    assert_eq!(live.left().await, Vec::<String>::new());
    live.end().await;
}
