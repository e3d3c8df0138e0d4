//! `/api/users/invitations`

use axum::extract::State;
use http::StatusCode;
use kernel::AppRole;
use postgres_link::tenant::TxError;
use serde::{Deserialize, Serialize};
use service::web::{Json, Path, Query};
use service::{Answer, AsService, Fault, LinkToken, List, Paging, Tenant};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::list::answer;
use super::remove::Removed;
use crate::error::{invitation_void, refused};
use crate::model::{Newcomer, Outcome, User};
use crate::rules::{email, optional};
use crate::state::Users;
use crate::store::people::{self, Filter};
use crate::store::{invitations, manage};

/// How many.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct Asked {
    /// How many, 1 to 100; 20 where nothing is said.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

/// Who is to be invited.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct InvitationBody {
    /// Their address.
    #[schema(format = "email", max_length = 254, example = "ana@escuela.example")]
    email: String,
    /// What they will be: `admin`, `teacher`, `student` or `parent`.
    #[schema(schema_with = service::role_schema, example = "parent")]
    role: AppRole,
    /// Given names; what stands before the @ of the address where nothing is said.
    #[schema(max_length = 100)]
    first_name: Option<String>,
    /// Family names.
    #[schema(max_length = 100)]
    last_name: Option<String>,
}

/// A token that was mailed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AcceptBody {
    /// What stands behind `#token=` in the link.
    token: String,
}

/// Somebody has joined a school.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Joined {
    /// With which address they sign in.
    email: String,
    /// Which school.
    organization_id: Uuid,
    /// For `POST /api/auth/reset-password` with a password, within ten minutes; null for who has a password.
    password_token: Option<String>,
}

/// Who has not joined yet
///
/// Whoever was invited and has not accepted, or has not chosen a password.
#[utoipa::path(get, path = "/api/users/invitations", tag = "invitations", params(Asked), responses(
    (status = 200, description = "By family name", body = List<User>),
    (status = 403, description = "The caller is no administrator of a school"),
))]
pub(crate) async fn list(tenant: Tenant, Query(asked): Query<Asked>) -> Result<Json<List<User>>, Fault> {
    tenant.only(&[AppRole::Admin])?;
    let filter = Filter { role: None, status: Some("invited") };
    answer(tenant, &filter, Paging { limit: asked.limit, cursor: asked.cursor, page: None }).await
}

/// Invite somebody
///
/// As adding them, by their address alone. Who was invited before is mailed again, and the last link is void.
#[utoipa::path(post, path = "/api/users/invitations", tag = "invitations", request_body = InvitationBody, responses(
    (status = 201, description = "A letter is on its way", body = User),
    (status = 403, description = "The caller is no administrator of a school"),
    (status = 409, description = "They belong to the school already"),
))]
pub(crate) async fn invite(
    State(users): State<Users>,
    mut tenant: Tenant,
    Json(body): Json<InvitationBody>,
) -> Result<Answer, Fault> {
    tenant.only(&[AppRole::Admin])?;
    let school = tenant.organization()?;
    let newcomer = body.checked()?;
    let admitted = manage::admit(&mut tenant.tx, &[newcomer], false).await?;
    let person = admitted.first().ok_or(TxError::NotFound)?.person;
    if let Some(Outcome::Exists) = admitted.first().map(|admitted| Outcome::of(&admitted.outcome)) {
        let again = invitations::call_again(&mut tenant.tx, person).await?;
        if again != Outcome::Done {
            return Err(refused(Outcome::Exists, "person"));
        }
    }
    let role = tenant.claims.caller().role;
    let (_, user) = people::one(&mut tenant.tx, school, role, person).await?.ok_or(TxError::NotFound)?;
    tenant.tx.commit().await?;
    users.letters.notify_one();
    Ok(Answer::new(StatusCode::CREATED, &user))
}

impl InvitationBody {
    fn checked(self) -> Result<Newcomer, Fault> {
        let email = email(&self.email)?;
        let local: String = email.split('@').next().unwrap_or_default().chars().take(100).collect();
        Ok(Newcomer {
            line: 1,
            first_name: optional("firstName", self.first_name.as_deref(), 100)?.unwrap_or(local),
            last_name: optional("lastName", self.last_name.as_deref(), 100)?.unwrap_or_default(),
            roles: vec![self.role],
            email,
            phone: None,
            source_id: None,
            subjects: None,
            is_enabled: None,
            invite: true,
        })
    }
}

/// Withdraw an invitation
///
/// The link is void, and whoever was invited leaves the list.
#[utoipa::path(delete, path = "/api/users/invitations/{id}", tag = "invitations", params(("id" = Uuid, Path, description = "Who was invited")),
    responses(
        (status = 200, description = "Withdrawn", body = Removed),
        (status = 403, description = "The caller is no administrator of a school"),
    ),
)]
pub(crate) async fn withdraw(mut tenant: Tenant, Path(id): Path<Uuid>) -> Result<Json<Removed>, Fault> {
    tenant.only(&[AppRole::Admin])?;
    match invitations::withdraw(&mut tenant.tx, id).await? {
        Outcome::Done => {
            tenant.tx.commit().await?;
            Ok(Json(Removed { id, deleted: true }))
        }
        outcome => Err(refused(outcome, "invitation")),
    }
}

/// Accept an invitation
///
/// Whoever holds the link has read the letter: that shows the address, and is all that is needed. It works once.
#[utoipa::path(post, path = "/api/users/invitations/accept", tag = "invitations", security(()), request_body = AcceptBody, responses(
    (status = 200, description = "They belong to the school", body = Joined),
    (status = 400, description = "The link does not work any more"),
))]
pub(crate) async fn accept(AsService(tx): AsService, Json(body): Json<AcceptBody>) -> Result<Json<Joined>, Fault> {
    let token = LinkToken::parse(body.token.trim()).ok_or_else(invitation_void)?;
    let password = LinkToken::new()?;
    let accepted = invitations::accept(tx, &token.hash(), &password.hash()).await?.ok_or_else(invitation_void)?;
    Ok(Json(Joined {
        email: accepted.email,
        organization_id: accepted.organization_id,
        password_token: accepted.must_choose_password.then(|| password.text()),
    }))
}
