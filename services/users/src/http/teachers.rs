//! `/api/users/admin/teachers`: the web client's administration, which the gateway has at `/api/admin/teachers`.
//!
//! The client sends back what it was given, so members that are not to be changed here are left unread.

use axum::extract::State;
use axum::response::Response;
use kernel::AppRole;
use postgres_link::tenant::TxError;
use serde::Deserialize;
use serde_json::json;
use service::once::Begun;
use service::web::{Json, Path};
use service::{Answer, Fault, IfMatch, Keyed, Tenant};
use utoipa::ToSchema;
use uuid::Uuid;

use super::create::admit_one;
use super::remove::Removed;
use crate::error::refused;
use crate::model::{Newcomer, Outcome, Teacher};
use crate::rules::{email, name, optional, subjects};
use crate::state::Users;
use crate::store::manage;

/// A teacher as the client sends them.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TeacherBody {
    /// Given names.
    #[schema(min_length = 1, max_length = 100)]
    first_name: String,
    /// Family names.
    #[schema(min_length = 1, max_length = 100)]
    last_name: String,
    /// Address. It is the person's: it is not changed here.
    #[schema(format = "email", max_length = 254, example = "docente4@escuela.example")]
    email: String,
    /// Telephone.
    #[schema(max_length = 20)]
    phone: Option<String>,
    /// Names of the subjects they teach.
    #[serde(default)]
    subjects: Vec<String>,
}

/// Whether a teacher is let in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ActiveBody {
    /// Whether they are.
    is_active: bool,
}

/// List teachers
///
/// All of the school, by family name; those who have not accepted yet among them, as active.
#[utoipa::path(get, path = "/api/users/admin/teachers", tag = "web client", responses(
    (status = 200, description = "The teachers", body = Vec<Teacher>),
    (status = 403, description = "The caller is no administrator of a school"),
))]
pub(crate) async fn list(mut tenant: Tenant) -> Result<Json<Vec<Teacher>>, Fault> {
    tenant.only(&[AppRole::Admin])?;
    let school = tenant.organization()?.uuid();
    let teachers = manage::teachers(&mut tenant.tx, school, None).await?;
    tenant.tx.commit().await?;
    Ok(Json(teachers))
}

/// Add a teacher
///
/// As `POST /api/users`, with the role teacher.
#[utoipa::path(post, path = "/api/users/admin/teachers", tag = "web client",
    params(("Idempotency-Key" = Option<String>, Header, description = "Does it once, however often it is sent")),
    request_body = TeacherBody, responses(
    (status = 201, description = "Added, and invited", body = Teacher),
    (status = 403, description = "The caller is no administrator of a school"),
    (status = 409, description = "Somebody of the school has this address"),
))]
pub(crate) async fn create(
    State(users): State<Users>,
    mut tenant: Tenant,
    Keyed { body, once }: Keyed<TeacherBody>,
) -> Result<Response, Fault> {
    tenant.only(&[AppRole::Admin])?;
    let newcomer = Newcomer {
        line: 1,
        email: email(&body.email)?,
        first_name: name("firstName", &body.first_name)?,
        last_name: name("lastName", &body.last_name)?,
        roles: vec![AppRole::Teacher],
        phone: optional("phone", body.phone.as_deref(), 20)?,
        source_id: None,
        subjects: Some(subjects(&body.subjects)?),
        is_enabled: None,
        invite: true,
    };
    let first = match once.begin(&mut tenant.tx).await? {
        Begun::First(first) => first,
        Begun::Before(answer) => return Ok(answer),
    };
    let person = admit_one(&mut tenant.tx, newcomer).await?;
    let teacher = one(&mut tenant, person).await?;
    let answer = Answer::created(format!("/api/users/{person}"), &teacher);
    let response = first.keep(tenant.tx, answer).await?;
    users.letters.notify_one();
    Ok(response)
}

