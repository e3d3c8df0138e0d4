//! Signing in.

use axum::extract::State;
use kernel::{AppRole, OrganizationId, Secret, SessionId};
use postgres_link::tenant::TenantTx;
use serde::Deserialize;
use serde_json::json;
use service::web::Json;
use service::{AsService, Fault};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::shapes::SignedInAnswer;
use crate::errands::kind;
use crate::error::{limited, sign_in_failed};
use crate::hashing::{Looked, PHC_FOR_NOBODY};
use crate::model::{Candidate, Origin, Outcome};
use crate::rules::membership::choose;
use crate::rules::password::LONGEST_BYTES;
use crate::state::Auth;
use crate::store::accounts::{Buckets, LookedUp};
use crate::store::{accounts, errands, events, people, sessions};
use crate::tokens::RefreshToken;

/// Who signs in.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Login {
    /// Address of the account, in any case.
    #[schema(example = "docente1@escuela.example")]
    email: String,
    /// Its password.
    #[schema(example = "profe-desarrollo")]
    password: String,
    /// Signs in to this organization, for who belongs to several; to the last one where nothing is said.
    organization_id: Option<Uuid>,
    /// Signs in as this, for who is several there: `admin`, `teacher`, `student` or `parent`.
    #[schema(value_type = Option<String>, example = "teacher")]
    role: Option<AppRole>,
}

/// Sign in
///
/// Answers the same, and as late, whether the address is unknown or the password wrong.
#[utoipa::path(post, path = "/api/auth/login", tag = "signing in", security(()), request_body = Login, responses(
    (status = 200, description = "Signed in", body = SignedInAnswer),
    (status = 401, description = "No account that may sign in has this address and password"),
    (status = 429, description = "Too many attempts; `Retry-After` says when the next one is taken"),
    (status = 503, description = "Too many passwords are being looked at"),
))]
pub(crate) async fn login(
    State(auth): State<Auth>,
    AsService(tx): AsService,
    origin: Origin,
    Json(body): Json<Login>,
) -> Result<Json<SignedInAnswer>, Fault> {
    let email = body.email.trim();
    let buckets = Buckets::of(email, origin.address);
    let candidate = match accounts::look_up(tx, email, origin.address, &buckets).await? {
        LookedUp::Limited(wait_s) => return Err(limited(wait_s)),
        LookedUp::Nobody => None,
        LookedUp::Somebody(candidate) => Some(candidate),
    };
    let hash = candidate.as_ref().map_or(PHC_FOR_NOBODY, |candidate| candidate.password_hash.as_str());
    // No password of ours is longer; what is, is not looked at, but takes as long.
    let password = if body.password.len() > LONGEST_BYTES { String::new() } else { body.password };
    let password = Secret::new(password);
    let looked = auth.hasher.verify(&password, hash).await?;
    let outcome = match (&candidate, looked) {
        (None, _) => Outcome::UnknownAccount,
        (Some(_), Looked::Wrong) => Outcome::WrongPassword,
        (Some(candidate), _) if !candidate.is_active => Outcome::Blocked,
        (Some(candidate), _) if !candidate.is_verified => Outcome::NotVerified,
        (Some(_), _) => Outcome::SignedIn,
    };
    let tx = auth.platform.work("login");
    if outcome != Outcome::SignedIn {
        return refuse(tx, candidate.as_ref(), outcome, &origin).await;
    }
    let Some(candidate) = candidate else { return Err(sign_in_failed()) };
    let anew = match looked {
        Looked::RightButOld => Some(auth.hasher.hash(&password).await?),
        Looked::Wrong | Looked::Right => None,
    };
    let wish = (body.organization_id.map(OrganizationId::new), body.role);
    begin(&auth, tx, email, &candidate, anew, wish, &buckets, &origin).await.map(Json)
}

async fn refuse<T>(tx: TenantTx, candidate: Option<&Candidate>, outcome: Outcome, origin: &Origin) -> Result<T, Fault> {
    events::note_last(tx, candidate.map(|candidate| candidate.user), None, outcome, origin).await?;
    Err(sign_in_failed())
}

#[expect(clippy::too_many_arguments, reason = "what was found out before, each of another kind")]
async fn begin(
    auth: &Auth,
    mut tx: TenantTx,
    email: &str,
    candidate: &Candidate,
    anew: Option<String>,
    wish: (Option<OrganizationId>, Option<AppRole>),
    buckets: &Buckets,
    origin: &Origin,
) -> Result<SignedInAnswer, Fault> {
    let user = candidate.user;
    let person = people::who(&mut tx, user).await?;
    let before = sessions::last_acting(&mut tx, user).await?;
    let Some(acting) = choose(&person.memberships, wish, before) else {
        return Err(Fault::forbidden("the account does not hold this role in this organization"));
    };
    let (session, token) = (SessionId::new(Uuid::new_v4()), RefreshToken::first()?);
    accounts::give_back(&mut tx, buckets, candidate.is_known_here).await?;
    if let Some(anew) = &anew {
        accounts::set_password(&mut tx, user, anew, Some(&candidate.password_hash)).await?;
    }
    if !candidate.is_known_here {
        let at = OffsetDateTime::now_utc().unix_timestamp();
        let details = json!({ "userId": user, "at": at, "address": origin.address, "userAgent": origin.user_agent });
        errands::add(&mut tx, kind::NEW_SIGN_IN, &details).await?;
    }
    sessions::begin(&mut tx, session, user, &token, acting, origin, &auth.lifetimes).await?;
    // Before anything is kept: without a key nobody is signed in.
    let answer = SignedInAnswer::new(auth, (user, email), session, &person, acting, &token)?;
    events::note_last(tx, Some(user), Some(session), Outcome::SignedIn, origin).await?;
    if !candidate.is_known_here {
        auth.errands.notify_one();
    }
    Ok(answer)
}
