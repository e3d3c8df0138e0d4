//! POST /api/users

use axum::extract::State;
use axum::response::Response;
use kernel::AppRole;
use postgres_link::tenant::{TenantTx, TxError};
use serde::Deserialize;
use service::once::Begun;
use service::{Answer, Fault, Keyed, Tenant};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::error::refused;
use crate::model::{Newcomer, Outcome, User};
use crate::rules::{email, name, optional};
use crate::state::Users;
use crate::store::{manage, people};

/// Somebody new.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewUser {
    /// Address; whoever has an account with it keeps that.
    #[schema(format = "email", max_length = 254, example = "ana@escuela.example")]
    email: String,
    /// Given names.
    #[schema(min_length = 1, max_length = 100)]
    first_name: String,
    /// Family names.
    #[schema(min_length = 1, max_length = 100)]
    last_name: String,
    /// What they are: `admin`, `teacher`, `student` or `parent`.
    #[schema(schema_with = service::role_schema, example = "student")]
    role: AppRole,
    /// Telephone.
    #[schema(max_length = 20)]
    phone: Option<String>,
    /// Number in the school's own register.
    #[schema(max_length = 255)]
    source_id: Option<String>,
}

/// Add somebody to the school
///
/// They get a letter with an invitation. Without an account one is opened, for which they choose a password; who belongs to
/// another school joins this one when they accept, and their profile stays closed until then.
#[utoipa::path(post, path = "/api/users", tag = "users",
    params(("Idempotency-Key" = Option<String>, Header, description = "Does it once, however often it is sent")),
    request_body = NewUser, responses(
    (status = 201, description = "Added, and invited", body = User),
    (status = 403, description = "The caller is no administrator of a school"),
    (status = 409, description = "Somebody of the school has this address or this number"),
))]
pub(crate) async fn create(
    State(users): State<Users>,
    mut tenant: Tenant,
    Keyed { body, once }: Keyed<NewUser>,
) -> Result<Response, Fault> {
    tenant.only(&[AppRole::Admin])?;
    let newcomer = body.checked()?;
    let school = tenant.organization()?;
    let first = match once.begin(&mut tenant.tx).await? {
        Begun::First(first) => first,
        Begun::Before(answer) => return Ok(answer),
    };
    let person = admit_one(&mut tenant.tx, newcomer).await?;
    let role = tenant.claims.caller().role;
    let (_, user) = people::one(&mut tenant.tx, school, role, person).await?.ok_or(TxError::NotFound)?;
    let answer = Answer::created(format!("/api/users/{person}"), &user);
    let response = first.keep(tenant.tx, answer).await?;
    users.letters.notify_one();
    Ok(response)
}

impl NewUser {
    fn checked(self) -> Result<Newcomer, Fault> {
        Ok(Newcomer {
            line: 1,
            email: email(&self.email)?,
            first_name: name("firstName", &self.first_name)?,
            last_name: name("lastName", &self.last_name)?,
            roles: vec![self.role],
            phone: optional("phone", self.phone.as_deref(), 20)?,
            source_id: optional("sourceId", self.source_id.as_deref(), 255)?,
            subjects: None,
            is_enabled: None,
            invite: true,
        })
    }
}

/// Adds one person who must not be there yet.
pub(crate) async fn admit_one(tx: &mut TenantTx, newcomer: Newcomer) -> Result<Uuid, Fault> {
    let admitted = manage::admit(tx, &[newcomer], false).await?;
    let admitted = admitted.first().ok_or(TxError::NotFound)?;
    match Outcome::of(&admitted.outcome) {
        Outcome::Done => Ok(admitted.person),
        outcome => Err(refused(outcome, "person")),
    }
}
