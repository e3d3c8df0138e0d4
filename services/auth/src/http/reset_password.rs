//! Setting a new password by a mailed link.

use axum::extract::State;
use http::StatusCode;
use kernel::Secret;
use postgres_link::tenant::TenantTx;
use serde::{Deserialize, Serialize};
use serde_json::json;
use service::web::Json;
use service::{AsService, Fault, LinkToken};
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::shapes::{Done, email};
use crate::errands::kind;
use crate::error::{limited, link_void};
use crate::model::{Origin, Outcome};
use crate::rules::limits::LETTER_ADDRESS;
use crate::state::Auth;
use crate::store::{accounts, errands, events, limits, links, people, sessions};

/// Either an address that a link is wanted for, or a link's token and the new password.
#[derive(Deserialize, ToSchema)]
pub(crate) struct ResetPassword {
    /// Mails a link to this address, where it has an account.
    email: Option<String>,
    /// The token of the link; with `password`.
    token: Option<String>,
    /// The new password; with `token`.
    #[schema(min_length = 8, max_length = 1024)]
    password: Option<String>,
}

/// A token of a mailed link.
#[derive(Deserialize, ToSchema)]
pub(crate) struct LinkBody {
    /// As it stands in the link, behind `token=`.
    token: String,
}

/// A link that works.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LinkIsGood {
    /// Always true: of a link that does not work the answer is 400.
    valid: bool,
    /// For how long yet, seconds.
    expires_in: i64,
}

/// Ask for a new password, or set it
///
/// With `email` a link is mailed, where the address has an account; the answer is the same, and as fast, where it has none. With
/// `token` and `password` the password is set: the link is used up, all sessions end, and a letter says so.
#[utoipa::path(post, path = "/api/auth/reset-password", tag = "passwords", security(()),
    request_body(content = ResetPassword, examples(
        ("a link is wanted" = (value = json!({ "email": "docente1@escuela.example" }))),
        ("the link is used" = (value = json!({ "token": "as it stands in the link", "password": "lluvia en la ventana" }))),
    )), responses(
    (status = 200, description = "The password is set", body = Done),
    (status = 202, description = "Where the address has an account, a letter is on its way", body = Done),
    (status = 400, description = "The link does not work"),
    (status = 422, description = "Neither an address nor a token with a password, or the password is weak"),
    (status = 429, description = "Too many letters asked for from this address"),
))]
pub(crate) async fn reset_password(
    State(auth): State<Auth>,
    AsService(tx): AsService,
    origin: Origin,
    Json(body): Json<ResetPassword>,
) -> Result<(StatusCode, Json<Done>), Fault> {
    match (body.email, body.token, body.password) {
        (Some(address), None, None) => {
            let details = json!({ "email": email(&address)? });
            ask_for_letter(&auth, tx, &origin, kind::RESET, &details).await?;
            Ok((StatusCode::ACCEPTED, Json(Done { status: "sent_if_known" })))
        }
        (None, Some(token), Some(password)) => {
            complete(&auth, tx, &origin, &token, password).await?;
            Ok((StatusCode::OK, Json(Done { status: "password_set" })))
        }
        _ => Err(Fault::invalid("email", "is neither alone nor missing", "send email, or token and password")),
    }
}

/// Promises a letter, in a time that does not tell whether anybody gets it.
pub(crate) async fn ask_for_letter(
    auth: &Auth,
    mut tx: TenantTx,
    origin: &Origin,
    kind: &str,
    details: &serde_json::Value,
) -> Result<(), Fault> {
    let bucket = LETTER_ADDRESS.of_address(origin.address);
    if let Some(wait_s) = limits::admit_in(&mut tx, &LETTER_ADDRESS, &bucket).await? {
        return Err(limited(wait_s));
    }
    errands::add_last(tx, kind, details).await?;
    auth.errands.notify_one();
    Ok(())
}

async fn complete(auth: &Auth, mut tx: TenantTx, origin: &Origin, token: &str, password: String) -> Result<(), Fault> {
    let token = LinkToken::parse(token.trim()).ok_or_else(link_void)?.hash();
    let (user, email, _) = links::reset_is_good(&mut tx, &token).await?.ok_or_else(link_void)?;
    let person = people::who(&mut tx, user).await?;
    // No transaction stays open while a password is hashed.
    tx.commit().await?;
    let mut context = vec![email.as_str(), person.name.as_str()];
    context.extend(person.memberships.iter().filter_map(|held| held.organization.as_deref()));
    auth.check_new(&password, &context).await?;
    let hash = auth.hasher.hash(&Secret::new(password)).await?;
    let mut tx = auth.platform.work("reset-password");
    // Of two at once one gets here; the other one's link is void by then.
    links::redeem_reset(&mut tx, &token).await?.filter(|redeemed| *redeemed == user).ok_or_else(link_void)?;
    accounts::set_password(&mut tx, user, &hash, None).await?;
    // Who reads the mailbox has shown that it is theirs.
    accounts::set_verified(&mut tx, user).await?;
    sessions::end_others(&mut tx, user, None).await?;
    errands::add(
        &mut tx,
        kind::PASSWORD_CHANGED,
        &json!({ "userId": user, "at": OffsetDateTime::now_utc().unix_timestamp() }),
    )
    .await?;
    events::note_last(tx, Some(user), None, Outcome::PasswordReset, origin).await?;
    auth.errands.notify_one();
    Ok(())
}

/// Ask whether a link works
///
/// It stays usable.
#[utoipa::path(post, path = "/api/auth/verify-reset-token", tag = "passwords", security(()), request_body = LinkBody, responses(
    (status = 200, description = "It does", body = LinkIsGood),
    (status = 400, description = "It does not"),
))]
pub(crate) async fn verify_reset_token(
    AsService(mut tx): AsService,
    Json(body): Json<LinkBody>,
) -> Result<Json<LinkIsGood>, Fault> {
    let token = LinkToken::parse(body.token.trim()).ok_or_else(link_void)?;
    let (_, _, left_s) = links::reset_is_good(&mut tx, &token.hash()).await?.ok_or_else(link_void)?;
    tx.commit().await?;
    Ok(Json(LinkIsGood { valid: true, expires_in: left_s.floor() as i64 }))
}
