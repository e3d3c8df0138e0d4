//! PATCH /api/users/{id}/profile/avatar

use serde::Deserialize;
use service::web::{Json, Path};
use service::{Fault, Tenant, Versioned};
use utoipa::ToSchema;
use uuid::Uuid;

use super::profile::missed;
use crate::model::Profile;
use crate::rules::avatar;
use crate::store::profiles;

/// A picture.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct AvatarBody {
    /// Where it lies, `https://…` or `/api/files/…`; null for none.
    #[schema(max_length = 500, required)]
    avatar_url: Option<String>,
}

/// Show another picture
#[utoipa::path(patch, path = "/api/users/{id}/profile/avatar", tag = "profiles",
    params(("id" = Uuid, Path, description = "The person")), request_body = AvatarBody,
    responses(
        (status = 200, description = "The profile as it is now", body = Profile),
        (status = 403, description = "It is the person's own"),
    ),
)]
pub(crate) async fn write(
    mut tenant: Tenant,
    Path(id): Path<Uuid>,
    Json(body): Json<AvatarBody>,
) -> Result<Versioned<Profile>, Fault> {
    let address = avatar(body.avatar_url.as_deref())?;
    let Some((version, written)) = profiles::write_avatar(&mut tenant.tx, id, address.as_deref()).await? else {
        return Err(missed(tenant.tx, id, None).await?);
    };
    tenant.tx.commit().await?;
    Ok(Versioned(version, written))
}
