//! `/api/organizations/admin/organization`: the caller's own school, in the shape of the platform's web client.

use kernel::AppRole;
use serde::Deserialize;
use service::web::Json;
use service::{Fault, IfMatch, Tenant, Versioned};
use utoipa::ToSchema;

use super::update::changed;
use crate::model::{Details, OwnOrganization};
use crate::store;

/// What the web client sends: it knows fewer members than a school has, so what it leaves out stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OwnDetails {
    /// Its name.
    #[schema(min_length = 1, max_length = 255)]
    name: Option<String>,
    /// Its postal address.
    #[schema(max_length = 1000)]
    address: Option<String>,
    /// Its telephone.
    #[schema(max_length = 20)]
    phone: Option<String>,
    /// Its contact address.
    #[schema(max_length = 255)]
    email: Option<String>,
    /// Its web site.
    #[schema(max_length = 255)]
    website: Option<String>,
}

/// The caller's own school
///
/// For its administrators.
#[utoipa::path(get, path = "/api/organizations/admin/organization", tag = "web client",
    responses(
        (status = 200, description = "The school", body = OwnOrganization),
        (status = 304, description = "The caller has it already"),
        (status = 403, description = "The caller is no administrator"),
        (status = 404, description = "There is none, or none that the caller may see"),
    ),
)]
pub(crate) async fn get(tenant: Tenant) -> Result<Versioned<OwnOrganization>, Fault> {
    tenant.only(&[AppRole::Admin])?;
    let id = tenant.organization()?;
    let (version, school) = store::find_last(tenant.tx, id.uuid()).await?.ok_or_else(|| Fault::no_such("school"))?;
    Ok(Versioned(version, school.into()))
}

/// Change the caller's own school
///
/// For its administrators. What is left out stays as it is; the client sends back what it was given, ids and times included.
#[utoipa::path(put, path = "/api/organizations/admin/organization", tag = "web client", request_body = OwnDetails,
    params(("If-Match" = Option<String>, Header, description = "The ETag that was read")),
    responses(
        (status = 200, description = "The school as it is now", body = OwnOrganization),
        (status = 403, description = "The caller is no administrator"),
        (status = 404, description = "There is none, or none that the caller may see"),
    ),
)]
pub(crate) async fn put(
    tenant: Tenant,
    if_match: IfMatch,
    Json(body): Json<OwnDetails>,
) -> Result<Versioned<OwnOrganization>, Fault> {
    tenant.only(&[AppRole::Admin])?;
    let id = tenant.organization()?.uuid();
    let mut tx = tenant.tx;
    let (_, now) = store::find(&mut tx, id).await?.ok_or_else(|| Fault::no_such("school"))?;
    let details = Details {
        name: body.name.unwrap_or(now.name),
        description: now.description,
        logo_url: now.logo_url,
        website: body.website.or(now.website),
        email: body.email.or(now.email),
        phone: body.phone.or(now.phone),
        address: body.address.or(now.address),
    };
    let (version, school) = changed(tx, id, details, &if_match).await?;
    Ok(Versioned(version, school.into()))
}
