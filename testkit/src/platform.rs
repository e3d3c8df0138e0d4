//! The platform's database with its migration service, for tests of domain services.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use db_migrations_service::operations::{Operations, Recording};
use db_migrations_service::targets::Targets;
use db_migrations_service::{STARTUP_PART, Service as MigrationService};
use postgres_link::ConnectOptions;
use service::{Definition, Settings};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::issuer::Issuer;
use crate::project::platform_project;
use crate::server::{TestDb, server};

/// What the roles of services sign in with, on the server of the tests.
const ROLE_PASSWORD: &str = "a-word-for-tests";

/// A migrated database, a migration service that knows it, and an issuer of tokens. All of it ends with the value.
///
/// For tests on a runtime of several threads: dropping the database blocks one, and a session that its task cannot go on to
/// open meanwhile would hold the server up until it is given up, a minute.
pub struct Platform {
    /// Ends first.
    _stop: DropGuard,
    /// Signs tokens, where the auth service is not the one that is tested.
    pub issuer: Issuer,
    /// The database; dropped after what uses it.
    pub db: TestDb,
    migrations: SocketAddr,
}

impl Platform {
    /// Starts all of it.
    ///
    /// # Panics
    /// On a runtime of one thread.
    pub async fn start() -> Self {
        let flavor = tokio::runtime::Handle::current().runtime_flavor();
        assert_eq!(flavor, tokio::runtime::RuntimeFlavor::MultiThread, "see above");
        Box::pin(Self::start_all()).await
    }

    async fn start_all() -> Self {
        let db = server().platform_database().await;
        let url = db.url();
        let lookup = move |name: &str| match name {
            "MIGRATION_SERVICE_MASTER_DB_URL" | "DATABASE_URL" => Some(url.clone()),
            "MIGRATION_SERVICE_PORT" => Some("0".to_owned()),
            "MIGRATION_SERVICE_WATCH_INTERVAL" | "MIGRATION_SERVICE_SAMPLE_INTERVAL" => Some("off".to_owned()),
            _ => None,
        };
        let settings = db_migrations_service::settings::Settings::read(&lookup).expect("good settings");
        let project = platform_project();
        let targets = Targets::resolve(&project.catalogue, &settings, &lookup, None).expect("good targets");
        let operations = Operations::new(Arc::clone(&project), targets, Recording::First);
        let migrations = MigrationService::bind(operations, &settings).await.expect("a free port");
        migrations.readiness().report(STARTUP_PART, true);
        let address = migrations.address();
        let stop = CancellationToken::new();
        tokio::spawn(migrations.serve(stop.clone()));
        Self { _stop: stop.drop_guard(), issuer: Issuer::start().await, db, migrations: address }
    }

    /// Settings of a service on this platform, on a free port. What was ended is known within a tenth of a second.
    pub async fn settings(&self, definition: &Definition) -> Settings {
        let usual = Settings::of(definition);
        let mut settings = Settings {
            port: 0,
            database: Some(self.login(definition.role).await),
            migrations: format!("http://{}", self.migrations),
            ..usual
        };
        // A slow machine is no reason to tell a request that there is no session.
        settings.pool.wait = Duration::from_mins(2);
        settings.keyring.auth = self.issuer.url();
        settings.keyring.sessions_every = Duration::from_millis(100);
        settings
    }

    /// How a service signs in to the database: as the role that the catalogue names.
    pub async fn login(&self, role: &str) -> ConnectOptions {
        give_password(role).await;
        self.db.connect().clone().with_user(role).with_password(ROLE_PASSWORD)
    }
}

/// The URL of a migrated database for a service that signs in as this role, for programs that a test starts.
pub async fn service_url(db: &TestDb, role: &str) -> String {
    give_password(role).await;
    let url = db.url();
    let (_, place) = url.split_once('@').expect("the URL names a user");
    format!("postgresql://{role}:{ROLE_PASSWORD}@{place}")
}

/// Roles are the server's, so the first test gives each its password.
async fn give_password(role: &str) {
    let session = server().session("postgres").await;
    let give = format!(
        "BEGIN; SELECT pg_advisory_xact_lock(hashtext('testkit role passwords')); \
         DO $$ BEGIN IF (SELECT rolpassword IS NULL FROM pg_authid WHERE rolname = '{role}') THEN \
         ALTER ROLE {role} PASSWORD '{ROLE_PASSWORD}'; END IF; END $$; COMMIT"
    );
    session.batch(&give).await.unwrap_or_else(|error| panic!("{error}\nin: {give}"));
}
