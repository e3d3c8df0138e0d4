//! Poolers between a session and its server: found out, made good where they keep sessions, refused where they do not.
//!
//! A pooler that gives each transaction another server process (PgBouncer with `pool_mode` transaction or statement)
//! breaks what a session is: locks stay behind with strangers, and settings reach them. Nothing of the protocol says
//! which mode a pooler is in, so it is found out from outside, before anything is set or locked.

use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::Config;

use super::attempt::{Encryption, Login};
use super::dial::Route;
use super::error::{ConnectError, ConnectErrorKind, Place};
use super::{attempt, classify, settings};
use crate::options::Poolers;
use crate::quote;
use crate::session::{AdminConn, BatchError};
use crate::sql_error::SqlError;
use crate::sqlstate;

/// How long a pooler may take to hand out a server process: longer is a pool that is full.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often both sessions are compared. Once is enough where nobody else uses the pooler.
const ROUNDS: usize = 3;
/// The highest number of a process on Linux (`PID_MAX_LIMIT`); PgBouncer makes its numbers up from all of 32 bits.
const HIGHEST_PID: i32 = 1 << 22;

/// Opens sessions on one address, all alike.
pub(crate) struct Opener {
    /// Without `options`, which poolers take differently.
    pub config: Config,
    pub options: String,
    pub poolers: Poolers,
    pub route: Arc<Route>,
    pub encryption: Encryption,
}

impl Opener {
    /// Logs in and, unless the caller wants to do it later, makes sure of the server behind the session.
    pub(super) async fn open(self: &Arc<Self>) -> Result<AdminConn, ConnectError> {
        let mut config = self.config.clone();
        if !self.options.is_empty() {
            config.options(&self.options);
        }
        let (session, settled) = match self.log_in(&config).await {
            Err(error) if !self.options.is_empty() && refuses_options(&error) => {
                (self.session(self.log_in(&self.config).await?).await, false)
            }
            other => (self.session(other?).await, true),
        };
        let suspect = session.backend_pid() < 0 || session.backend_pid() > HIGHEST_PID;
        let check = match self.poolers {
            Poolers::Refused => true,
            Poolers::RefusedLater => suspect,
            Poolers::Any => false,
        };
        if !settled {
            self.make_good(&session, process_of(&session, true).await?).await?;
        } else if check {
            self.check(&session, suspect).await?;
        }
        Ok(session)
    }

    /// Makes sure that one process of the server answers all of the session's statements, and has its settings.
    pub(crate) async fn check(self: &Arc<Self>, session: &AdminConn, suspect: bool) -> Result<(), ConnectError> {
        let process = process_of(session, suspect).await?;
        if process == session.backend_pid() { Ok(()) } else { self.make_good(session, process).await }
    }

    /// Behind a pooler: refused, or told who its process is and given the settings that the pooler kept back.
    async fn make_good(self: &Arc<Self>, session: &AdminConn, process: i32) -> Result<(), ConnectError> {
        if !self.keeps(session, process).await? {
            let reason = "a pooler stands before the server and gives each transaction another of its sessions";
            return Err(ConnectError::new(ConnectErrorKind::TransactionPooler, &self.route.place, reason.to_owned()));
        }
        session.set_backend_pid(process);
        let Some(settings) = settings::parse(&self.options) else {
            let reason = "a pooler stands before the server, so `options` may hold nothing but -c name=value";
            return Err(ConnectError::new(ConnectErrorKind::BadOptions, &self.route.place, reason.to_owned()));
        };
        if settings.is_empty() {
            return Ok(());
        }
        let each = settings.iter().map(|(name, value)| {
            format!("pg_catalog.set_config({}, {}, false)", quote::literal(name), quote::literal(value))
        });
        let sql = format!("SELECT {}", each.collect::<Vec<_>>().join(", "));
        session.batch(&sql).await.map(drop).map_err(|error| failed(&self.route.place, &error))
    }

    /// Whether the pooler keeps a process for as long as a session lasts: then no other session meets it. Where it gives
    /// it away after each transaction, the next to ask gets it – or, if it hands them out in turn, we get another.
    async fn keeps(self: &Arc<Self>, session: &AdminConn, process: i32) -> Result<bool, ConnectError> {
        let ours = || process_of(session, true);
        if ours().await? != process {
            return Ok(false);
        }
        let mut config = self.config.clone();
        config.application_name("profe pooler check");
        let other = self.session(self.log_in(&config).await?).await;
        for _ in 0..ROUNDS {
            if process_of(&other, true).await? == process || ours().await? != process {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub(crate) async fn log_in(&self, config: &Config) -> Result<Login, ConnectError> {
        attempt::log_in(config, &self.route.place, &self.route, self.encryption).await
    }

    async fn session(self: &Arc<Self>, login: Login) -> AdminConn {
        AdminConn::start(login, Arc::clone(self)).await
    }
}

/// The process that answers now.
async fn process_of(session: &AdminConn, pooled: bool) -> Result<i32, ConnectError> {
    let place = session.place();
    let asked = session.batch("SELECT pg_catalog.pg_backend_pid()");
    let answer = if pooled { tokio::time::timeout(PATIENCE, asked).await } else { Ok(asked.await) };
    let Ok(answer) = answer else {
        let reason =
            format!("a pooler stands before the server and had no session of it within {} s", PATIENCE.as_secs());
        return Err(ConnectError::new(ConnectErrorKind::PoolerFull, place, reason));
    };
    let outcome = answer.map_err(|error| failed(place, &error))?;
    let process = outcome.value(0, 0).and_then(|text| text.parse().ok());
    process.ok_or_else(|| ConnectError::new(ConnectErrorKind::Other, place, "the server names no process".to_owned()))
}

fn failed(place: &Place, error: &BatchError) -> ConnectError {
    match error.sql_error() {
        Some(sql) => classify::server(place, sql.clone()),
        None => ConnectError::new(ConnectErrorKind::Other, place, error.to_string()),
    }
}

/// PgBouncer takes no `options`, or only those that it knows, unless it is told to ignore them.
fn refuses_options(error: &ConnectError) -> bool {
    let refused = |sql: &SqlError| {
        sql.sqlstate == sqlstate::PROTOCOL_VIOLATION && sql.message.contains("unsupported startup parameter")
    };
    error.sql_error().is_some_and(refused)
}
