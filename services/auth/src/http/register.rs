//! Registering.

use axum::extract::State;
use http::{HeaderMap, StatusCode};
use kernel::{AppRole, OrganizationId, Secret};
use serde::{Deserialize, Serialize};
use serde_json::json;
use service::web::{Json, Language, Problem};
use service::{AsService, Fault};
use utoipa::ToSchema;
use uuid::Uuid;

use super::shapes::email;
use crate::errands::kind;
use crate::error::{NO_SUCH_ORGANIZATION, limited};
use crate::model::Origin;
use crate::rules::limits::REGISTER_ADDRESS;
use crate::state::Auth;
use crate::store::{errands, limits, people};

/// As schema users keeps both parts, characters.
const LONGEST_NAME: usize = 200;

/// Who registers.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Register {
    /// Address to sign in with. A link that confirms it is mailed there.
    #[schema(format = "email", max_length = 254, example = "nueva.docente@escuela.example")]
    email: String,
    /// 8 to 1,024 characters of any kind.
    #[schema(min_length = 8, max_length = 1024)]
    password: String,
    /// Name of the person.
    #[schema(min_length = 1, max_length = 200, example = "Docente Nueva")]
    name: String,
    /// As what they want to join the organization: `teacher`, `student` or `parent`.
    #[schema(schema_with = service::role_schema, example = "teacher")]
    role: Option<AppRole>,
    /// Which one. The membership waits for an administrator, unless the organization lets this role join by itself.
    organization_id: Option<Uuid>,
}

/// A registration that was taken.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Registered {
    /// `verification_sent`, always: whether the address had an account already is told by letter, to its owner.
    status: &'static str,
    /// The address that a letter goes to.
    email: String,
}

/// Register
///
/// Nobody becomes an administrator this way. Answers the same, and as fast, whether the address has an account or not.
#[utoipa::path(post, path = "/api/auth/register", tag = "registering", security(()), request_body = Register, responses(
    (status = 202, description = "A letter is on its way to the address", body = Registered),
    (status = 403, description = "The role cannot be had by registering"),
    (status = 422, description = "A value is not valid, the password is weak, or there is no such organization"),
    (status = 429, description = "Too many registrations from this address"),
))]
pub(crate) async fn register(
    State(auth): State<Auth>,
    AsService(tx): AsService,
    origin: Origin,
    headers: HeaderMap,
    Json(body): Json<Register>,
) -> Result<(StatusCode, Json<Registered>), Fault> {
    let email = email(&body.email)?;
    let name = body.name.trim();
    if name.is_empty() || name.chars().count() > LONGEST_NAME || name.contains(char::is_control) {
        return Err(Fault::invalid("name", "is no name", "send a name of 1 to 200 characters"));
    }
    if body.role == Some(AppRole::Admin) {
        return Err(Fault::forbidden("nobody becomes an administrator by registering"));
    }
    if body.organization_id.is_some() && body.role.is_none() {
        return Err(Fault::invalid(
            "role",
            "is missing",
            "send teacher, student or parent together with organizationId",
        ));
    }
    let wait = limits::admit(tx, &REGISTER_ADDRESS, &REGISTER_ADDRESS.of_address(origin.address)).await?;
    if let Some(wait_s) = wait {
        return Err(limited(wait_s));
    }
    let organization = match (body.organization_id, body.role) {
        (Some(id), Some(role)) => Some(organization(&auth, id, role).await?),
        _ => None,
    };
    let context = [email.as_str(), name, organization.as_deref().unwrap_or_default()];
    auth.check_new(&body.password, &context).await?;
    let hash = auth.hasher.hash(&Secret::new(body.password)).await?;
    let details = json!({
        "email": email,
        "passwordHash": hash,
        "name": name,
        "role": body.role.filter(|_| organization.is_some()),
        "organizationId": body.organization_id,
        "language": Language::of(&headers).tag(),
        "address": origin.address,
        "userAgent": origin.user_agent,
    });
    errands::add_last(auth.platform.work("register"), kind::REGISTER, &details).await?;
    auth.errands.notify_one();
    Ok((StatusCode::ACCEPTED, Json(Registered { status: "verification_sent", email })))
}

/// Its name, where somebody may want to join it.
async fn organization(auth: &Auth, id: Uuid, role: AppRole) -> Result<String, Fault> {
    let found = people::may_register(auth.platform.work("register"), OrganizationId::new(id), role.as_str()).await?;
    found.ok_or_else(|| {
        let problem =
            Problem::new(NO_SUCH_ORGANIZATION).detail(format!("no organization that can be joined has the id {id}"));
        problem.cure("ask the organization for its id, or register without one").into()
    })
}
