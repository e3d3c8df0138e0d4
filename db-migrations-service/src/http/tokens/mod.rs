//! `/api/tokens`.

pub(super) mod create;
pub(super) mod list;
pub(super) mod revoke;

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::operations::TokenRecord;

/// A token without its secret.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct TokenAnswer {
    /// The part of the token that names it.
    id: String,
    /// What people call it.
    name: String,
    /// What it may do.
    scopes: Vec<String>,
    /// To which services; null is all.
    services: Option<Vec<String>>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    /// By whom.
    created_by: String,
    /// From when on it is refused.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(with = "time::serde::rfc3339::option")]
    expires_at: Option<OffsetDateTime>,
    /// When it was last accepted, to the minute.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(with = "time::serde::rfc3339::option")]
    last_used_at: Option<OffsetDateTime>,
    /// When it was taken back.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(with = "time::serde::rfc3339::option")]
    revoked_at: Option<OffsetDateTime>,
}

impl From<TokenRecord> for TokenAnswer {
    fn from(token: TokenRecord) -> Self {
        Self {
            id: token.id,
            name: token.name,
            scopes: token.scopes,
            services: token.services,
            created_at: token.created_at,
            created_by: token.created_by,
            expires_at: token.expires_at,
            last_used_at: token.last_used_at,
            revoked_at: token.revoked_at,
        }
    }
}
