//! `GET /api/organizations`

use serde::Deserialize;
use service::web::{Json, Query};
use service::{Fault, List, Paging, Tenant};
use utoipa::IntoParams;

use crate::model::Organization;
use crate::store::{self, Key};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// How many, 1 to 100. Default: 20.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// The `next` of the page before.
    cursor: Option<String>,
    /// Which page, from 1 on; not together with a cursor.
    #[param(minimum = 1)]
    page: Option<u32>,
}

/// The schools that the caller sees
///
/// Their own; all of them for an administrator of the platform. By name.
#[utoipa::path(get, path = "/api/organizations", tag = "organizations", params(ListQuery), responses(
    (status = 200, description = "A page of them", body = List<Organization>),
))]
pub(crate) async fn list(
    Tenant { mut tx, .. }: Tenant,
    Query(query): Query<ListQuery>,
) -> Result<Json<List<Organization>>, Fault> {
    let ListQuery { limit, cursor, page } = query;
    let page = Paging { limit, cursor, page }.page::<Key>()?;
    let (schools, total) = store::list(&mut tx, &page).await?;
    tx.commit().await?;
    Ok(Json(page.list(schools, total, |last| (last.name.clone(), last.id))))
}
