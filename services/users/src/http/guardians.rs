//! `/api/users/{id}/guardians`

use http::StatusCode;
use kernel::AppRole;
use postgres_link::tenant::TxError;
use serde::{Deserialize, Serialize};
use service::web::{Json, Path};
use service::{Answer, Fault, Tenant};
use utoipa::ToSchema;
use uuid::Uuid;

use super::remove::Removed;
use crate::model::Relative;
use crate::store::{people, relatives};

/// People whom somebody follows, or by whom they are followed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Relatives {
    /// Each, the eldest first.
    pub(super) items: Vec<Relative>,
}

/// What a guardian is to a student.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Relationship {
    /// The mother.
    Mother,
    /// The father.
    Father,
    /// Somebody who looks after them.
    #[default]
    Guardian,
    /// Anything else.
    Other,
}

impl Relationship {
    fn as_str(self) -> &'static str {
        match self {
            Self::Mother => "mother",
            Self::Father => "father",
            Self::Guardian => "guardian",
            Self::Other => "other",
        }
    }
}

/// Who is to follow a student.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct GuardianBody {
    /// Somebody of the school with the role `parent`.
    parent_id: Uuid,
    /// `mother`, `father`, `guardian` or `other`; `guardian` where nothing is said.
    #[serde(default)]
    relationship: Relationship,
}

/// Who follows a student
///
/// For administrators, the student, and the guardians, who see themselves.
#[utoipa::path(get, path = "/api/users/{id}/guardians", tag = "guardians", params(("id" = Uuid, Path, description = "The student")), responses(
    (status = 200, description = "Those whom the caller may see", body = Relatives),
    (status = 403, description = "The caller belongs to no school"),
))]
pub(crate) async fn list(mut tenant: Tenant, Path(id): Path<Uuid>) -> Result<Json<Relatives>, Fault> {
    let school = tenant.organization()?;
    let role = tenant.claims.caller().role;
    people::one(&mut tenant.tx, school, role, id).await?.ok_or_else(|| Fault::no_such("person"))?;
    let items = relatives::guardians(&mut tenant.tx, school.uuid(), id).await?;
    tenant.tx.commit().await?;
    Ok(Json(Relatives { items }))
}

/// Let somebody follow a student
///
/// It opens the student's plans and results to them, in this school.
#[utoipa::path(post, path = "/api/users/{id}/guardians", tag = "guardians", params(("id" = Uuid, Path, description = "The student")),
    request_body = GuardianBody,
    responses(
        (status = 201, description = "They follow the student", body = Relative),
        (status = 403, description = "The caller is no administrator of a school"),
        (status = 409, description = "They do already"),
        (status = 422, description = "They are no student and parent of the school"),
    ),
)]
pub(crate) async fn add(
    mut tenant: Tenant,
    Path(id): Path<Uuid>,
    Json(body): Json<GuardianBody>,
) -> Result<Answer, Fault> {
    tenant.only(&[AppRole::Admin])?;
    let school = tenant.organization()?.uuid();
    let (is_student, is_parent) = relatives::are_fit(&mut tenant.tx, school, id, body.parent_id).await?;
    if !is_student {
        return Err(Fault::no_such("student"));
    }
    if !is_parent {
        let cure = "give the role parent to somebody of the school first, and send their id";
        return Err(Fault::invalid("parentId", "is no parent of the school", cure));
    }
    relatives::add(&mut tenant.tx, school, (id, body.parent_id), body.relationship.as_str()).await?;
    let all = relatives::guardians(&mut tenant.tx, school, id).await?;
    let added = all.into_iter().find(|guardian| guardian.id == body.parent_id).ok_or(TxError::NotFound)?;
    tenant.tx.commit().await?;
    Ok(Answer::new(StatusCode::CREATED, &added))
}

/// Let somebody follow a student no longer
#[utoipa::path(delete, path = "/api/users/{id}/guardians/{parentId}", tag = "guardians",
    params(("id" = Uuid, Path, description = "The student"), ("parentId" = Uuid, Path, description = "The guardian")),
    responses(
        (status = 200, description = "They do no longer", body = Removed),
        (status = 403, description = "The caller is no administrator of a school"),
    ),
)]
pub(crate) async fn remove(mut tenant: Tenant, Path((id, parent)): Path<(Uuid, Uuid)>) -> Result<Json<Removed>, Fault> {
    tenant.only(&[AppRole::Admin])?;
    let school = tenant.organization()?.uuid();
    if !relatives::remove(&mut tenant.tx, school, id, parent).await? {
        return Err(Fault::no_such("guardian"));
    }
    tenant.tx.commit().await?;
    Ok(Json(Removed { id: parent, deleted: true }))
}
