//! Another password, by who knows the current one.

use axum::extract::State;
use kernel::Secret;
use serde::Deserialize;
use serde_json::json;
use service::web::{Json, Problem};
use service::{AsService, Fault, SignedIn};
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::shapes::Ended;
use crate::errands::kind;
use crate::error::{WRONG_PASSWORD, limited};
use crate::hashing::Looked;
use crate::model::{Origin, Outcome};
use crate::rules::limits::CHANGE_ACCOUNT;
use crate::rules::password::LONGEST_BYTES;
use crate::state::Auth;
use crate::store::{accounts, errands, events, limits, people, sessions};

/// Both passwords.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ChangePassword {
    /// The one that is to go.
    current_password: String,
    /// The one that is to come.
    #[schema(min_length = 8, max_length = 1024)]
    new_password: String,
}

/// Change the password
///
/// All other sessions end, and a letter says so.
#[utoipa::path(post, path = "/api/auth/change-password", tag = "passwords", request_body = ChangePassword, responses(
    (status = 200, description = "It is changed; so many other sessions ended", body = Ended),
    (status = 401, description = "Nobody is signed in"),
    (status = 403, description = "The current password is wrong"),
    (status = 422, description = "The new password is weak"),
    (status = 429, description = "The current password was wrong too often"),
))]
pub(crate) async fn change_password(
    State(auth): State<Auth>,
    caller: SignedIn,
    AsService(mut tx): AsService,
    origin: Origin,
    Json(body): Json<ChangePassword>,
) -> Result<Json<Ended>, Fault> {
    let user = caller.user();
    let bucket = CHANGE_ACCOUNT.of(&user.to_string());
    if let Some(wait_s) = limits::admit_in(&mut tx, &CHANGE_ACCOUNT, &bucket).await? {
        return Err(limited(wait_s));
    }
    let found = accounts::password(&mut tx, user).await?;
    let (email, current) = found.ok_or_else(|| Fault::unauthenticated("the account is blocked"))?;
    let person = people::who(&mut tx, user).await?;
    tx.commit().await?;
    let typed = if body.current_password.len() > LONGEST_BYTES { String::new() } else { body.current_password };
    if auth.hasher.verify(&Secret::new(typed), &current).await? == Looked::Wrong {
        let mut tx = auth.platform.work("change-password");
        events::note(&mut tx, Some(user), caller.0.caller().session, Outcome::WrongPassword, &origin).await?;
        tx.commit().await?;
        return Err(Problem::new(WRONG_PASSWORD).detail("currentPassword is not the account's password").into());
    }
    let mut context = vec![email.as_str(), person.name.as_str()];
    context.extend(person.memberships.iter().filter_map(|held| held.organization.as_deref()));
    auth.check_new(&body.new_password, &context).await?;
    let hash = auth.hasher.hash(&Secret::new(body.new_password)).await?;
    let mut tx = auth.platform.work("change-password");
    if !accounts::set_password(&mut tx, user, &hash, Some(&current)).await? {
        // Somebody else changed it meanwhile: then it is not the current one any more.
        return Err(Problem::new(WRONG_PASSWORD).detail("the password was changed meanwhile").into());
    }
    limits::give_back(&mut tx, &CHANGE_ACCOUNT, &bucket).await?;
    let ended = sessions::end_others(&mut tx, user, caller.0.caller().session).await?;
    errands::add(
        &mut tx,
        kind::PASSWORD_CHANGED,
        &json!({ "userId": user, "at": OffsetDateTime::now_utc().unix_timestamp() }),
    )
    .await?;
    events::note_last(tx, Some(user), caller.0.caller().session, Outcome::PasswordChanged, &origin).await?;
    auth.errands.notify_one();
    Ok(Json(Ended { ended: ended as i64 }))
}
