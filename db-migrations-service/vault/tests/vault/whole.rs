//! A backup that comes back as it was.

use std::process::{Command, Stdio};
use std::sync::Arc;

use backup_vault::{Keys, Progress, Scope, Vault};
use postgres_link::ConnectOptions;
use testkit::{block_on, server};
use tokio_util::sync::CancellationToken;

use crate::help::{Place, plans, request, vault};
use crate::server::Server;

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_database_comes_back_equal() {
    let place = Place::new().await;
    let manifest = place.make(Scope::default()).await;
    let listed = place.vault.list().await.unwrap();
    assert_eq!(listed.iter().map(|one| one.manifest.as_ref()).collect::<Vec<_>>(), [Ok(&manifest)]);
    let counts: Vec<String> = manifest.tables.iter().map(|t| format!("{} {}", t.name, t.figures.rows)).collect();
    assert_eq!(
        counts,
        [
            "large objects 3",
            "Año 1.t.\"x; \\! echo 3",
            "plans.cache 2",
            "plans.events_1 100",
            "plans.events_2 101",
            "plans.plans 2000",
            "users.users 500"
        ]
    );
    let verified = place.verify(&manifest).await;
    assert_eq!(verified.findings, [] as [&str; 0]);

    // Into a database of its own.
    let name = format!("{}_back", place.db.name());
    let (progress, cancel) = (Arc::new(Progress::default()), CancellationToken::new());
    let restored =
        place.vault.restore_into_new(&manifest.id, server().connect(), &name, &progress, &cancel).await.unwrap();
    assert_eq!((restored.database.as_str(), restored.unchecked_keys.len()), (name.as_str(), 0));
    let back = server().session(&name).await;
    for sql in [
        "SELECT nextval('users.s'), last_value FROM plans.plans_id_seq",
        "SELECT count(*), sum(length), sum(ratio) FROM plans.plans",
        "SELECT string_agg(oid::text, ',' ORDER BY oid) FROM pg_largeobject_metadata",
        "SELECT count(*) FROM plans.titles",
        "SELECT encoding, datcollate, datctype FROM pg_database WHERE datname = current_database()",
    ] {
        let row = back.batch(sql).await.unwrap().statements.remove(0).rows;
        assert_eq!(row, place.db.session().await.batch(sql).await.unwrap().statements.remove(0).rows, "{sql}");
    }
    back.close().await;
    server().session("postgres").await.batch(&format!("DROP DATABASE \"{name}\" WITH (FORCE)")).await.unwrap();
}

