//! What signing in reads and writes: one statement each, for every round trip more is waited for by who signs in.

use kernel::{AppRole, OrganizationId, SessionId, UserId};
use postgres_link::tenant::{Row, TenantTx, TxError};
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::accounts::Buckets;
use super::{people, sessions};
use crate::errands::kind;
use crate::model::{Acting, Candidate, Origin, Outcome, Person};
use crate::settings::Lifetimes;
use crate::tokens::RefreshToken;

const READ: &str = "\
    SELECT w.first_name, w.last_name, w.language, w.memberships, s.organization_id, s.role
    FROM users.who_signs_in($1) w
    LEFT JOIN LATERAL (
        SELECT organization_id, role FROM auth.sessions WHERE user_id = $1 ORDER BY created_at DESC LIMIT 1
    ) s ON true";

/// The account is looked at once more, and kept as it is until the session stands: FOR SHARE waits for who is blocking it or changing
/// its password, and lets nobody do either before the commit, so that whoever does then finds this session and ends it.
const BEGIN: &str = "\
    WITH account AS MATERIALIZED (
        SELECT u.id FROM auth.users u
        WHERE u.id = $2 AND u.password_hash = $3 AND u.is_active AND u.is_verified
        FOR SHARE
    ), admitted AS MATERIALIZED (
        SELECT a.id FROM account a
        WHERE $7::text IS NULL OR EXISTS (
            SELECT FROM users.who_signs_in($2) w, jsonb_to_recordset(w.memberships) AS held (\"organizationId\" uuid, role text)
            WHERE held.\"organizationId\" IS NOT DISTINCT FROM $6 AND held.role = $7
        )
    ), session AS (
        INSERT INTO auth.sessions
            (id, user_id, token, refresh_token, refreshed_at, organization_id, role, address, user_agent, ends_at, expires_at)
        SELECT $1, a.id, $4, $5, now(), $6, $7, $8, $9, now() + make_interval(secs => $10),
            now() + make_interval(secs => least($10, $11::float8))
        FROM admitted a
    ), noted AS (
        INSERT INTO auth.sign_in_events (user_id, session_id, outcome, address, user_agent)
        SELECT a.id, $1, $12, $8, $9 FROM admitted a
    ), told AS (
        INSERT INTO auth.errands (kind, details) SELECT $13, $14 FROM admitted a WHERE $14::jsonb IS NOT NULL
    )
    SELECT auth.give_back(b.bucket, b.every_s) FROM admitted, unnest($15::text[], $16::float8[]) AS b (bucket, every_s)";

/// What a sign-in comes to.
pub(crate) struct SignIn<'a> {
    pub(crate) session: SessionId,
    /// As it was looked up; `password_hash` is the one that the account must still have.
    pub(crate) candidate: &'a Candidate,
    pub(crate) token: &'a RefreshToken,
    pub(crate) acting: Acting,
    pub(crate) origin: &'a Origin,
    pub(crate) lifetimes: &'a Lifetimes,
    /// What the attempt took is put back: it was none in vain.
    pub(crate) buckets: &'a Buckets,
}

/// Who somebody is, and in which organization and as what they acted last. Of an id that nobody has: nobody.
pub(crate) async fn read(tx: TenantTx, user: UserId) -> Result<(Person, Acting), TxError> {
    let row = tx.last().query_opt(READ, &[&user.uuid()]).await?;
    let read = |row: &Row| (people::person(row), sessions::acting(row.get("organization_id"), row.get("role")));
    Ok(row.as_ref().map(read).unwrap_or_default())
}

/// Begins the session, notes it, has a letter written where the address is new, and puts back what the attempt took, as the last thing
/// of a transaction. False where the account or the role is not what it was a moment ago: then nothing was done.
pub(crate) async fn begin(tx: TenantTx, sign_in: &SignIn<'_>) -> Result<bool, TxError> {
    let SignIn { session, candidate, token, acting, origin, lifetimes, buckets } = sign_in;
    let (family, secret) = (token.family_hash(), token.secret_hash());
    let letter = (!candidate.is_known_here).then(|| letter(candidate.user, origin));
    let (taken, every_s): (Vec<_>, Vec<_>) = buckets.taken(candidate.is_known_here).into_iter().unzip();
    let parameters: &[&(dyn postgres_link::tenant::types::ToSql + Sync)] = &[
        &session.uuid(),
        &candidate.user.uuid(),
        &candidate.password_hash,
        &family,
        &secret,
        &acting.organization.map(OrganizationId::uuid),
        &acting.role.map(AppRole::as_str),
        &origin.address,
        &origin.user_agent,
        &lifetimes.absolute.as_secs_f64(),
        &lifetimes.idle.as_secs_f64(),
        &Outcome::SignedIn.as_str(),
        &kind::NEW_SIGN_IN,
        &letter,
        &taken,
        &every_s,
    ];
    Ok(!tx.last().query(BEGIN, parameters).await?.is_empty())
}

fn letter(user: UserId, origin: &Origin) -> Value {
    let at = OffsetDateTime::now_utc().unix_timestamp();
    json!({ "userId": user, "at": at, "address": origin.address, "userAgent": origin.user_agent })
}
