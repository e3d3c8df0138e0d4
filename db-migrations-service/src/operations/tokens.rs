//! API tokens.

use kernel::Secret;
use time::OffsetDateTime;

use super::{Caller, OperationError, Operations, RefusalCode, TokenRecord};
use crate::master::tokens::NewToken;

/// What a token may be allowed to do.
pub const SCOPES: [&str; 8] = ["read", "release", "migrate", "rollback", "seed", "backup", "restore", "admin"];

/// A token to be made.
#[derive(Debug, Clone, Default)]
pub struct TokenOrder {
    /// What people call it; histories show it, so no two usable tokens share one.
    pub name: String,
    /// What it may do; some of [`SCOPES`].
    pub scopes: Vec<String>,
    /// To which services; empty is all.
    pub services: Vec<String>,
    /// From when on it is refused; `None` is never.
    pub expires_at: Option<OffsetDateTime>,
}

impl Operations {
    /// Makes a token. Its text is returned this once and kept nowhere.
    ///
    /// # Errors
    /// No name, or one that a usable token has; unknown scopes or services, an end in the past, a wider reach than the
    /// caller's own.
    pub async fn create_token(
        &self,
        order: TokenOrder,
        caller: &Caller,
    ) -> Result<(TokenRecord, Secret), OperationError> {
        let invalid = |message: String, cure: String| {
            OperationError::refuse(RefusalCode::InvalidRequest, message).with_cure(cure)
        };
        let name = order.name.trim();
        if name.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
            return Err(invalid(
                "a token needs a name of 1 to 100 characters".to_owned(),
                "name it after who will use it".to_owned(),
            ));
        }
        if let Some(unknown) = order.scopes.iter().find(|scope| !SCOPES.contains(&scope.as_str())) {
            return Err(invalid(
                format!("there is no scope {unknown:?}"),
                format!("use some of: {}", SCOPES.join(", ")),
            ));
        }
        if order.scopes.is_empty() {
            return Err(invalid(
                "a token needs at least one scope".to_owned(),
                format!("use some of: {}", SCOPES.join(", ")),
            ));
        }
        if order.expires_at.is_some_and(|end| end <= self.master().now()) {
            return Err(invalid(
                "the token would have expired already".to_owned(),
                "give a time in the future".to_owned(),
            ));
        }
        for service in &order.services {
            self.known_service(Some(service))?;
            caller.check(Some(service))?;
        }
        if order.services.is_empty() {
            caller.check(None)?;
        }
        let mut scopes = order.scopes;
        scopes.sort_by_key(|scope| SCOPES.iter().position(|known| known == scope));
        scopes.dedup();
        let new = NewToken {
            name: name.to_owned(),
            scopes,
            services: (!order.services.is_empty()).then_some(order.services),
            expires_at: order.expires_at,
            created_by: caller.actor.to_string(),
        };
        self.master().create_token(&new).await?.ok_or_else(|| {
            OperationError::refuse(RefusalCode::TokenNameTaken, format!("there is a token {:?} already", new.name))
                .with_cure("choose another name, or revoke the token of that name first")
        })
    }

    /// All tokens, newest first, without their secrets.
    ///
    /// # Errors
    /// When the master database is away.
    pub async fn tokens(&self) -> Result<Vec<TokenRecord>, OperationError> {
        Ok(self.master().tokens().await?)
    }

    /// Takes a token back, at once and for good.
    ///
    /// # Errors
    /// No such token.
    pub async fn revoke_token(&self, id: &str, caller: &Caller) -> Result<TokenRecord, OperationError> {
        self.master().revoke_token(id, caller.actor.as_str()).await?.ok_or_else(|| {
            OperationError::refuse(RefusalCode::UnknownToken, format!("there is no token {id:?}"))
                .with_cure("list the tokens to find its id")
        })
    }
}
