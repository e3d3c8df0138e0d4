//! One session for work that changes databases: a client and what has to be known around it.
//!
//! It holds no transaction and pools nothing. Statements go through [`AdminConn::batch`] (one message, several
//! statements, no parameters) or through the driver's [`AdminConn::client`].

mod batch;
mod cancel;
mod closed;
mod driver;
mod flight;
mod patient;
mod pulse;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use tokio::sync::watch;
use tokio_postgres::Client;

pub use batch::{BatchError, BatchFailure, BatchOutcome, StatementOutcome};
pub use cancel::Canceller;
pub use closed::Closed;
pub use driver::Notification;
use driver::Shared;
pub use flight::Flight;
use pulse::Pulse;

use crate::connect::{ConnectError, Login, Opener, ServerPlace, Switch};
use crate::sql_error::SqlError;

/// An open session. Dropping it closes the session; a batch that was abandoned half-way is cancelled as well.
pub struct AdminConn {
    client: Client,
    shared: Arc<Shared>,
    closed: watch::Receiver<Option<Closed>>,
    canceller: Canceller,
    backend_pid: AtomicI32,
    login_pid: i32,
    opener: Arc<Opener>,
    server_version_num: u32,
    abandoned: AtomicBool,
    merging: Switch,
}

impl AdminConn {
    /// Takes the driver's two halves and starts the task that moves their bytes.
    pub(crate) async fn start(login: Login, opener: Arc<Opener>) -> Self {
        let Login { client, wire, signs, merging } = login;
        let token = client.cancel_token();
        let login_pid = cancel::backend_pid(&token).await;
        let backend_pid = AtomicI32::new(login_pid);
        let server_version_num = wire.parameter("server_version").map_or(0, version_number);
        let shared = Arc::new(Shared::new(wire));
        let closed = driver::spawn(&shared, Pulse::new(signs, Arc::clone(&opener), login_pid));
        let canceller = Canceller::new(token, Arc::clone(&opener.route));
        let abandoned = AtomicBool::new(false);
        Self {
            client,
            shared,
            closed,
            canceller,
            backend_pid,
            login_pid,
            opener,
            server_version_num,
            abandoned,
            merging,
        }
    }

    /// The driver's client, for parameterised queries and COPY.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The client for the driver's transaction helpers, which want it exclusively.
    pub fn client_mut(&mut self) -> &mut Client {
        &mut self.client
    }

    /// Sends `sql` as one message and waits for all of its statements.
    ///
    /// Without BEGIN the server runs the statements of one message as one transaction. When the returned future is
    /// dropped before it is done, the statements go on at the server until this session is dropped or cancelled.
    ///
    /// # Errors
    /// The first statement that fails ends the batch; [`BatchError`] holds the outcomes before it. Whether those are
    /// undone depends on the transaction they ran in.
    pub async fn batch(&self, sql: &str) -> Result<BatchOutcome, BatchError> {
        let mut flight = self.flight(&[sql])?;
        flight.next().await.unwrap_or_else(|| Ok(BatchOutcome::default()))
    }

