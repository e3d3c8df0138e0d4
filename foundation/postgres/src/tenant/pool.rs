//! A few sessions for many requests.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kernel::{Claims, RequestId};
use tokio::runtime::Handle;
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};

use super::error::TxError;
use super::identity::Identity;
use super::login::{self, check_login};
use super::session::Session;
use super::settings::{Access, PoolSettings};
use super::tx::TenantTx;
use crate::{ConnectOptions, connect};

/// How long the end of a transaction that was left may take before its session is closed instead.
const CLEAN_UP: Duration = Duration::from_secs(5);

/// Sessions of a service on its database, opened when they are needed. A copy is the same pool.
#[derive(Clone)]
pub struct TenantPool(Arc<Shared>);

/// What the pool and its leases share.
pub(super) struct Shared {
    options: ConnectOptions,
    pub(super) settings: PoolSettings,
    /// One for each session that there may be; whoever waits is served in turn.
    permits: Arc<Semaphore>,
    /// Sessions that are in no transaction for certain; the last used is the next used, so that what is not needed grows old.
    idle: Mutex<Vec<Session>>,
    verified: OnceCell<()>,
}

impl TenantPool {
    /// A pool for the role and database of these options. Nothing is opened yet.
    pub fn new(options: ConnectOptions, settings: PoolSettings) -> Self {
        let permits = Arc::new(Semaphore::new(settings.size.max(1)));
        Self(Arc::new(Shared { options, settings, permits, idle: Mutex::default(), verified: OnceCell::new() }))
    }

    /// Makes sure that the role which signs in can serve requests and do nothing else. A service asks at its start, to say
    /// so at once; whoever does not ask has it checked before the first transaction.
    ///
    /// # Errors
    /// [`TxError::Unfit`] names everything that is wrong and the cure; [`TxError::Unreachable`] when nobody could be asked.
    pub async fn verify(&self) -> Result<(), TxError> {
        self.0.verify().await
    }

    /// One transaction for one request of a signed-in caller. Nothing is sent, and no session taken, before its first statement.
    pub fn begin(&self, claims: &Claims, access: Access) -> TenantTx {
        TenantTx::new(Arc::clone(&self.0), Identity::Caller(claims.clone()), access)
    }

    /// One transaction as the service itself, whose policies let it see and change every row of its own schemas, of all
    /// organizations. For what nobody is signed in to yet (a login), and what no caller may do by themselves.
    pub fn begin_as_service(&self, request: &RequestId, access: Access) -> TenantTx {
        TenantTx::new(Arc::clone(&self.0), Identity::service(request), access)
    }

    /// Begins no further transaction; those that run go on to their end. Whoever waits for a session is told so.
    pub fn close(&self) {
        self.0.permits.close();
        self.0.idle().clear();
    }
}

impl fmt::Debug for TenantPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantPool")
            .field("user", &self.0.options.user())
            .field("database", &self.0.options.database())
            .field("size", &self.0.settings.size)
            .field("idle", &self.0.idle().len())
            .finish_non_exhaustive()
    }
}

impl Shared {
    async fn verify(&self) -> Result<(), TxError> {
        let check = || async {
            // As the role that signs in, not as the one that requests are served in.
            let session = connect(&self.options).await?;
            let checked = check_login(&session, self.options.user(), &self.settings.role).await;
            session.close().await;
            checked.map_err(login::CheckError::into_tx)
        };
        self.verified.get_or_try_init(check).await.copied()
    }

    /// A session that is in no transaction.
    pub(super) async fn lease(self: &Arc<Self>) -> Result<Lease, TxError> {
        let limit = self.settings.wait;
        let permit = tokio::time::timeout(limit, Arc::clone(&self.permits).acquire_owned())
            .await
            .map_err(|_| TxError::PoolFull(limit))?
            .map_err(|_| TxError::Closing)?;
        let lease = |session| Lease {
            session: Some(session),
            left: Left::InOrder,
            shared: Arc::clone(self),
            permit: Some(permit),
        };
        if let Some(session) = self.take() {
            return Ok(lease(session));
        }
        self.verify().await?;
        Ok(lease(Session::open(&self.options, &self.settings).await?))
    }

    fn take(&self) -> Option<Session> {
        // What is not used is closed outside of the lock.
        let mut dropped = Vec::new();
        let mut idle = self.idle();
        while let Some(session) = idle.pop() {
            if session.is_usable(self.settings.lifetime) {
                return Some(session);
            }
            dropped.push(session);
        }
        drop(idle);
        None
    }

    fn give_back(&self, session: Session) {
        if session.is_usable(self.settings.lifetime) && !self.permits.is_closed() {
            self.idle().push(session);
        }
    }

    /// Nothing panics while it is held.
    fn idle(&self) -> MutexGuard<'_, Vec<Session>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a session is left at this moment.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    /// In no transaction: the server has said so.
    InOrder,
    /// In a transaction, and the server waits.
    InTransaction,
    /// In a transaction, and an answer is outstanding.
    AtWork,
}

/// The right to one session. Dropped in whatever way, it comes to the next request in order or not at all.
pub(super) struct Lease {
    /// There until it is dropped.
    session: Option<Session>,
    pub(super) left: Left,
    shared: Arc<Shared>,
    /// Let go after the session is back.
    permit: Option<OwnedSemaphorePermit>,
}

impl Lease {
    pub(super) fn session(&mut self) -> Result<&mut Session, TxError> {
        self.session.as_mut().ok_or(TxError::Ended)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let (Some(session), Some(permit)) = (self.session.take(), self.permit.take()) else { return };
        if self.left == Left::InOrder {
            self.shared.give_back(session);
            return;
        }
        // Without a runtime nobody can ask the server; closing the session ends what it holds.
        let Ok(runtime) = Handle::try_current() else { return };
        let (shared, running) = (Arc::clone(&self.shared), self.left == Left::AtWork);
        runtime.spawn(async move {
            let cleaned = tokio::time::timeout(CLEAN_UP, session.clean(running)).await;
            if cleaned == Ok(true) {
                shared.give_back(session);
            } else {
                tracing::warn!("a transaction that was left could not be ended in time; its session is closed");
            }
            drop(permit);
        });
    }
}
