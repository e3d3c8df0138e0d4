//! What is read, and that it is the same wherever and however often it is read.

use std::collections::BTreeSet;

use schema_catalog::{Fingerprint, Kind, ReadError, Scope, Snapshot, difference};
use testkit::{block_on, server};

use crate::fixture::{FIXTURE, database, read, run};

/// Of the fixture, on every supported version. It changes with the fixture and with the canonical form only.
const FINGERPRINT: &str = "10de99edc679e8f01e0e55dc24f2dd4b620758ba1925ed2f0175a548be3021c1";

/// Of definitions of every shape.
const WORDING: &str = "57db3e11d446046a632cd6fbf894fd85f051bf0d11443fe3685119af7a024bbb";

#[test]
fn every_version_gives_the_same_fingerprint() {
    block_on(async {
        same(FIXTURE, FINGERPRINT).await;
        same(include_str!("wording.sql"), WORDING).await;
    });
}

async fn same(sql: &str, fingerprint: &str) {
    let database = database(sql).await;
    let session = database.session().await;
    let snapshot = read(&session).await;
    let version = session.server_version_num();
    let objects = serde_json::to_string(&snapshot).expect("it is text");
    assert_eq!(snapshot.fingerprint().to_string(), fingerprint, "PostgreSQL {version}: {objects}");
}

#[test]
fn the_fixture_has_every_kind() {
    block_on(async {
        let database = database(FIXTURE).await;
        let session = database.session().await;
        // What servers of this version have beyond the fixture, which all versions must be able to run.
        run(&session, "CREATE FOREIGN DATA WRAPPER nothing; CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing").await;
        run(&session, "CREATE FOREIGN TABLE plans.far (a int OPTIONS (x 'y')) SERVER nowhere OPTIONS (b 'c')").await;
        run(&session, "CREATE TYPE plans.shell; CREATE SCHEMA nothing").await;
        let snapshot = read(&session).await;
        let kinds: BTreeSet<Kind> = snapshot.objects().map(|(id, _)| id.kind).collect();
        let all = BTreeSet::from([
            Kind::Schema,
            Kind::Extension,
            Kind::Table,
            Kind::ForeignTable,
            Kind::View,
            Kind::MaterializedView,
            Kind::Enum,
            Kind::CompositeType,
            Kind::RangeType,
            Kind::Domain,
            Kind::Type,
            Kind::Column,
            Kind::Constraint,
            Kind::Index,
            Kind::Trigger,
            Kind::Rule,
            Kind::Policy,
            Kind::Statistics,
            Kind::Sequence,
            Kind::Function,
            Kind::Procedure,
            Kind::Aggregate,
            Kind::Operator,
            Kind::OperatorClass,
            Kind::Cast,
            Kind::Collation,
            Kind::TextSearchConfiguration,
            Kind::TextSearchDictionary,
            Kind::DefaultPrivileges,
            Kind::EventTrigger,
            Kind::Publication,
        ]);
        assert_eq!(kinds, all);
        assert_eq!(snapshot.schemas().collect::<Vec<_>>(), ["Old plans", "nothing", "plans"]);
    });
}

#[test]
fn the_order_of_creation_does_not_count() {
    const ONE: &str = "
        CREATE SCHEMA a; CREATE TABLE a.t (id int PRIMARY KEY, x text);
        CREATE SCHEMA b; CREATE TABLE b.t (gone int, y text CHECK (y <> ''), z int); ALTER TABLE b.t DROP gone;
        CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS 'select 1'; COMMENT ON FUNCTION public.f() IS 'one';
        CREATE TYPE public.e AS ENUM ('1', '3'); ALTER TYPE public.e ADD VALUE '2' BEFORE '3';
        GRANT USAGE ON TYPE public.e TO catalog_user, catalog_other; GRANT SELECT, INSERT ON a.t TO catalog_user";
    const OTHER: &str = "
        CREATE TYPE public.e AS ENUM ('1', '2', '3');
        GRANT USAGE ON TYPE public.e TO catalog_other, catalog_user, catalog_user;
        CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS 'select 1'; COMMENT ON FUNCTION public.f() IS 'one';
        CREATE SCHEMA b; CREATE TABLE b.t (y text, z int); ALTER TABLE b.t ADD CHECK (y <> '');
        CREATE SCHEMA a; CREATE TABLE a.t (id int, x text); ALTER TABLE a.t ADD PRIMARY KEY (id);
        GRANT INSERT ON a.t TO catalog_user; GRANT SELECT, DELETE ON a.t TO catalog_user;
        REVOKE DELETE ON a.t FROM catalog_user; GRANT SELECT ON b.t TO catalog_user; REVOKE ALL ON b.t FROM catalog_user";
    block_on(async {
        let mut snapshots = Vec::new();
        for sql in [ONE, OTHER] {
            let database = database(sql).await;
            snapshots.push(read_all(&database.session().await).await);
        }
        let sentences: Vec<String> = difference(&snapshots[0], &snapshots[1]).iter().map(ToString::to_string).collect();
        assert!(sentences.is_empty(), "{sentences:#?}");
        assert_eq!(snapshots[0].fingerprint(), snapshots[1].fingerprint());
    });
}

