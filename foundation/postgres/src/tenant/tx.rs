//! One transaction of one request.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::error::TxError;
use super::identity::Identity;
use super::pool::{Lease, Left, Shared};
use super::session::{Answer, Head};
use super::settings::Access;

type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];

/// A transaction as one caller. Stores are functions on it: `async fn find(tx: &mut TenantTx, id: UserId) -> …`.
///
/// It begins with its first statement and is kept by [`commit`](Self::commit), or together with its last statement
/// ([`last`](Self::last)). Dropped before that – also by a panic, a timeout or a request that went away – nothing of it is kept.
/// After a statement that failed or was given up, every further one is refused.
pub struct TenantTx {
    shared: Arc<Shared>,
    identity: Identity,
    access: Access,
    statement_timeout: Duration,
    /// Nothing was sent before it is there.
    lease: Option<Lease>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing was sent.
    New,
    /// The server is in the transaction.
    Open,
    /// Nothing more can be done in it: a statement failed, or nobody waited for its answer.
    Ended,
}

impl TenantTx {
    pub(super) fn new(shared: Arc<Shared>, identity: Identity, access: Access) -> Self {
        let statement_timeout = shared.settings.statement_timeout;
        Self { shared, identity, access, statement_timeout, lease: None, state: State::New }
    }

    /// Gives each statement of this transaction another limit than the pool's; to be called before the first one.
    #[must_use]
    pub fn with_statement_timeout(mut self, limit: Duration) -> Self {
        self.statement_timeout = limit;
        self
    }

    /// All rows.
    ///
    /// # Errors
    /// See [`TxError`]; the transaction is over then.
    pub async fn query(&mut self, sql: &'static str, parameters: Parameters<'_>) -> Result<Vec<Row>, TxError> {
        self.run(sql, parameters, false).await.map(|(rows, _)| rows)
    }

    /// The row, where there is one.
    ///
    /// # Errors
    /// See [`TxError`]; more than one row is a [`TxError::Driver`].
    pub async fn query_opt(&mut self, sql: &'static str, parameters: Parameters<'_>) -> Result<Option<Row>, TxError> {
        at_most_one(self.run(sql, parameters, false).await?)
    }

    /// The row that there has to be.
    ///
    /// # Errors
    /// [`TxError::NotFound`] where there is none, which leaves the transaction open; otherwise as
    /// [`query_opt`](Self::query_opt).
    pub async fn query_one(&mut self, sql: &'static str, parameters: Parameters<'_>) -> Result<Row, TxError> {
        self.query_opt(sql, parameters).await?.ok_or(TxError::NotFound)
    }

    /// How many rows were written.
    ///
    /// # Errors
    /// See [`TxError`]; the transaction is over then.
    pub async fn execute(&mut self, sql: &'static str, parameters: Parameters<'_>) -> Result<u64, TxError> {
        self.run(sql, parameters, false).await.map(|(_, affected)| affected)
    }

    /// Writes at least one row: a policy that hides a row from an UPDATE or DELETE does so without a word.
    ///
    /// # Errors
    /// [`TxError::NotFound`] where none was, which leaves the transaction open; otherwise see [`TxError`].
    pub async fn execute_some(&mut self, sql: &'static str, parameters: Parameters<'_>) -> Result<u64, TxError> {
        at_least_one(self.execute(sql, parameters).await?)
    }

    /// For the last statement, which takes the COMMIT along.
    pub fn last(self) -> Last {
        Last(self)
    }

    /// Keeps what was done. Without any statement there is nothing to do.
    ///
    /// # Errors
    /// Nothing was kept, also where an earlier statement failed and its error was not passed on ([`TxError::Ended`]); only with
    /// [`TxError::Unknown`] this is not certain.
    pub async fn commit(mut self) -> Result<(), TxError> {
        if self.state == State::New {
            return Ok(());
        }
        let (State::Open, Some(lease)) = (self.state, &mut self.lease) else { return Err(TxError::Ended) };
        lease.left = Left::AtWork;
        let ended = lease.session()?.commit().await;
        lease.left = if ended.is_ok() { Left::InOrder } else { Left::InTransaction };
        ended.map_err(|error| if self.access == Access::Write { error.during_commit() } else { error })
    }

