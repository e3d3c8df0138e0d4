//! A server or a program of its that ends in the middle: one error that says so, and no word against the backup.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use backup_vault::{Keys, Progress, Scope, Vault, VaultError};
use embedded_postgres::{Cluster, ClusterOptions};
use postgres_link::{AdminConn, ConnectOptions};
use rustix::process::{Pid, Signal, kill_process};
use tokio_util::sync::CancellationToken;

use crate::help::{HARD, Place, everything, plans, request, vault};

/// Longer than anything takes on a loaded machine.
const LONGEST: Duration = Duration::from_mins(2);

/// Looks until something is there.
async fn until<T>(what: &str, look: impl AsyncFn() -> Option<T>) -> T {
    let give_up = Instant::now() + LONGEST;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < give_up, "waited in vain for {what}");
        tokio::task::yield_now().await;
    }
}

/// The `pg_dump` that reads the rows of this database.
fn dumping(database: &str) -> Option<Pid> {
    let is_it = |folder: &std::path::Path| {
        let read = |name: &str| fs::read(folder.join(name)).unwrap_or_default();
        let has = |bytes: Vec<u8>, part: &str| bytes.split(|byte| *byte == 0).any(|one| one == part.as_bytes());
        has(read("cmdline"), "--section=data") && has(read("environ"), &format!("PGDATABASE={database}"))
    };
    let mut entries = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
    let folder = entries.find(|folder| is_it(folder))?;
    folder.file_name()?.to_str()?.parse().ok().and_then(Pid::from_raw)
}

/// What only `pg_dump` reads; whoever holds it keeps it waiting.
const HOLD: &str = "BEGIN; LOCK TABLE pg_catalog.pg_largeobject_metadata";

/// Both of them: what reads the definitions, and what reads the rows.
async fn until_the_dumps_wait(connect: &ConnectOptions) {
    let session = postgres_link::connect(connect).await.unwrap();
    let waiting =
        "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' OFFSET 1";
    until("the dumps to wait", async || session.batch(waiting).await.unwrap().rows().next().map(drop)).await;
}

/// Before it has read anything, in the middle of a table, and later.
#[tokio::test(flavor = "multi_thread")]
async fn a_pg_dump_that_is_killed_at_any_moment_leaves_nothing_that_cannot_be_restored() {
    let place = Place::new().await;
    place
        .db
        .value("CREATE TABLE plans.much AS SELECT g, repeat(md5(g::text), 40) FROM generate_series(1, 60000) g")
        .await;
    let name = place.db.name();
    let kill = || dumping(name).map(|pid| kill_process(pid, Signal::KILL));
    let mut killed = 0;
    for moment in [0, 1, 5_000_000, 40_000_000, 60_000_000] {
        let holder = place.db.session().await;
        if moment == 0 {
            holder.batch(HOLD).await.unwrap();
        }
        let (progress, cancel) = (Arc::new(Progress::default()), CancellationToken::new());
        let watch = async {
            if moment == 0 {
                until_the_dumps_wait(place.db.connect()).await;
                kill();
                holder.batch("ROLLBACK").await.unwrap();
                return;
            }
            // It may be over before it is looked at.
            while progress.bytes.load(Ordering::Relaxed) < moment && progress.tables.load(Ordering::Relaxed) < 5 {
                tokio::task::yield_now().await;
            }
            kill();
        };
        let making = place.vault.make(place.db.connect(), request(Scope::default()), &progress, &cancel);
        match tokio::join!(making, watch).0 {
            Ok(manifest) => {
                assert!(place.verify(&manifest).await.holds(), "{moment}");
                place.vault.delete(&manifest.id).await.unwrap();
            }
            Err(error) => {
                killed += 1;
                assert_eq!(error.to_string(), "pg_dump was ended by signal 9", "{moment}");
                assert_eq!(everything(place.folder.path()), [] as [&str; 0], "{moment}");
            }
        }
    }
    assert!(killed > 0);
}

/// A cluster that can be restarted without harm to others.
struct Own {
    folder: tempfile::TempDir,
    backups: tempfile::TempDir,
    cluster: Option<Cluster>,
}