/// Change a teacher
///
/// Name and telephone of somebody who belongs to another school, too, are theirs to change (403).
#[utoipa::path(put, path = "/api/users/admin/teachers/{id}", tag = "web client", params(("id" = Uuid, Path, description = "The teacher")),
    request_body = TeacherBody,
    responses(
        (status = 200, description = "As they are now", body = Teacher),
        (status = 403, description = "The caller is no administrator of a school, or it is the person's own"),
        (status = 409, description = "It is the caller"),
    ),
)]
pub(crate) async fn update(
    mut tenant: Tenant,
    Path(id): Path<Uuid>,
    Json(body): Json<TeacherBody>,
) -> Result<Json<Teacher>, Fault> {
    tenant.only(&[AppRole::Admin])?;
    let mut given = json!({
        "firstName": name("firstName", &body.first_name)?,
        "lastName": name("lastName", &body.last_name)?,
        "subjects": subjects(&body.subjects)?,
    });
    if body.phone.is_some() {
        given["phone"] = json!(optional("phone", body.phone.as_deref(), 20)?);
    }
    let before = one(&mut tenant, id).await?;
    if !before.email.eq_ignore_ascii_case(body.email.trim()) {
        let cure = "leave it as it is: people change their address themselves";
        return Err(Fault::invalid("email", "is another one than the account has", cure));
    }
    match manage::write(&mut tenant.tx, id, &given, &IfMatch::default()).await? {
        Outcome::Done => kept(tenant, id).await,
        outcome => Err(refused(outcome, "teacher")),
    }
}

/// Remove a teacher
///
/// As `DELETE /api/users/{id}`; whoever has another role in the school, too, loses this one only.
#[utoipa::path(delete, path = "/api/users/admin/teachers/{id}", tag = "web client", params(("id" = Uuid, Path, description = "The teacher")),
    responses(
        (status = 200, description = "Removed", body = Removed),
        (status = 403, description = "The caller is no administrator of a school"),
        (status = 409, description = "It is the caller"),
    ),
)]
pub(crate) async fn remove(mut tenant: Tenant, Path(id): Path<Uuid>) -> Result<Json<Removed>, Fault> {
    tenant.only(&[AppRole::Admin])?;
    one(&mut tenant, id).await?;
    let school = tenant.organization()?.uuid();
    let held = manage::roles(&mut tenant.tx, school, id).await?;
    let outcome = match held.iter().find(|held| held.role == AppRole::Teacher.as_str()) {
        Some(teaches) if held.len() > 1 => manage::take_role(&mut tenant.tx, id, teaches.id).await?,
        _ => manage::remove(&mut tenant.tx, id).await?,
    };
    if outcome != Outcome::Done {
        return Err(refused(outcome, "teacher"));
    }
    tenant.tx.commit().await?;
    Ok(Json(Removed { id, deleted: true }))
}

/// Let a teacher in, or keep them out
#[utoipa::path(patch, path = "/api/users/admin/teachers/{id}/status", tag = "web client",
    params(("id" = Uuid, Path, description = "The teacher")), request_body = ActiveBody,
    responses(
        (status = 200, description = "As they are now", body = Teacher),
        (status = 403, description = "The caller is no administrator of a school"),
        (status = 409, description = "It is the caller"),
    ),
)]
pub(crate) async fn change_status(
    mut tenant: Tenant,
    Path(id): Path<Uuid>,
    Json(body): Json<ActiveBody>,
) -> Result<Json<Teacher>, Fault> {
    tenant.only(&[AppRole::Admin])?;
    one(&mut tenant, id).await?;
    match manage::set_enabled(&mut tenant.tx, id, body.is_active).await? {
        Outcome::Done => kept(tenant, id).await,
        outcome => Err(refused(outcome, "teacher")),
    }
}

/// Somebody who is a teacher of the school.
async fn one(tenant: &mut Tenant, id: Uuid) -> Result<Teacher, Fault> {
    let school = tenant.organization()?.uuid();
    let found = manage::teachers(&mut tenant.tx, school, Some(id)).await?;
    found.into_iter().next().ok_or_else(|| Fault::no_such("teacher"))
}

/// As they are after a change, which is kept.
async fn kept(mut tenant: Tenant, id: Uuid) -> Result<Json<Teacher>, Fault> {
    let school = tenant.organization()?.uuid();
    let teacher =
        manage::teachers(&mut tenant.tx, school, Some(id)).await?.into_iter().next().ok_or(TxError::NotFound)?;
    tenant.tx.commit().await?;
    Ok(Json(teacher))
}
