//! Several messages that are on their way at once, and their answers one by one.

use std::collections::VecDeque;
use std::pin::Pin;

use futures_util::{FutureExt as _, StreamExt as _};
use tokio_postgres::{Client, SimpleQueryMessage, SimpleQueryStream};

use super::batch::{BatchError, BatchFailure, BatchOutcome, StatementOutcome};
use super::driver::Shared;
use super::{Abandoned, AdminConn};
use crate::connect::full_text;
use crate::sql_error::SqlError;

/// Messages that were sent without waiting for an answer in between: one round trip, while the server answers each
/// when it is done with it.
///
/// Dropping it before its end leaves the server at work, as dropping a batch does.
#[must_use = "answers have to be read"]
pub struct Flight<'a> {
    conn: &'a AdminConn,
    answers: VecDeque<Pin<Box<SimpleQueryStream>>>,
    /// What has come of the first of them.
    done: Vec<StatementOutcome>,
    current: StatementOutcome,
    /// How many messages were answered.
    answered: usize,
    abandoned: Option<Abandoned<'a>>,
}

impl<'a> Flight<'a> {
    pub(super) fn start(conn: &'a AdminConn, messages: &[&str]) -> Result<Self, BatchError> {
        let abandoned = Abandoned { flag: &conn.abandoned, done: false };
        match send(&conn.client, &conn.shared, messages) {
            Ok(answers) => Ok(Self {
                conn,
                answers,
                done: Vec::new(),
                current: StatementOutcome::default(),
                answered: 0,
                abandoned: Some(abandoned),
            }),
            Err(failure) => {
                abandoned.done();
                Err(BatchError { message: 0, completed: Vec::new(), failure })
            }
        }
    }

    /// The outcome of the next message, waiting for it; `None` after the last one. Cancelling the call loses nothing.
    ///
    /// # Errors
    /// The message failed; it is the last one that is told of. What becomes of those behind it depends on the
    /// transaction: inside of one the server refuses them all.
    pub async fn next(&mut self) -> Option<Result<BatchOutcome, BatchError>> {
        let answer = self.answers.front_mut()?;
        let ended = loop {
            let next = {
                let _waiting = self.conn.shared.waits();
                answer.next().await
            };
            match next {
                Some(Ok(SimpleQueryMessage::RowDescription(columns))) => {
                    self.current.columns = columns.iter().map(|column| column.name().to_owned()).collect();
                }
                Some(Ok(SimpleQueryMessage::Row(row))) => {
                    self.current.rows.push((0..row.len()).map(|at| row.get(at).map(str::to_owned)).collect());
                }
                Some(Ok(SimpleQueryMessage::CommandComplete(count))) => {
                    self.current.rows_affected = count;
                    self.done.push(std::mem::take(&mut self.current));
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => break Some(failure(&self.conn.client, &self.conn.shared, &error)),
                None => break None,
            }
        };
        let statements = std::mem::take(&mut self.done);
        let Some(failure) = ended else {
            self.answers.pop_front();
            self.answered += 1;
            if self.answers.is_empty() {
                self.over();
            }
            return Some(Ok(BatchOutcome { statements }));
        };
        if matches!(failure, BatchFailure::Protocol(_)) {
            self.conn.shared.break_off();
        }
        self.answers.clear();
        self.over();
        Some(Err(BatchError { message: self.answered, completed: statements, failure }))
    }

    fn over(&mut self) {
        if let Some(abandoned) = self.abandoned.take() {
            abandoned.done();
        }
    }
}

impl std::fmt::Debug for Flight<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Flight").field("answered", &self.answered).field("left", &self.answers.len()).finish()
    }
}

/// Hands all messages to the driver before it may send the first: they leave in one piece.
fn send(
    client: &Client,
    shared: &Shared,
    messages: &[&str],
) -> Result<VecDeque<Pin<Box<SimpleQueryStream>>>, BatchFailure> {
    if messages.iter().any(|message| message.contains('\0')) {
        let reason = "the SQL holds a NUL character, which PostgreSQL cannot take; remove it from the file";
        return Err(BatchFailure::Unsendable(reason.to_owned()));
    }
    let _held = (messages.len() > 1).then(|| shared.hold_back());
    let send = |message: &&str| match client.simple_query_raw(message).now_or_never() {
        Some(Ok(answer)) => Ok(Box::pin(answer)),
        Some(Err(error)) => Err(failure(client, shared, &error)),
        // The driver queues and does not wait.
        None => Err(BatchFailure::Unsendable("the driver did not take the message".to_owned())),
    };
    messages.iter().map(send).collect()
}

/// The server spoke of something that no query of this kind has; the driver has no other name for it.
fn is_unexpected(error: &tokio_postgres::Error) -> bool {
    error.to_string() == "unexpected message from server"
}

fn failure(client: &Client, shared: &Shared, error: &tokio_postgres::Error) -> BatchFailure {
    match SqlError::from_driver(error) {
        Some(error) => BatchFailure::Sql(Box::new(error)),
        // The driver ends the session over such an answer, sooner or later than this is asked.
        None if !is_unexpected(error) && (error.is_closed() || client.is_closed()) => {
            BatchFailure::ConnectionLost(shared.given_up().unwrap_or_else(|| full_text(error)))
        }
        None => BatchFailure::Protocol(format!(
            "the server answered with something a batch cannot handle; COPY FROM STDIN and COPY TO STDOUT are not possible here ({})",
            full_text(error)
        )),
    }
}
