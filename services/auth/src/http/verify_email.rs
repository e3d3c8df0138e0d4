//! Showing that an address is one's own.

use axum::extract::State;
use http::StatusCode;
use serde_json::json;
use service::web::{Json, Path};
use service::{AsService, Fault, LinkToken};

use super::reset_password::ask_for_letter;
use super::shapes::{Done, EmailBody, email};
use crate::errands::kind;
use crate::error::link_void;
use crate::model::{Origin, Outcome};
use crate::state::Auth;
use crate::store::{accounts, events, links};

/// Confirm an address
///
/// The link of the letter; it works once. It signs nobody in.
#[utoipa::path(get, path = "/api/auth/verify-email/{token}", tag = "registering", security(()),
    params(("token" = String, Path, description = "As it stands in the link")),
    responses((status = 200, description = "The address is confirmed", body = Done), (status = 400, description = "The link does not work")),
)]
pub(crate) async fn verify_email(
    State(auth): State<Auth>,
    origin: Origin,
    Path(token): Path<String>,
) -> Result<Json<Done>, Fault> {
    let token = LinkToken::parse(&token).ok_or_else(link_void)?;
    // A link can only be followed, so this GET writes.
    let mut tx = auth.platform.work("verify-email");
    let user = links::redeem_verification(&mut tx, &token.hash()).await?.ok_or_else(link_void)?;
    accounts::set_verified(&mut tx, user).await?;
    events::note_last(tx, Some(user), None, Outcome::EmailVerified, &origin).await?;
    Ok(Json(Done { status: "verified" }))
}

/// Ask for the confirming letter again
///
/// Answers the same, and as fast, whether the address has an account that waits for it or not.
#[utoipa::path(post, path = "/api/auth/resend-verification", tag = "registering", security(()), request_body = EmailBody, responses(
    (status = 202, description = "Where an account waits for it, a letter is on its way", body = Done),
    (status = 422, description = "It is no address"),
    (status = 429, description = "Too many letters asked for from this address"),
))]
pub(crate) async fn resend_verification(
    State(auth): State<Auth>,
    AsService(tx): AsService,
    origin: Origin,
    Json(body): Json<EmailBody>,
) -> Result<(StatusCode, Json<Done>), Fault> {
    ask_for_letter(&auth, tx, &origin, kind::VERIFY, &json!({ "email": email(&body.email)? })).await?;
    Ok((StatusCode::ACCEPTED, Json(Done { status: "sent_if_waiting" })))
}