    /// Sends all `messages` at once, without waiting for an answer in between.
    ///
    /// # Errors
    /// Nothing was sent: the session is gone, or a message cannot be sent at all.
    pub fn flight(&self, messages: &[&str]) -> Result<Flight<'_>, BatchError> {
        Flight::start(self, messages)
    }

    /// Asks the server to stop what this session runs now. Only the statement's own error (57014) says that it did.
    ///
    /// # Errors
    /// When the server cannot be reached for it.
    pub async fn cancel(&self) -> Result<(), ConnectError> {
        self.canceller.cancel().await
    }

    /// The means to cancel, for another task.
    pub fn canceller(&self) -> Canceller {
        self.canceller.clone()
    }

    /// Resolves when the session has ended, with the reason. Independent of the borrow, so it can be awaited beside
    /// a running query.
    pub fn closed(&self) -> impl Future<Output = Closed> + Send + use<> {
        closed::wait(self.closed.clone())
    }

    /// Whether the session has ended already.
    pub fn is_closed(&self) -> bool {
        self.closed.borrow().is_some() || self.client.is_closed()
    }

    /// The process at the server, as in `pg_stat_activity.pid`. Known from the login, no round trip.
    pub fn backend_pid(&self) -> i32 {
        self.backend_pid.load(Ordering::Acquire)
    }

    /// Whether a pooler stands before the server and was found.
    pub fn is_pooled(&self) -> bool {
        self.backend_pid() != self.login_pid
    }

    /// The login's number is the pooler's where one is found.
    pub(crate) fn set_backend_pid(&self, process: i32) {
        self.backend_pid.store(process, Ordering::Release);
    }

    /// From here on statements of [`client`](Self::client) that leave together are one to the server: it answers them together, and
    /// after one that fails it runs none of the others. To be called while nothing is on its way.
    pub(crate) fn merge_syncs(&self) {
        self.merging.on();
    }

    pub(crate) fn place(&self) -> &ServerPlace {
        &self.opener.route.place
    }

    /// Makes sure that one process of the server answers everything that this session asks. One round trip, unless a
    /// pooler is found. Must be called outside of a transaction.
    ///
    /// # Errors
    /// A pooler gives each transaction another process, or has none left; or the session broke.
    pub async fn ensure_own_server(&self) -> Result<(), ConnectError> {
        self.opener.check(self, false).await
    }

    /// The server's version as in `server_version_num`, for example 150018 for 15.18; 0 when it did not say.
    pub fn server_version_num(&self) -> u32 {
        self.server_version_num
    }

    /// A setting the server reports by itself (`server_version`, `TimeZone`, `is_superuser`, …), in its latest value;
    /// `None` for any other, and once the session has ended.
    pub fn parameter(&self, name: &str) -> Option<String> {
        self.shared.parameter(name)
    }

    /// Calls `listener` for every notice and warning from now on; a later listener takes its place. All notices of a
    /// batch have been passed on when the batch returns. It is called on the task that moves the session's bytes, so
    /// it must not block.
    pub fn on_notice(&self, listener: impl Fn(SqlError) + Send + Sync + 'static) {
        self.shared.set_notice_listener(Arc::new(listener));
    }

    /// Calls `listener` for every NOTIFY on a channel this session LISTENs to; the rules of
    /// [`on_notice`](Self::on_notice) hold.
    pub fn on_notification(&self, listener: impl Fn(Notification) + Send + Sync + 'static) {
        self.shared.set_notification_listener(Arc::new(listener));
    }

    /// Says goodbye to the server and waits until the session is gone. What runs is finished first.
    pub async fn close(self) {
        let closed = self.closed();
        drop(self);
        closed.await;
    }
}

impl Drop for AdminConn {
    fn drop(&mut self) {
        let running = self.abandoned.load(Ordering::Acquire) && !self.is_closed();
        if running && let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (canceller, shared) = (self.canceller.clone(), Arc::clone(&self.shared));
            runtime.spawn(async move {
                if let Err(error) = canceller.cancel().await {
                    tracing::warn!(%error, "an abandoned statement could not be cancelled");
                    shared.break_off();
                }
            });
        }
    }
}

impl std::fmt::Debug for AdminConn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AdminConn")
            .field("backend_pid", &self.backend_pid())
            .field("server_version_num", &self.server_version_num)
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

/// Notices a future that is dropped before it is done.
struct Abandoned<'a> {
    flag: &'a AtomicBool,
    done: bool,
}

impl Abandoned<'_> {
    fn done(mut self) {
        self.done = true;
    }
}

impl Drop for Abandoned<'_> {
    fn drop(&mut self) {
        self.flag.store(!self.done, Ordering::Release);
    }
}

/// `15.18 (Debian 15.18-0+deb12u1)` is 150018, `9.6.3` is 90603, `18beta1` is 180000.
fn version_number(text: &str) -> u32 {
    let version = text.split_whitespace().next().unwrap_or_default();
    let mut numbers = version.split('.').map(|part| {
        let digits = part.find(|c: char| !c.is_ascii_digit()).map_or(part, |end| &part[..end]);
        digits.parse::<u32>().unwrap_or(0)
    });
    let mut next = || numbers.next().unwrap_or(0);
    match next() {
        major @ 10.. => major * 10_000 + next(),
        major => major * 10_000 + next() * 100 + next(),
    }
}

#[cfg(test)]
mod tests {
    use super::version_number;

    #[test]
    fn versions_are_numbers() {
        for (text, number) in [
            ("15.18 (Debian 15.18-0+deb12u1)", 150_018),
            ("18beta1", 180_000),
            ("17.2", 170_002),
            ("9.6.3", 90_603),
            ("17", 170_000),
            ("", 0),
        ] {
            assert_eq!(version_number(text), number, "{text}");
        }
    }
}
