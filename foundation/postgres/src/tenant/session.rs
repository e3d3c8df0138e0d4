//! One session of the pool, with the statements that it has prepared.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use futures_util::future::{join, join4, ready};
use futures_util::{FutureExt as _, TryStreamExt as _};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Row, Statement};

use super::error::TxError;
use super::identity::Identity;
use super::settings::{Access, PoolSettings, millis};
use crate::{AdminConn, ConnectError, ConnectOptions, connect, sqlstate};

/// A statement of a transaction's head says all that the transaction relies on: nothing that a session was told before counts.
const BEGIN_READ: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY";
const BEGIN_WRITE: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";
/// One statement for role, claims and limit, each for the transaction only.
const IDENTITY: &str = "SELECT set_config('role', $1, true), set_config('request.jwt.claims', $2, true), \
                        set_config('statement_timeout', $3, true)";

/// Rows, and the number in the command's tag.
pub(super) type Answer = (Vec<Row>, u64);

/// An open session. Everything but the head and the end of a transaction is prepared when it is first used.
pub(super) struct Session {
    conn: AdminConn,
    begin_read: Statement,
    begin_write: Statement,
    identity: Statement,
    commit: Statement,
    prepared: HashMap<&'static str, Statement>,
    opened: Instant,
    /// It holds statements that the server no longer takes.
    stale: bool,
}

/// The beginning of a transaction, as it is sent.
pub(super) struct Head<'a> {
    pub(super) access: Access,
    pub(super) identity: &'a Identity,
    pub(super) role: &'a str,
    pub(super) statement_timeout: Duration,
}

impl Session {
    pub(super) async fn open(options: &ConnectOptions, settings: &PoolSettings) -> Result<Self, TxError> {
        // The role of signed-in users from the first moment, and the one that RESET ROLE leads back to.
        let options = options
            .clone()
            .with_option("role", &settings.role)
            .with_option("search_path", "pg_catalog")
            .with_option("statement_timeout", &millis(settings.statement_timeout))
            .with_option("idle_in_transaction_session_timeout", &millis(settings.idle_in_transaction_timeout));
        let conn = connect(&options).await?;
        let client = conn.client();
        let (begin_read, begin_write, identity, commit) = join4(
            client.prepare(BEGIN_READ),
            client.prepare(BEGIN_WRITE),
            client.prepare(IDENTITY),
            client.prepare("COMMIT"),
        )
        .await;
        let (begin_read, begin_write, identity, commit) = (begin_read?, begin_write?, identity?, commit?);
        // A statement counts as prepared a moment before its last message is there; behind this one nothing is on its way.
        client.batch_execute("").await?;
        conn.merge_syncs();
        Ok(Self {
            begin_read,
            begin_write,
            identity,
            commit,
            conn,
            prepared: HashMap::new(),
            opened: Instant::now(),
            stale: false,
        })
    }

    /// Whether the next transaction may have it.
    pub(super) fn is_usable(&self, lifetime: Duration) -> bool {
        !self.stale && !self.conn.is_closed() && self.opened.elapsed() < lifetime
    }

    /// Prepares a statement if that was not done before, behind the head where one is to be sent; tells whether it was sent.
    ///
    /// It is done inside of the transaction, as its role: the server plans for the role that uses the plan.
    pub(super) async fn prepare(&mut self, sql: &'static str, head: Option<&Head<'_>>) -> Result<bool, TxError> {
        if self.prepared.contains_key(sql) {
            return Ok(false);
        }
        let (begun, statement) = join(self.send_head(head), self.conn.client().prepare(sql)).await;
        let statement = begun.and(statement.map_err(TxError::from)).map_err(|error| self.judge(error))?;
        self.prepared.insert(sql, statement);
        Ok(true)
    }

    /// Of an error that says that the session's statements no longer hold, the next transaction is to hear nothing: the server
    /// has made them again and found other columns, or has none of that name any more.
    fn judge(&mut self, error: TxError) -> TxError {
        let stale = matches!(&error, TxError::Sql(error)
            if error.routine.as_deref() == Some("RevalidateCachedQuery") || error.sqlstate == sqlstate::INVALID_SQL_STATEMENT_NAME);
        self.stale |= stale;
        if stale { TxError::Again } else { error }
    }

    /// Head, statement and COMMIT as wanted, without waiting for an answer in between. The outcome of the COMMIT comes second,
    /// for it is known apart from what became of the statement.
    pub(super) async fn run(
        &mut self,
        sql: &'static str,
        parameters: &[&(dyn ToSql + Sync)],
        head: Option<&Head<'_>>,
        commit: bool,
    ) -> (Result<Answer, TxError>, Result<(), TxError>) {
        let Some(statement) = self.prepared.get(sql) else {
            let unprepared = TxError::Driver("the statement was not prepared".to_owned());
            return (Err(unprepared), Err(TxError::Ended));
        };
        let answer = async {
            let rows = self.conn.client().query_raw(statement, parameters.iter().copied()).await?;
            let mut rows = std::pin::pin!(rows);
            let mut all = Vec::new();
            while let Some(row) = rows.try_next().await? {
                all.push(row);
            }
            let affected = rows.rows_affected().unwrap_or(0);
            Ok::<_, TxError>((all, affected))
        };
        let end = if commit { self.commit().left_future() } else { ready(Ok(())).right_future() };
        // They are polled, and so sent, in this order.
        let (begun, (answer, ended)) = join(self.send_head(head), join(answer, end)).await;
        let answer = begun.and(answer).map_err(|error| self.judge(error));
        (answer, ended)
    }

    /// Ends the transaction.
    pub(super) async fn commit(&self) -> Result<(), TxError> {
        self.conn.client().execute(&self.commit, &[]).await?;
        Ok(())
    }

    /// Ends whatever transaction there is. What still runs is cancelled where `running`; true where both is certain.
    pub(super) async fn clean(&self, running: bool) -> bool {
        if running {
            // It comes back when the server has passed it on, so that it cannot hit what is sent from here on. Where it fails, the
            // ROLLBACK waits for the statement, and the caller for neither.
            let _ = self.conn.cancel().await;
        }
        self.conn.batch("ROLLBACK").await.is_ok()
    }

    async fn send_head(&self, head: Option<&Head<'_>>) -> Result<(), TxError> {
        let Some(head) = head else { return Ok(()) };
        let client = self.conn.client();
        let begin = match head.access {
            Access::Read => &self.begin_read,
            Access::Write => &self.begin_write,
        };
        let limit = millis(head.statement_timeout);
        let identity: [&(dyn ToSql + Sync); 3] = [&head.role, &head.identity.claims(), &limit];
        let (begun, set) = join(client.execute(begin, &[]), client.execute(&self.identity, &identity)).await;
        begun.and(set)?;
        Ok(())
    }
}

impl From<ConnectError> for TxError {
    fn from(error: ConnectError) -> Self {
        Self::Unreachable(Box::new(error))
    }
}