/// What no vacuum has to visit is read from the index alone. Tables that an extension has filled are not emptied for it.
#[tokio::test(flavor = "multi_thread")]
async fn large_tables_come_back_frozen() {
    let db = server().empty_database().await;
    db.value(
        r#"CREATE SCHEMA "o dd"; CREATE TABLE "o dd"."TRUNCATE ""x; --" (id int PRIMARY KEY, "a FROM stdin;" text);
           INSERT INTO "o dd"."TRUNCATE ""x; --" SELECT g, repeat('x', g % 9) FROM generate_series(1, 3000) g;
           CREATE TABLE public.parent (id int PRIMARY KEY); CREATE TABLE public.child () INHERITS (public.parent);
           INSERT INTO public.parent SELECT generate_series(1, 2000); INSERT INTO public.child SELECT generate_series(1, 1500)"#,
    )
    .await;
    let place = Place::of(db);
    let manifest = place.make(Scope::default()).await;
    let name = format!("{}_back", place.db.name());
    let (progress, cancel) = (Arc::new(Progress::default()), CancellationToken::new());
    place.vault.restore_into_new(&manifest.id, server().connect(), &name, &progress, &cancel).await.unwrap();
    let back = server().session(&name).await;
    for (table, rows) in
        [(r#""o dd"."TRUNCATE ""x; --""#, "3000"), ("ONLY public.parent", "2000"), ("ONLY public.child", "1500")]
    {
        let counted = back.batch(&format!("SELECT count(*) FROM {table}")).await.unwrap();
        assert_eq!(counted.value(0, 0), Some(rows), "{table}");
    }
    let explained = back
        .batch(r#"SET enable_seqscan = off; SET enable_bitmapscan = off; EXPLAIN (ANALYZE) SELECT id FROM "o dd"."TRUNCATE ""x; --" WHERE id > 0"#)
        .await
        .unwrap();
    let lines: Vec<String> = explained.statements[2].rows.iter().flatten().flatten().cloned().collect();
    assert!(lines.iter().any(|line| line.trim() == "Heap Fetches: 0"), "{lines:?}");
    back.close().await;
    server().session("postgres").await.batch(&format!("DROP DATABASE \"{name}\" WITH (FORCE)")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_alone_comes_back_with_its_keys_to_others() {
    let place = Place::new().await;
    let manifest = place.make(plans()).await;
    assert!(manifest.tables.iter().all(|table| table.name.schema == "plans"));
    assert_eq!(manifest.outside_keys.iter().map(|key| key.name.as_str()).collect::<Vec<_>>(), ["plans_owner_fkey"]);
    let verified = place.verify(&manifest).await;
    assert_eq!(verified.findings, [] as [&str; 0]);
}

/// Objects of nearly every kind that `pg_dump` knows, on top of what every test's database has.
const HARDER: &str = include_str!("hard.sql");

/// What keeps a database from being dropped, and from being changed.
const OPEN: &str =
    "ALTER EVENT TRIGGER closed DISABLE; ALTER SUBSCRIPTION theirs SET (slot_name = NONE); DROP SUBSCRIPTION theirs";

#[tokio::test(flavor = "multi_thread")]
async fn a_hard_database_comes_back_equal_from_a_folder_and_from_a_store() {
    let mut place = Place::new().await;
    place.db.value(HARDER).await;
    let store = Server::start().await;
    let on_store = Vault::new(store.storage(), Keys::default(), Arc::new(|name| std::env::var(name).ok()));
    let in_folder = std::mem::replace(&mut place.vault, on_store);
    for vault in [place.vault.clone(), in_folder] {
        place.vault = vault;
        let manifest = place.make(Scope::default()).await;
        let held = |schema: &str| manifest.tables.iter().filter(|table| table.name.schema == schema).count();
        assert_eq!((held(""), held("Año 1"), held("plans"), held("select")), (1, 1, 10, 2), "{:?}", manifest.tables);
        assert_eq!(place.verify(&manifest).await.findings, [] as [&str; 0]);
        assert_eq!(crate::help::left(&manifest).await.as_deref(), Some("0"));

        let name = format!("{}_back", place.db.name());
        let (progress, cancel) = (Arc::new(Progress::default()), CancellationToken::new());
        place.vault.restore_into_new(&manifest.id, server().connect(), &name, &progress, &cancel).await.unwrap();
        let back = server().session(&name).await;
        for sql in [
            "SELECT nextval('plans.people_id_seq'), nextval('users.s'), nextval('\"select\".\"Up\"'), nextval('plans.plans_id_seq')",
            "SELECT string_agg(p::text, '; ' ORDER BY id), string_agg(pair::text COLLATE plans.plain, ',') FROM plans.people p",
            "SELECT (SELECT count(*) FROM plans.nothing), (SELECT string_agg(f::text, '') FROM plans.friends f), (SELECT count(*) FROM ONLY plans.friends)",
            "SELECT string_agg(tableoid::regclass || t::text, ',' ORDER BY b, a) FROM plans.tree t",
            "SELECT loid, md5(string_agg(data, '' ORDER BY pageno)) FROM pg_largeobject GROUP BY 1 ORDER BY 1",
            "SELECT string_agg(oid || coalesce(lomacl::text, '') || coalesce(obj_description(oid, 'pg_largeobject'), ''), ',' ORDER BY oid) FROM pg_largeobject_metadata",
            "SELECT string_agg(matviewname || ispopulated::text, ',' ORDER BY matviewname) FROM pg_matviews",
            "SELECT string_agg(evtname || evtenabled::text, ',' ORDER BY evtname) FROM pg_event_trigger",
            "SELECT string_agg(pubname || puballtables::text || pubupdate::text, ',' ORDER BY pubname), (SELECT string_agg(srvname || srvoptions::text, ',') FROM pg_foreign_server) FROM pg_publication",
        ] {
            let row = back.batch(sql).await.unwrap().statements.remove(0).rows;
            assert_eq!(row, place.db.session().await.batch(sql).await.unwrap().statements.remove(0).rows, "{sql}");
        }
        let closed = back.batch("CREATE TABLE plans.more ()").await.unwrap_err().to_string();
        assert!(closed.contains("nothing is changed here"), "{closed}");
        back.close().await;
        server().session("postgres").await.batch(&format!("DROP DATABASE \"{name}\" WITH (FORCE)")).await.unwrap();
    }
    place.db.value(OPEN).await;
}

/// What a child is told: the database, and where its backups shall lie.
const URL: &str = "LARGE_DATABASE_OF_THIS_TEST";
const FOLDER: &str = "LARGE_BACKUPS_OF_THIS_TEST";

#[test]
#[ignore = "run by the test below, as a process of its own"]
fn child_that_counts_its_memory() {
    block_on(async {
        let folder = std::env::var(FOLDER).expect("a folder");
        let connect = ConnectOptions::parse(&std::env::var(URL).expect("a URL")).expect("a URL");
        let vault = vault(&folder, Keys::default());
        let (progress, cancel) = (Arc::new(Progress::default()), CancellationToken::new());
        let manifest = vault.make(&connect, request(Scope::default()), &progress, &cancel).await.expect("a backup");
        let verified = vault.verify(&manifest.id, &connect, &progress, &cancel).await.expect("it is verified");
        assert_eq!(verified.findings, [] as [&str; 0]);
    });
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("its peak");
    let told = std::path::Path::new(&std::env::var(FOLDER).expect("a folder")).join("told");
    std::fs::write(told, most.replace("kB", "").trim()).expect("our folder");
}

/// A row is never in memory as a whole, in neither direction.
#[test]
fn a_value_of_a_hundred_megabytes_passes_in_bounded_memory() {
    let db = block_on(server().empty_database());
    block_on(db.value("CREATE TABLE large AS SELECT repeat('0123456789', 10000000)"));
    let folder = tempfile::tempdir().expect("a folder");
    let mut child = Command::new(std::env::current_exe().expect("this program"));
    child.args(["--ignored", "--exact", "--nocapture", "whole::child_that_counts_its_memory"]);
    let child = child.env(URL, db.url()).env(FOLDER, folder.path()).stdout(Stdio::null()).output().expect("a child");
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stderr));
    let most: u64 =
        std::fs::read_to_string(folder.path().join("told")).expect("it was told").parse().expect("a number");
    // 128 MiB is what is promised at any size.
    assert!(most < 128 << 10, "{most} kB");
}
