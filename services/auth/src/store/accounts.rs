//! Accounts and their passwords.

use std::net::IpAddr;

use kernel::UserId;
use postgres_link::tenant::{Row, TenantTx, TxError};
use uuid::Uuid;

use crate::model::Candidate;
use crate::rules::limits::{LOGIN_ACCOUNT, LOGIN_ADDRESS, LOGIN_KNOWN};

/// Whoever signs in from a known address takes from their own bucket; others from that of the address, and then of the account.
const LOOK_UP: &str = "\
    WITH account AS (
        SELECT u.id, u.password_hash, u.is_active, u.is_verified, EXISTS (
            SELECT FROM auth.sign_in_events e
            WHERE e.user_id = u.id AND e.address = $2 AND e.outcome IN ('signed_in', 'password_reset')
        ) AS is_known
        FROM auth.users u WHERE lower(u.email) = lower($1)
    ), admitted AS (
        SELECT CASE WHEN (SELECT is_known FROM account) THEN auth.admit($3, $4, $5)
            ELSE coalesce(auth.admit($6, $7, $8), auth.admit($9, $10, $11)) END AS wait_s
    )
    SELECT wait_s, id, password_hash, is_active, is_verified, is_known FROM admitted LEFT JOIN account ON true";

/// The buckets of one attempt to sign in.
#[derive(Debug, Clone)]
pub(crate) struct Buckets {
    known: String,
    address: String,
    account: String,
}

impl Buckets {
    pub(crate) fn of(email: &str, address: IpAddr) -> Self {
        let address_bucket = LOGIN_ADDRESS.of_address(address);
        Self {
            known: LOGIN_KNOWN.of(&format!("{email} {address_bucket}")),
            address: address_bucket,
            account: LOGIN_ACCOUNT.of(email),
        }
    }

    /// Those that an attempt took from, with the seconds after which each gets one back.
    pub(crate) fn taken(&self, is_known: bool) -> Vec<(&str, f64)> {
        if is_known {
            return vec![(&self.known, LOGIN_KNOWN.every_s)];
        }
        vec![(&self.address, LOGIN_ADDRESS.every_s), (&self.account, LOGIN_ACCOUNT.every_s)]
    }
}

/// What a look-up came to.
pub(crate) enum LookedUp {
    /// Too many attempts: seconds until the next one.
    Limited(f64),
    /// Nobody has this address.
    Nobody,
    Somebody(Candidate),
}

/// Takes from the buckets, and looks who has this address: one statement, so that an unknown address costs what a known one does.
pub(crate) async fn look_up(
    tx: TenantTx,
    email: &str,
    address: IpAddr,
    buckets: &Buckets,
) -> Result<LookedUp, TxError> {
    let parameters: &[&(dyn postgres_link::tenant::types::ToSql + Sync)] = &[
        &email,
        &address,
        &buckets.known,
        &LOGIN_KNOWN.burst,
        &LOGIN_KNOWN.every_s,
        &buckets.address,
        &LOGIN_ADDRESS.burst,
        &LOGIN_ADDRESS.every_s,
        &buckets.account,
        &LOGIN_ACCOUNT.burst,
        &LOGIN_ACCOUNT.every_s,
    ];
    let row = tx.last().query_one(LOOK_UP, parameters).await?;
    if let Some(wait_s) = row.get("wait_s") {
        return Ok(LookedUp::Limited(wait_s));
    }
    Ok(row.get::<_, Option<Uuid>>("id").map_or(LookedUp::Nobody, |id| LookedUp::Somebody(candidate(&row, id))))
}

fn candidate(row: &Row, id: Uuid) -> Candidate {
    Candidate {
        user: UserId::new(id),
        password_hash: row.get("password_hash"),
        is_active: row.get("is_active"),
        is_verified: row.get("is_verified"),
        is_known_here: row.get("is_known"),
    }
}

/// Address, hash and name's owner of an account that is signed in.
pub(crate) async fn password(tx: &mut TenantTx, user: UserId) -> Result<Option<(String, String)>, TxError> {
    let sql = "SELECT email, password_hash FROM auth.users WHERE id = $1 AND is_active";
    Ok(tx.query_opt(sql, &[&user.uuid()]).await?.map(|row| (row.get(0), row.get(1))))
}

/// Address of an account that is not blocked.
pub(crate) async fn email(tx: &mut TenantTx, user: UserId) -> Result<Option<String>, TxError> {
    let sql = "SELECT email FROM auth.users WHERE id = $1 AND is_active";
    Ok(tx.query_opt(sql, &[&user.uuid()]).await?.map(|row| row.get(0)))
}

/// An account that is not blocked, by its address: who, how they wrote it, and whether it is theirs.
pub(crate) async fn by_email(tx: &mut TenantTx, email: &str) -> Result<Option<(UserId, String, bool)>, TxError> {
    let sql = "SELECT id, email, is_verified FROM auth.users WHERE lower(email) = lower($1) AND is_active";
    let found = tx.query_opt(sql, &[&email]).await?;
    Ok(found.map(|row| (UserId::new(row.get(0)), row.get(1), row.get(2))))
}

/// Makes an account; `None` where the address has one.
pub(crate) async fn create(tx: &mut TenantTx, email: &str, password_hash: &str) -> Result<Option<UserId>, TxError> {
    let sql = "INSERT INTO auth.users (email, password_hash) VALUES ($1, $2) ON CONFLICT (lower(email)) DO NOTHING RETURNING id";
    Ok(tx.query_opt(sql, &[&email, &password_hash]).await?.map(|row| UserId::new(row.get(0))))
}

/// Keeps another hash, while the account still has the one that was looked at.
pub(crate) async fn set_password(
    tx: &mut TenantTx,
    user: UserId,
    password_hash: &str,
    instead_of: Option<&str>,
) -> Result<bool, TxError> {
    let sql = "UPDATE auth.users SET password_hash = $2 WHERE id = $1 AND ($3::text IS NULL OR password_hash = $3)";
    Ok(tx.execute(sql, &[&user.uuid(), &password_hash, &instead_of]).await? > 0)
}

/// The address is theirs.
pub(crate) async fn set_verified(tx: &mut TenantTx, user: UserId) -> Result<(), TxError> {
    let sql = "UPDATE auth.users SET is_verified = true WHERE id = $1 AND NOT is_verified";
    tx.execute(sql, &[&user.uuid()]).await.map(drop)
}