#[test]
fn the_platform_reads_the_same_twice() {
    block_on(async {
        let database = server().platform_database().await;
        let first = read_all(&database.session().await).await;
        let second = read_all(&database.session().await).await;
        assert_eq!(first.fingerprint(), second.fingerprint());
        assert!(difference(&first, &second).is_empty());
        assert!(first.len() > 100, "{} objects", first.len());
    });
}

#[test]
fn a_stored_snapshot_is_the_same() {
    block_on(async {
        let database = database(FIXTURE).await;
        let snapshot = read(&database.session().await).await;
        let stored = serde_json::to_string(&snapshot).expect("it is text");
        let again: Snapshot = serde_json::from_str(&stored).expect("it was just written");
        assert_eq!(again, snapshot);
        assert_eq!(again.fingerprint(), snapshot.fingerprint());

        let other = stored.replacen("\"format\":1", "\"format\":0", 1);
        let error = serde_json::from_str::<Snapshot>(&other).expect_err("another format");
        assert!(error.to_string().contains("take a new one"), "{error}");

        let json = serde_json::to_string(&snapshot.fingerprint()).expect("it is text");
        assert_eq!(serde_json::from_str::<Fingerprint>(&json).expect("64 digits"), snapshot.fingerprint());
        assert!("12".parse::<Fingerprint>().is_err());
    });
}

#[test]
fn a_scope_holds_what_was_asked_for() {
    block_on(async {
        let database = database(FIXTURE).await;
        let session = database.session().await;
        let everything = read(&session).await;
        let one = Snapshot::read(&session, &Scope::schemas(["plans"])).await.expect("it can be read");
        assert_eq!(one.schemas().collect::<Vec<_>>(), ["plans"]);
        assert!(one.objects().all(|(id, _)| id.schema.as_deref() == Some("plans")));
        assert_eq!(one.schema_fingerprints()[&Some("plans")], everything.schema_fingerprints()[&Some("plans")]);
        assert_eq!(one.fingerprint(), everything.fingerprint_of(&["plans"]));
        assert_ne!(everything.fingerprint(), everything.fingerprint_of(&["plans"]));

        let hostile = Scope::schemas(["x'::name]) OR true --", r"\'", ":database"]);
        assert!(Snapshot::read(&session, &hostile).await.expect("names are values").is_empty());
        // Nothing stays set in the session.
        let path = session.batch("SHOW search_path").await.expect("the session is usable");
        assert_ne!(path.value(0, 0), Some(""));
    });
}

#[test]
fn any_role_may_read() {
    block_on(async {
        let database = database(FIXTURE).await;
        let session = database.session().await;
        let expected = read(&session).await;
        run(&session, "SET SESSION AUTHORIZATION catalog_other").await;
        assert_eq!(read(&session).await.fingerprint(), expected.fingerprint());
    });
}

#[test]
fn a_schema_that_is_being_changed_is_not_waited_for_without_end() {
    block_on(async {
        let database = database("CREATE VIEW public.v AS SELECT 1 AS one; CREATE TABLE public.t (a int)").await;
        let session = database.session().await;
        run(&session, "CREATE VIEW public.w AS SELECT a FROM public.t").await;
        let other = database.session().await;
        run(&other, "BEGIN; LOCK TABLE public.t IN ACCESS EXCLUSIVE MODE").await;
        let refused = Snapshot::read(&session, &Scope::all()).await.expect_err("the table is locked");
        assert!(matches!(refused, ReadError::Changing(_)), "{refused}");
        assert!(refused.to_string().contains("read it again"), "{refused}");
        run(&other, "ROLLBACK").await;
        Snapshot::read(&session, &Scope::all()).await.expect("the session is usable again");
    });
}

#[test]
fn differences_are_empty_only_between_equals() {
    block_on(async {
        let database = database(FIXTURE).await;
        let session = database.session().await;
        let before = read(&session).await;
        run(&session, "DROP TABLE plans.cache").await;
        let after = read(&session).await;
        let told: Vec<String> = difference(&before, &after).iter().map(ToString::to_string).collect();
        assert_eq!(told, ["table plans.cache: missing"], "its columns, index and constraint go without saying");
        let told: Vec<String> = difference(&Snapshot::default(), &after).iter().map(ToString::to_string).collect();
        assert!(told.contains(&"schema plans: added".to_owned()), "{told:#?}");
        let inside = told.iter().filter(|sentence| sentence.contains("plans.")).collect::<Vec<_>>();
        assert!(inside.is_empty(), "{inside:#?}: what is in a new schema goes without saying");
    });
}

async fn read_all(session: &postgres_link::AdminConn) -> Snapshot {
    Snapshot::read(session, &Scope::all()).await.unwrap_or_else(|error| panic!("{error}"))
}
