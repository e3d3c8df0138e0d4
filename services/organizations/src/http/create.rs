//! `POST /api/organizations`

use axum::response::Response;
use kernel::AppRole;
use service::once::Begun;
use service::{Answer, Fault, Keyed, Tenant};

use crate::model::{Details, Organization};
use crate::{rules, store};

/// Found a school
///
/// For administrators of the platform: who holds the role `admin` without an organization. The founder is the school's first
/// administrator, who signs in to it, invites others and may leave it to them.
#[utoipa::path(post, path = "/api/organizations", tag = "organizations", request_body = Details,
    params(("Idempotency-Key" = Option<String>, Header, description = "Does it once, however often it is sent")),
    responses(
        (status = 201, description = "It is founded; Location names it", body = Organization),
        (status = 403, description = "The caller does not run the platform"),
    ),
)]
pub(crate) async fn create(tenant: Tenant, Keyed { body, once }: Keyed<Details>) -> Result<Response, Fault> {
    tenant.only(&[AppRole::Admin])?;
    if tenant.claims.caller().organization.is_some() {
        return Err(Fault::forbidden("schools are founded by administrators of the platform"));
    }
    let details = rules::clean(body)?;
    let mut tx = tenant.tx;
    let first = match once.begin(&mut tx).await? {
        Begun::First(first) => first,
        Begun::Before(answer) => return Ok(answer),
    };
    let id = store::add(&mut tx, &details).await?;
    let (_, school) = store::find(&mut tx, id).await?.ok_or_else(|| Fault::no_such("school"))?;
    Ok(first.keep(tx, Answer::created(format!("/api/organizations/{id}"), &school)).await?)
}
