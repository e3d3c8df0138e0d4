//! API tokens: how they look, how they are kept, how one is recognised.
//!
//! A token is `profe_<id>_<secret>`: eight characters that name it and 32 random bytes in base64url. Kept is the
//! SHA-256 of the secret; with 256 random bits a slow hash would protect nothing.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kernel::Secret;
use postgres_link::tokio_postgres::Row;
use postgres_link::tokio_postgres::types::Type;
use serde::Serialize;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use super::{Master, MasterError};

const PREFIX: &str = "profe_";
const ID_LENGTH: usize = 8;

/// What is known of a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenRecord {
    /// The part of the token that names it.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// To which services; `None` is all.
    pub services: Option<Vec<String>>,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// By whom.
    pub created_by: String,
    /// From when on it is refused.
    #[serde(with = "time::serde::rfc3339::option")]
    pub expires_at: Option<OffsetDateTime>,
    /// When it was last accepted, to the minute.
    #[serde(with = "time::serde::rfc3339::option")]
    pub last_used_at: Option<OffsetDateTime>,
    /// When it was taken back.
    #[serde(with = "time::serde::rfc3339::option")]
    pub revoked_at: Option<OffsetDateTime>,
}

/// A token to be made.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// What people call it.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// To which services; `None` is all.
    pub services: Option<Vec<String>>,
    /// From when on it is refused.
    pub expires_at: Option<OffsetDateTime>,
    /// Who makes it.
    pub created_by: String,
}

impl Master {
    /// Makes a token. The secret is returned this once and kept nowhere. `None` when a usable token has the name; of
    /// two that are made at the same moment under one name, at most one is.
    pub async fn create_token(&self, new: &NewToken) -> Result<Option<(TokenRecord, Secret)>, MasterError> {
        let mut random = [0_u8; 37];
        getrandom::fill(&mut random).map_err(|error| MasterError::unavailable(format!("no random bytes: {error}")))?;
        let (name, secret) = random.split_at(5);
        // Five bytes are eight letters of base 32, which has no underscore: that separates the parts.
        let id: String = base32(name).into_iter().collect();
        let secret = URL_SAFE_NO_PAD.encode(secret);
        let rows = self
            .query(
                "INSERT INTO migration_service.api_token (id, name, secret_sha256, scopes, services, created_by, expires_at) \
                 SELECT $1, $2, $3, $4, $5, $6, $7 WHERE NOT EXISTS ( \
                   SELECT FROM migration_service.api_token \
                   WHERE name = $2 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())) \
                 RETURNING id, name, scopes, services, created_at, created_by, expires_at, last_used_at, revoked_at",
                &[
                    (&id, Type::TEXT),
                    (&new.name, Type::TEXT),
                    (&Sha256::digest(&secret).as_slice(), Type::BYTEA),
                    (&new.scopes, Type::TEXT_ARRAY),
                    (&new.services, Type::TEXT_ARRAY),
                    (&new.created_by, Type::TEXT),
                    (&new.expires_at, Type::TIMESTAMPTZ),
                ],
            )
            .await?;
        let Some(row) = rows.first() else { return Ok(None) };
        // No unique index: names given twice before this rule must not keep the service from starting. Whoever looks
        // last sees both rows, and nobody has the token yet.
        let twins = self
            .query(
                "DELETE FROM migration_service.api_token AS mine USING migration_service.api_token AS other \
                 WHERE mine.id = $1 AND other.name = mine.name AND other.id <> mine.id AND other.revoked_at IS NULL \
                   AND (other.expires_at IS NULL OR other.expires_at > now()) RETURNING mine.id",
                &[(&id, Type::TEXT)],
            )
            .await?;
        Ok(twins.is_empty().then(|| (record(row), Secret::new(format!("{PREFIX}{id}_{secret}")))))
    }

    /// All tokens, newest first, those that are refused now among them.
    pub async fn tokens(&self) -> Result<Vec<TokenRecord>, MasterError> {
        let rows = self
            .query(
                "SELECT id, name, scopes, services, created_at, created_by, expires_at, last_used_at, revoked_at \
                 FROM migration_service.api_token ORDER BY created_at DESC, id",
                &[],
            )
            .await?;
        Ok(rows.iter().map(record).collect())
    }

