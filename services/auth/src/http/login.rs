//! Signing in.

use axum::extract::State;
use kernel::{AppRole, OrganizationId, Secret, SessionId, UserId};
use postgres_link::tenant::TenantTx;
use serde::Deserialize;
use service::web::Json;
use service::{AsService, Fault, kinds};
use utoipa::ToSchema;
use uuid::Uuid;

use super::shapes::SignedInAnswer;
use crate::error::{limited, sign_in_failed};
use crate::hashing::{Looked, PHC_FOR_NOBODY};
use crate::model::{Origin, Outcome};
use crate::rules::membership::{Wish, choose};
use crate::rules::password::LONGEST_BYTES;
use crate::state::Auth;
use crate::store::accounts::{Buckets, LookedUp};
use crate::store::sign_in::SignIn;
use crate::store::{accounts, events, sign_in};
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
    (status = 403, description = "It has not this role in this organization"),
    (status = 429, description = "Too many attempts; `Retry-After` says when the next one is taken"),
    (status = 503, description = "Too many passwords are being looked at"),
))]
pub(crate) async fn login(
    State(auth): State<Auth>,
    AsService(tx): AsService,
    origin: Origin,
    Json(body): Json<Login>,
) -> Result<Json<SignedInAnswer>, Fault> {
    let Login { email, password, organization_id, role } = body;
    // No password of ours is longer; what is, is not looked at, but takes as long.
    let password = Secret::new(if password.len() > LONGEST_BYTES { String::new() } else { password });
    let wish = (organization_id.map(OrganizationId::new), role);
    let attempt = Attempt { email: email.trim(), password, wish, origin };
    let mut answer = attempt.look(&auth, tx).await?;
    if answer.is_none() {
        // Blocked, another password, a role that went: all of it is for the second look to find.
        answer = attempt.look(&auth, auth.platform.work("login")).await?;
    }
    answer.map(Json).ok_or_else(|| Fault::new(kinds::TRY_AGAIN))
}

/// Somebody at the door.
struct Attempt<'a> {
    email: &'a str,
    password: Secret,
    wish: Wish,
    origin: Origin,
}

impl Attempt<'_> {
    /// `None` where the account changed while its password was looked at.
    async fn look(&self, auth: &Auth, tx: TenantTx) -> Result<Option<SignedInAnswer>, Fault> {
        let buckets = Buckets::of(self.email, self.origin.address);
        let candidate = match accounts::look_up(tx, self.email, self.origin.address, &buckets).await? {
            LookedUp::Limited(wait_s) => return Err(limited(wait_s)),
            LookedUp::Nobody => None,
            LookedUp::Somebody(candidate) => Some(candidate),
        };
        let hash = candidate.as_ref().map_or(PHC_FOR_NOBODY, |candidate| candidate.password_hash.as_str());
        // Who it is, is read while the password is looked at, which takes longer; nobody, too, so that the same is asked of the database.
        let user = candidate.as_ref().map_or(UserId::new(Uuid::nil()), |candidate| candidate.user);
        let (looked, read) =
            tokio::join!(auth.hasher.verify(&self.password, hash), sign_in::read(auth.platform.work("login"), user));
        let (looked, (person, before)) = (looked?, read?);
        let outcome = match (&candidate, looked) {
            (None, _) => Outcome::UnknownAccount,
            (Some(_), Looked::Wrong) => Outcome::WrongPassword,
            (Some(candidate), _) if !candidate.is_active => Outcome::Blocked,
            (Some(candidate), _) if !candidate.is_verified => Outcome::NotVerified,
            (Some(_), _) => Outcome::SignedIn,
        };
        let mut tx = auth.platform.work("login");
        let mut candidate = match candidate {
            Some(candidate) if outcome == Outcome::SignedIn => candidate,
            refused => {
                events::note_last(tx, refused.map(|candidate| candidate.user), None, outcome, &self.origin).await?;
                return Err(sign_in_failed());
            }
        };
        if looked == Looked::RightButOld {
            let anew = auth.hasher.hash(&self.password).await?;
            if !accounts::set_password(&mut tx, user, &anew, Some(&candidate.password_hash)).await? {
                return Ok(None);
            }
            candidate.password_hash = anew;
        }
        let Some(acting) = choose(&person.memberships, self.wish, before) else {
            return Err(Fault::forbidden("the account does not hold this role in this organization"));
        };
        let (session, token) = (SessionId::new(Uuid::new_v4()), RefreshToken::first()?);
        // Before anything is kept: without a key nobody is signed in.
        let answer = SignedInAnswer::new(auth, (user, self.email), session, &person, acting, &token)?;
        let (origin, lifetimes) = (&self.origin, &auth.lifetimes);
        let (candidate, buckets) = (&candidate, &buckets);
        let begins = SignIn { session, candidate, token: &token, acting, origin, lifetimes, buckets };
        if !sign_in::begin(tx, &begins).await? {
            return Ok(None);
        }
        if !candidate.is_known_here {
            auth.errands.notify_one();
        }
        Ok(Some(answer))
    }
}
