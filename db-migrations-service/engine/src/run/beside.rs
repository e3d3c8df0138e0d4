//! The session beside the working one, which sees what that waits for while a statement runs.
//!
//! A run on one database holds the migration lock in it. A run over many spares it: there the working session holds the lock, and
//! a second one is opened only in a database where something lasts.

use postgres_link::AdminConn;
use tokio::sync::OnceCell;

use crate::engine::Target;
use crate::error::EngineError;
use crate::target::session;

/// The second session, there already or not yet.
pub(crate) struct Beside {
    conn: OnceCell<AdminConn>,
    /// Where it is opened when it is needed, and what it calls itself; `None` where it was there from the beginning and holds the
    /// lock.
    later: Option<(Target, String)>,
}

impl Beside {
    /// `conn` holds the lock.
    pub(crate) fn holding(conn: AdminConn) -> Self {
        Self { conn: OnceCell::new_with(Some(conn)), later: None }
    }

    /// The working session holds the lock itself.
    pub(crate) fn later(target: Target, name: String) -> Self {
        Self { conn: OnceCell::new(), later: Some((target, name)) }
    }

    /// The session with which the lock is lost; `None` where that is the working one.
    pub(crate) fn holder(&self) -> Option<&AdminConn> {
        if self.later.is_none() { self.conn.get() } else { None }
    }

    /// Waits until the lock is lost with this session; for ever where the working one holds it.
    pub(crate) async fn lost(&self) -> String {
        match self.holder() {
            Some(conn) => conn.closed().await.to_string(),
            None => std::future::pending().await,
        }
    }

    /// The session where it is there.
    pub(crate) fn opened(&self) -> Option<&AdminConn> {
        self.conn.get()
    }

    /// The session, opened now where it was not.
    ///
    /// # Errors
    /// None can be had; the cure is that of the connection.
    pub(crate) async fn watch(&self) -> Result<&AdminConn, EngineError> {
        let open = || async {
            match &self.later {
                Some((target, name)) => Box::pin(session::open(target, name)).await.map_err(unwatched),
                None => Err(session::lost("the session beside the run is gone")),
            }
        };
        self.conn.get_or_try_init(open).await
    }

    pub(crate) async fn close(self) {
        if let Some(conn) = self.conn.into_inner() {
            conn.close().await;
        }
    }
}

fn unwatched(mut error: EngineError) -> EngineError {
    error.message = format!("the second session, which looks after what lasts, could not be opened: {}", error.message);
    error
}