impl Own {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // The server has an account of its own.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let mut own = Self { folder, backups: tempfile::tempdir().unwrap(), cluster: None };
        own.start().await;
        own
    }

    async fn start(&mut self) {
        let options = ClusterOptions::new(self.folder.path().join("cluster")).unsafe_without_fsync();
        self.cluster = Some(tokio::task::spawn_blocking(move || Cluster::start(&options)).await.unwrap().unwrap());
    }

    async fn restart(&mut self) {
        let cluster = self.cluster.take().unwrap();
        tokio::task::spawn_blocking(|| cluster.stop()).await.unwrap();
        self.start().await;
    }

    fn connect(&self) -> ConnectOptions {
        ConnectOptions::parse(&self.cluster.as_ref().unwrap().url("postgres")).unwrap()
    }

    async fn session(&self) -> AdminConn {
        postgres_link::connect(&self.connect()).await.unwrap()
    }

    fn vault(&self) -> Vault {
        vault(self.backups.path().to_str().unwrap(), Keys::default())
    }
}

fn idle() -> (Arc<Progress>, CancellationToken) {
    (Arc::default(), CancellationToken::new())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_restarted_in_the_middle_is_told_as_that() {
    let mut own = Own::new().await;
    own.session().await.batch(HARD).await.unwrap();
    // Its index is not done as long as there is a role of this name, unless in the live database.
    let slow = "CREATE FUNCTION plans.slow(bigint) RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN \
                WHILE current_database() <> 'postgres' AND EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'slow') LOOP PERFORM pg_sleep(0.01); END LOOP; RETURN $1; END $$; \
                CREATE INDEX ON plans.plans (plans.slow(id))";
    own.session().await.batch(slow).await.unwrap();

    // During a backup.
    let holder = own.session().await;
    holder.batch(HOLD).await.unwrap();
    let (vault, connect, (progress, cancel)) = (own.vault(), own.connect(), idle());
    let making = tokio::spawn(async move { vault.make(&connect, request(Scope::default()), &progress, &cancel).await });
    until_the_dumps_wait(&own.connect()).await;
    own.restart().await;
    let error = making.await.unwrap().unwrap_err();
    let said = error.to_string();
    assert!(matches!(error, VaultError::Program(_) | VaultError::Server { .. }), "{error:?}");
    assert!(said.contains("terminating connection") || said.contains("closed"), "{said}");
    assert!(!said.contains('\n'), "{said}");
    assert_eq!(everything(own.backups.path()), [] as [&str; 0]);

    // During a verification: it says nothing about the backup.
    let (progress, cancel) = idle();
    let manifest = own.vault().make(&own.connect(), request(plans()), &progress, &cancel).await.unwrap();
    own.session().await.batch("CREATE ROLE slow").await.unwrap();
    let (vault, connect, id) = (own.vault(), own.connect(), manifest.id.clone());
    let verifying = tokio::spawn(async move { vault.verify(&id, &connect, &idle().0, &idle().1).await });
    let looking = own.session().await;
    let sleeps = "SELECT FROM pg_stat_activity WHERE datname LIKE 'profe\\_verifying\\_%' AND wait_event = 'PgSleep'";
    until("the index to be built", async || looking.batch(sleeps).await.unwrap().rows().next().map(drop)).await;
    own.restart().await;
    let error = verifying.await.unwrap().unwrap_err();
    assert!(!matches!(error, VaultError::Damaged { .. }), "{error}");
    own.session().await.batch("DROP ROLE slow").await.unwrap();
    let (progress, cancel) = idle();
    let verified = own.vault().verify(&manifest.id, &own.connect(), &progress, &cancel).await.unwrap();
    assert_eq!(verified.findings, [] as [&str; 0]);
    // What the first attempt has left is gone with the second.
    let left =
        own.session().await.batch("SELECT datname FROM pg_database WHERE datname LIKE 'profe\\_%'").await.unwrap();
    assert_eq!(left.rows().count(), 0);
}
