//! Signing out.

use axum::extract::State;
use kernel::{SessionId, UserId};
use postgres_link::tenant::TenantTx;
use serde::Deserialize;
use service::web::{Json, JsonOrNothing};
use service::{AsService, Fault, SignedIn};
use utoipa::ToSchema;

use super::shapes::Done;
use crate::model::{Origin, Outcome};
use crate::state::Auth;
use crate::store::{events, sessions};
use crate::tokens::RefreshToken;

/// What to sign out by, where no access token is good any more.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Logout {
    /// Ends the session of this refresh token.
    refresh_token: Option<String>,
}

/// Sign out
///
/// Ends the session of the access token, or of `refreshToken` where one is sent. Its tokens are refused by every service within ten
/// seconds.
#[utoipa::path(post, path = "/api/auth/logout", tag = "signing in", security((), ("bearer" = [])), request_body = Option<Logout>, responses(
    (status = 200, description = "Signed out", body = Done),
    (status = 401, description = "Nobody is signed in"),
))]
pub(crate) async fn logout(
    State(_auth): State<Auth>,
    AsService(tx): AsService,
    origin: Origin,
    caller: Result<SignedIn, Fault>,
    JsonOrNothing(body): JsonOrNothing<Logout>,
) -> Result<Json<Done>, Fault> {
    match body.refresh_token {
        Some(token) => by_token(tx, token.trim(), &origin).await,
        None => of_caller(tx, &caller?, &origin).await,
    }
}

/// Sign out
///
/// Ends the session of the access token.
#[utoipa::path(delete, path = "/api/auth/session/logout", tag = "signing in", responses(
    (status = 200, description = "Signed out", body = Done),
    (status = 401, description = "Nobody is signed in"),
))]
pub(crate) async fn delete_session(
    AsService(tx): AsService,
    origin: Origin,
    caller: SignedIn,
) -> Result<Json<Done>, Fault> {
    of_caller(tx, &caller, &origin).await
}

async fn of_caller(tx: TenantTx, caller: &SignedIn, origin: &Origin) -> Result<Json<Done>, Fault> {
    let session = caller.0.caller().session.ok_or_else(|| Fault::unauthenticated("the token names no session"))?;
    end(tx, caller.user(), session, origin).await
}

/// Any token of the family will do: who had one may end it.
async fn by_token(mut tx: TenantTx, token: &str, origin: &Origin) -> Result<Json<Done>, Fault> {
    let presented = RefreshToken::parse(token);
    let found = match presented {
        Some(token) => sessions::of_family(&mut tx, &token.family_hash()).await?,
        None => None,
    };
    match found {
        Some(session) => end(tx, session.user, session.session, origin).await,
        // There is nothing left to end.
        None => Ok(Json(Done { status: "signed_out" })),
    }
}

async fn end(mut tx: TenantTx, user: UserId, session: SessionId, origin: &Origin) -> Result<Json<Done>, Fault> {
    if sessions::end(&mut tx, session).await? {
        events::note(&mut tx, Some(user), Some(session), Outcome::SignedOut, origin).await?;
    }
    tx.commit().await?;
    Ok(Json(Done { status: "signed_out" }))
}