    /// Whether anybody could sign in with a token now.
    pub async fn has_usable_token(&self) -> Result<bool, MasterError> {
        let rows = self
            .query(
                "SELECT 1 FROM migration_service.api_token \
                 WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now()) LIMIT 1",
                &[],
            )
            .await?;
        Ok(!rows.is_empty())
    }

    /// Takes a token back; `None` when there is no such token. One that was taken back before stays as it was.
    pub async fn revoke_token(&self, id: &str, by: &str) -> Result<Option<TokenRecord>, MasterError> {
        let rows = self
            .query(
                "UPDATE migration_service.api_token \
                 SET revoked_at = coalesce(revoked_at, now()), revoked_by = coalesce(revoked_by, $2) WHERE id = $1 \
                 RETURNING id, name, scopes, services, created_at, created_by, expires_at, last_used_at, revoked_at",
                &[(&id, Type::TEXT), (&by, Type::TEXT)],
            )
            .await?;
        Ok(rows.first().map(record))
    }

    /// The token that `text` is, if it is one that may be used now.
    pub async fn verify_token(&self, text: &str) -> Result<Option<TokenRecord>, MasterError> {
        let Some((id, secret)) = split(text) else { return Ok(None) };
        let rows = self
            .query(
                "WITH used AS ( \
                   UPDATE migration_service.api_token SET last_used_at = now() \
                   WHERE id = $1 AND secret_sha256 = $2 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now()) \
                     AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')) \
                 SELECT id, name, scopes, services, created_at, created_by, expires_at, last_used_at, revoked_at, secret_sha256 \
                 FROM migration_service.api_token \
                 WHERE id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())",
                &[(&id, Type::TEXT), (&Sha256::digest(secret).as_slice(), Type::BYTEA)],
            )
            .await?;
        let hash = Sha256::digest(secret);
        Ok(rows.first().filter(|row| equal(row.get(9), &hash)).map(record))
    }
}

/// Eight letters of five bits each.
fn base32(bytes: &[u8]) -> Vec<char> {
    const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let bits = bytes.iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
    (0..ID_LENGTH).rev().map(|n| char::from(LETTERS[(bits >> (5 * n) & 31) as usize])).collect()
}

fn split(text: &str) -> Option<(&str, &str)> {
    let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
    (id.len() == ID_LENGTH && secret.len() == 43).then_some((id, secret))
}

/// Looks at every byte, so that the time taken tells nothing about where two hashes part.
fn equal(left: &[u8], right: &[u8]) -> bool {
    left.len() == right.len() && left.iter().zip(right).fold(0, |difference, (l, r)| difference | (l ^ r)) == 0
}

fn record(row: &Row) -> TokenRecord {
    TokenRecord {
        id: row.get(0),
        name: row.get(1),
        scopes: row.get(2),
        services: row.get(3),
        created_at: row.get(4),
        created_by: row.get(5),
        expires_at: row.get(6),
        last_used_at: row.get(7),
        revoked_at: row.get(8),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_looks_like_a_token_is_looked_up() {
        let secret = "s".repeat(43);
        assert_eq!(split(&format!("profe_abcdefgh_{secret}")), Some(("abcdefgh", secret.as_str())));
        for wrong in ["", "profe_", "profe_abcdefgh", "profe_abc_def", &format!("other_abcdefgh_{secret}")] {
            assert_eq!(split(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn base32_has_eight_letters() {
        assert_eq!(base32(&[0, 0, 0, 0, 0]).iter().collect::<String>(), "aaaaaaaa");
        assert_eq!(base32(&[255; 5]).iter().collect::<String>(), "77777777");
    }

    #[test]
    fn equality_is_by_content() {
        assert!(equal(b"abc", b"abc"));
        assert!(!equal(b"abc", b"abd"));
        assert!(!equal(b"abc", b"abcd"));
    }
}
