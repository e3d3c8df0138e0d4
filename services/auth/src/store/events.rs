//! The audit of sign-ins.

use kernel::{SessionId, UserId};
use postgres_link::tenant::{TenantTx, TxError};

use crate::model::{Origin, Outcome};

const NOTE: &str = "\
    INSERT INTO auth.sign_in_events (user_id, session_id, outcome, address, user_agent) VALUES ($1, $2, $3, $4, $5)";

/// Writes down what happened.
pub(crate) async fn note(
    tx: &mut TenantTx,
    user: Option<UserId>,
    session: Option<SessionId>,
    outcome: Outcome,
    origin: &Origin,
) -> Result<(), TxError> {
    let (user, session) = (user.map(UserId::uuid), session.map(SessionId::uuid));
    let parameters: &[&(dyn postgres_link::tenant::types::ToSql + Sync)] =
        &[&user, &session, &outcome.as_str(), &origin.address, &origin.user_agent];
    tx.execute(NOTE, parameters).await.map(drop)
}

/// As [`note`], as the last thing of a transaction.
pub(crate) async fn note_last(
    tx: TenantTx,
    user: Option<UserId>,
    session: Option<SessionId>,
    outcome: Outcome,
    origin: &Origin,
) -> Result<(), TxError> {
    let (user, session) = (user.map(UserId::uuid), session.map(SessionId::uuid));
    let parameters: &[&(dyn postgres_link::tenant::types::ToSql + Sync)] =
        &[&user, &session, &outcome.as_str(), &origin.address, &origin.user_agent];
    tx.last().execute(NOTE, parameters).await.map(drop)
}
