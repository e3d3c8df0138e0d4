//! A database with every kind of object.

use postgres_link::AdminConn;
use schema_catalog::{Scope, Snapshot};
use testkit::{TestDb, server};

/// Roles belong to the cluster and are shared by all tests; their names are part of the fingerprints.
const ROLES: &str = "
DO $$
DECLARE wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['owner', 'user', 'other', 'super SUPERUSER'] LOOP
        BEGIN
            EXECUTE 'CREATE ROLE catalog_' || wanted;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
        END;
    END LOOP;
END $$";

/// The objects.
pub const FIXTURE: &str = include_str!("fixture.sql");

/// A new database in which `sql` has run, with the roles that it may name.
pub async fn database(sql: &str) -> TestDb {
    let database = server().empty_database().await;
    let session = database.session().await;
    run(&session, ROLES).await;
    run(&session, &format!("GRANT CREATE ON DATABASE \"{}\" TO catalog_owner", database.name())).await;
    run(&session, sql).await;
    database
}

/// Runs SQL, statement by statement of one message.
pub async fn run(session: &AdminConn, sql: &str) {
    session.batch(sql).await.unwrap_or_else(|error| panic!("{error}\nin: {sql}"));
}

/// Everything but the schema `public`, which a version of the server makes otherwise.
pub fn scope() -> Scope {
    Scope::all().except(["public"])
}

/// The snapshot of the fixture's scope.
pub async fn read(session: &AdminConn) -> Snapshot {
    Snapshot::read(session, &scope()).await.unwrap_or_else(|error| panic!("{error}"))
}
