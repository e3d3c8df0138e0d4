//! Going on with a session.

use axum::extract::State;
use serde::Deserialize;
use service::web::Json;
use service::{AsService, Fault};
use utoipa::ToSchema;

use super::shapes::SignedInAnswer;
use crate::error::session_over;
use crate::model::{Origin, Outcome};
use crate::rules::membership::choose;
use crate::rules::refresh::{Judged, judge};
use crate::state::Auth;
use crate::store::sessions::Rotation;
use crate::store::{events, people, sessions};
use crate::tokens::{self, RefreshToken};

/// A refresh token.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Refresh {
    /// As sign-in or the last refresh answered it.
    refresh_token: String,
}

/// Get the next access token
///
/// A refresh token is good once. Presented again within 30 seconds, because the answer was lost or a second tab came, it gets the
/// same next one; later it ends the session, for somebody else has it.
#[utoipa::path(post, path = "/api/auth/refresh-token", tag = "signing in", security(()), request_body = Refresh, responses(
    (status = 200, description = "The session goes on", body = SignedInAnswer),
    (status = 401, description = "The session is over"),
))]
pub(crate) async fn refresh_token(
    State(auth): State<Auth>,
    service: AsService,
    origin: Origin,
    Json(body): Json<Refresh>,
) -> Result<Json<SignedInAnswer>, Fault> {
    refresh(&auth, service, &origin, &body).await
}

/// Get the next access token
///
/// The same as `/api/auth/refresh-token`.
#[utoipa::path(post, path = "/api/auth/session/refresh", tag = "signing in", security(()), request_body = Refresh, responses(
    (status = 200, description = "The session goes on", body = SignedInAnswer),
    (status = 401, description = "The session is over"),
))]
pub(crate) async fn refresh_session(
    State(auth): State<Auth>,
    service: AsService,
    origin: Origin,
    Json(body): Json<Refresh>,
) -> Result<Json<SignedInAnswer>, Fault> {
    refresh(&auth, service, &origin, &body).await
}

async fn refresh(
    auth: &Auth,
    AsService(mut tx): AsService,
    origin: &Origin,
    body: &Refresh,
) -> Result<Json<SignedInAnswer>, Fault> {
    let presented = RefreshToken::parse(body.refresh_token.trim()).ok_or_else(session_over)?;
    let found = sessions::of_family(&mut tx, &presented.family_hash()).await?;
    let session = found.ok_or_else(session_over)?;
    let judged = judge(&presented.secret_hash(), &session);
    match judged {
        Judged::Over => return Err(session_over()),
        Judged::Replayed => {
            sessions::end(&mut tx, session.session).await?;
            events::note_last(tx, Some(session.user), Some(session.session), Outcome::RefreshReused, origin).await?;
            tracing::warn!(session = %session.session, "a refresh token came twice; its session is ended");
            return Err(session_over());
        }
        Judged::Current | Judged::Again => {}
    }
    // Looked up anew: a role that was taken away is in no further token.
    let person = people::who(&mut tx, session.user).await?;
    let acting = choose(&person.memberships, (None, None), session.acting).unwrap_or_default();
    let salt = match (judged, session.salt) {
        (Judged::Again, Some(salt)) => salt,
        _ => tokens::salt()?.to_vec(),
    };
    let next = presented.next(&salt);
    let answer = SignedInAnswer::new(auth, (session.user, &session.email), session.session, &person, acting, &next)?;
    if judged == Judged::Again {
        tx.commit().await?;
    } else {
        let (session, lifetimes) = (session.session, &auth.lifetimes);
        sessions::rotate(
            tx,
            Rotation { session, replaced: &presented, next: &next, salt: &salt, acting, origin, lifetimes },
        )
        .await?;
    }
    Ok(Json(answer))
}
