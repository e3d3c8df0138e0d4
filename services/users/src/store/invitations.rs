//! Invitations: who is to be written to, and who has accepted. The row of a member is its own outbox.

use std::time::Duration;

use postgres_link::tenant::{TenantTx, TxError};
use uuid::Uuid;

use super::manage::word;
use crate::model::Outcome;

/// An invitation that is to be mailed.
#[derive(Debug)]
pub(crate) struct Due {
    pub(crate) member: Uuid,
    pub(crate) email: String,
    pub(crate) name: String,
    pub(crate) organization: String,
    /// What they have chosen, else the school's.
    pub(crate) language: Option<String>,
    /// This time included.
    pub(crate) attempts: i32,
}

/// Takes the one that is due longest, keeps it from other copies for `lease`, and gives it this token; those that were mailed
/// before are void.
pub(crate) async fn take(tx: TenantTx, lease: Duration, hash: &str, life: Duration) -> Result<Option<Due>, TxError> {
    let sql = "UPDATE users.members m SET letter_due_at = now() + make_interval(secs => $1), letter_attempts = m.letter_attempts + 1, \
                   invitation_token = $2, invitation_expires_at = now() + make_interval(secs => $3) \
               FROM (SELECT id FROM users.members WHERE letter_due_at <= now() ORDER BY letter_due_at \
                     FOR UPDATE SKIP LOCKED LIMIT 1) AS due \
               WHERE m.id = due.id \
               RETURNING m.id, m.email, m.first_name || ' ' || m.last_name AS name, m.letter_attempts, \
                   (SELECT school.name FROM organizations.admission(m.organization_id) school) AS organization, \
                   coalesce((SELECT p.language FROM users.user_preferences p WHERE p.user_id = m.user_id), \
                            organizations.language(m.organization_id)) AS language";
    let taken = tx.last().query_opt(sql, &[&lease.as_secs_f64(), &hash, &life.as_secs_f64()]).await?;
    Ok(taken.map(|row| Due {
        member: row.get("id"),
        email: row.get("email"),
        name: row.get("name"),
        organization: row.get::<_, Option<String>>("organization").unwrap_or_default(),
        language: row.get("language"),
        attempts: row.get("letter_attempts"),
    }))
}

/// It was mailed, or never will be: unless somebody has asked for another one meanwhile.
pub(crate) async fn over(tx: TenantTx, member: Uuid, attempts: i32) -> Result<(), TxError> {
    let sql = "UPDATE users.members SET letter_due_at = NULL WHERE id = $1 AND letter_attempts = $2";
    tx.last().execute(sql, &[&member, &attempts]).await.map(drop)
}

/// It failed, and is tried again after `pause`.
pub(crate) async fn put_off(tx: TenantTx, member: Uuid, attempts: i32, pause: Duration) -> Result<(), TxError> {
    let sql = "UPDATE users.members SET letter_due_at = now() + make_interval(secs => $3) WHERE id = $1 AND letter_attempts = $2";
    tx.last().execute(sql, &[&member, &attempts, &pause.as_secs_f64()]).await.map(drop)
}

/// What came of accepting.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) email: String,
    pub(crate) organization_id: Uuid,
    pub(crate) must_choose_password: bool,
}

/// Uses a token up; `None` where it is not good. `reset_hash` is of the token by which a password may then be chosen.
pub(crate) async fn accept(tx: TenantTx, hash: &str, reset_hash: &str) -> Result<Option<Accepted>, TxError> {
    let sql = "SELECT address, school, must_choose_password FROM users.accept_invitation($1, $2)";
    let row = tx.last().query_opt(sql, &[&hash, &reset_hash]).await?;
    Ok(row.map(|row| Accepted { email: row.get(0), organization_id: row.get(1), must_choose_password: row.get(2) }))
}

/// Mails it again.
pub(crate) async fn call_again(tx: &mut TenantTx, person: Uuid) -> Result<Outcome, TxError> {
    word(tx, "SELECT users.call_again($1)", &[&person]).await
}

/// Takes back what was offered.
pub(crate) async fn withdraw(tx: &mut TenantTx, person: Uuid) -> Result<Outcome, TxError> {
    word(tx, "SELECT users.withdraw_invitation($1)", &[&person]).await
}
