//! A migrated database, a role that a service might sign in as, and people of two schools.

use std::future::Future;
use std::time::Duration;

use kernel::{AppRole, Caller, Claims, OrganizationId, RequestId, UserId};
use postgres_link::ConnectOptions;
use postgres_link::tenant::{Access, PoolSettings, TenantPool, TenantTx, TxError};
use testkit::TestDb;
use uuid::Uuid;

/// The two schools of the development seeds.
pub const SCHOOLS: [&str; 2] = ["00000007-0001-4000-8000-000000000001", "00000007-0002-4000-8000-000000000001"];

/// What a caller sees of the schools, who they are to the database, and which of its processes answers.
pub const LOOK: &str = "SELECT (SELECT array_agg(id::text) FROM organizations.organizations), auth.org()::text, \
                        current_setting('request.jwt.claims')::jsonb ->> 'rid', current_user::text, pg_backend_pid()";

pub const PASSWORD: &str = "a-word-for-tests";

pub struct World {
    // Its rows name the role, so it goes first.
    pub db: TestDb,
    pub login: Role,
}

impl World {
    /// With a role as migrating makes it for a service.
    pub async fn new() -> Self {
        Self::with_role("NOINHERIT").await
    }

    /// With a role of these attributes, which may become app_user.
    pub async fn with_role(attributes: &str) -> Self {
        let db = testkit::server().platform_database().await;
        let login = Role::new(attributes).await;
        Self { db, login }
    }

    pub fn options(&self) -> ConnectOptions {
        self.db.connect().clone().with_user(&self.login.0).with_password(PASSWORD)
    }

    pub fn pool(&self, change: impl FnOnce(&mut PoolSettings)) -> TenantPool {
        // A slow machine is no reason to tell a request that there is no session; tests of that say what they want.
        let mut settings = PoolSettings { size: 1, wait: Duration::from_mins(2), ..PoolSettings::default() };
        change(&mut settings);
        TenantPool::new(self.options(), settings)
    }

    /// As the superuser.
    pub async fn run(&self, sql: &str) {
        self.db.session().await.batch(sql).await.unwrap_or_else(|error| panic!("{error}\nin: {sql}"));
    }
}

/// A role of the whole cluster, dropped with the value.
pub struct Role(pub String);

impl Role {
    pub async fn new(attributes: &str) -> Self {
        let name = format!("tenant_test_{}", Uuid::new_v4().simple());
        let session = testkit::server().session("postgres").await;
        let sql = format!("CREATE ROLE {name} LOGIN {attributes} PASSWORD '{PASSWORD}'; GRANT app_user TO {name}");
        session.batch(&sql).await.unwrap_or_else(|error| panic!("{error}"));
        Self(name)
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        let name = self.0.clone();
        let dropping = std::thread::spawn(move || {
            testkit::block_on(async move {
                let session = testkit::server().session("postgres").await;
                let sql = format!(
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = '{name}'; DROP ROLE {name}"
                );
                let _ = session.batch(&sql).await;
            });
        });
        let _ = dropping.join();
    }
}

/// The administrator of one of the two schools, in a request of their own.
pub fn admin(school: usize, request: &str) -> Claims {
    Claims::new(Caller {
        user: UserId::new(Uuid::from_u128(school as u128 + 1)),
        organization: Some(OrganizationId::new(SCHOOLS[school].parse().expect("a UUID"))),
        role: Some(AppRole::Admin),
        session: None,
        request: RequestId::parse(request).expect("harmless"),
    })
}

pub fn request(id: &str) -> RequestId {
    RequestId::parse(id).expect("harmless")
}

/// What [`LOOK`] answers.
#[derive(Debug, PartialEq, Eq)]
pub struct Seen {
    pub schools: Vec<String>,
    pub org: Option<String>,
    pub request: String,
    pub role: String,
    pub process: i32,
}

pub async fn look(tx: &mut TenantTx) -> Result<Seen, TxError> {
    let row = tx.query_one(LOOK, &[]).await?;
    Ok(Seen {
        schools: row.get::<_, Option<_>>(0).unwrap_or_default(),
        org: row.get(1),
        request: row.get(2),
        role: row.get(3),
        process: row.get(4),
    })
}

/// One request that only looks. Panics where it sees anything of another school, or another request's claims.
pub async fn sees_its_own(pool: &TenantPool, school: usize, request: &str) -> Result<i32, TxError> {
    let mut tx = pool.begin(&admin(school, request), Access::Read);
    let seen = look(&mut tx).await?;
    tx.commit().await?;
    let own = SCHOOLS[school].to_owned();
    let process = seen.process;
    let expected = Seen {
        schools: vec![own.clone()],
        org: Some(own),
        request: request.to_owned(),
        role: "app_user".to_owned(),
        process,
    };
    assert_eq!(seen, expected);
    Ok(process)
}

/// Sends what the future sends when it is first polled, and leaves it.
pub async fn abandon<F: Future>(future: F) {
    tokio::select! {
        biased;
        _ = future => panic!("it was to be left before it is done"),
        () = std::future::ready(()) => {}
    }
}

/// Nothing here may hang for ever.
pub async fn in_time<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_mins(1), Box::pin(future)).await.expect("done in time")
}
