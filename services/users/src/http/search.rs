//! GET /api/users/search

use kernel::AppRole;
use serde::Deserialize;
use service::web::{Json, Query};
use service::{Fault, List, Paging, Tenant};
use utoipa::IntoParams;

use crate::model::User;
use crate::rules::wanted;
use crate::store::people::{self, Key};
use crate::store::search;

/// What is looked for.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct Asked {
    /// Beginnings of words of a name, or the beginning of an address; accents and case do not count.
    #[param(min_length = 1)]
    q: String,
    /// How many, 1 to 100; 20 where nothing is said.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
}

/// Search people by name or address
///
/// The first that are found, by family name; there is no next page: whoever finds too many types one letter more.
#[utoipa::path(get, path = "/api/users/search", tag = "users", params(Asked), responses(
    (status = 200, description = "Those whom the caller may see", body = List<User>),
    (status = 403, description = "The caller belongs to no school"),
))]
pub(crate) async fn search(tenant: Tenant, Query(asked): Query<Asked>) -> Result<Json<List<User>>, Fault> {
    let wanted = wanted(&asked.q)?;
    let page = Paging { limit: asked.limit, cursor: None, page: None }.page::<Key>()?;
    let school = tenant.organization()?;
    let rows = if tenant.claims.caller().role == Some(AppRole::Admin) {
        search::search(tenant.tx, school, &wanted, page.fetch()).await?
    } else {
        people::found(tenant.tx, school, &wanted.all, page.fetch()).await?.0
    };
    let counted = rows.len() as i64;
    let list = page.list(rows, counted, |last| (last.sort_key.clone(), last.user.id, counted));
    let total_is_exact = list.next.is_none();
    let total = list.items.len() as i64;
    Ok(Json(List {
        items: list.items.into_iter().map(|listed| listed.user).collect(),
        total,
        total_is_exact,
        next: None,
    }))
}