    async fn run(&mut self, sql: &'static str, parameters: Parameters<'_>, commit: bool) -> Result<Answer, TxError> {
        if self.state == State::Ended {
            return Err(TxError::Ended);
        }
        if self.lease.is_none() {
            self.lease = Some(self.shared.lease().await?);
        }
        let Some(lease) = &mut self.lease else { return Err(TxError::Ended) };
        let head = Head {
            access: self.access,
            identity: &self.identity,
            role: self.identity.role(&self.shared.settings.role),
            statement_timeout: self.statement_timeout,
        };
        let mut head = (self.state == State::New).then_some(&head);
        // So it stays where the caller does not wait for the answer.
        self.state = State::Ended;
        lease.left = Left::AtWork;
        match lease.session()?.prepare(sql, head).await {
            Ok(true) => head = None,
            Ok(false) => {}
            Err(error) => {
                lease.left = Left::InTransaction;
                return Err(error);
            }
        }
        let (answer, ended) = lease.session()?.run(sql, parameters, head, commit).await;
        // A COMMIT that was answered ends whatever there was; of one that was refused nobody knows.
        lease.left = if commit && ended.is_ok() { Left::InOrder } else { Left::InTransaction };
        let in_doubt =
            |error: TxError| if commit && self.access == Access::Write { error.during_commit() } else { error };
        let answer = answer.map_err(in_doubt)?;
        ended.map_err(in_doubt)?;
        if !commit {
            self.state = State::Open;
        }
        Ok(answer)
    }
}

impl fmt::Debug for TenantTx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantTx")
            .field("access", &self.access)
            .field("begun", &self.lease.is_some())
            .field("ended", &(self.state == State::Ended))
            .finish_non_exhaustive()
    }
}

/// The last statement of a transaction: it and the COMMIT are sent together, so a request of one statement is one round
/// trip. The rows come when the COMMIT has been answered.
#[derive(Debug)]
pub struct Last(TenantTx);

impl Last {
    /// All rows.
    ///
    /// # Errors
    /// See [`TxError`].
    pub async fn query(mut self, sql: &'static str, parameters: Parameters<'_>) -> Result<Vec<Row>, TxError> {
        self.0.run(sql, parameters, true).await.map(|(rows, _)| rows)
    }

    /// The row, where there is one.
    ///
    /// # Errors
    /// See [`TxError`]; more than one row is a [`TxError::Driver`], and what was done is kept.
    pub async fn query_opt(mut self, sql: &'static str, parameters: Parameters<'_>) -> Result<Option<Row>, TxError> {
        at_most_one(self.0.run(sql, parameters, true).await?)
    }

    /// The row that there has to be.
    ///
    /// # Errors
    /// [`TxError::NotFound`] where there is none; what the transaction did before is kept all the same. Otherwise as
    /// [`query_opt`](Self::query_opt).
    pub async fn query_one(self, sql: &'static str, parameters: Parameters<'_>) -> Result<Row, TxError> {
        self.query_opt(sql, parameters).await?.ok_or(TxError::NotFound)
    }

    /// How many rows were written.
    ///
    /// # Errors
    /// See [`TxError`].
    pub async fn execute(mut self, sql: &'static str, parameters: Parameters<'_>) -> Result<u64, TxError> {
        self.0.run(sql, parameters, true).await.map(|(_, affected)| affected)
    }

    /// Writes at least one row.
    ///
    /// # Errors
    /// [`TxError::NotFound`] where none was; what the transaction did before is kept all the same. Otherwise see [`TxError`].
    pub async fn execute_some(self, sql: &'static str, parameters: Parameters<'_>) -> Result<u64, TxError> {
        at_least_one(self.execute(sql, parameters).await?)
    }
}

fn at_most_one((mut rows, _): Answer) -> Result<Option<Row>, TxError> {
    if rows.len() > 1 {
        return Err(TxError::Driver(format!("{} rows came where one was asked for", rows.len())));
    }
    Ok(rows.pop())
}

fn at_least_one(affected: u64) -> Result<u64, TxError> {
    if affected == 0 { Err(TxError::NotFound) } else { Ok(affected) }
}
