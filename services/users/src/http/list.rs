//! GET /api/users

use std::str::FromStr as _;

use kernel::AppRole;
use serde::Deserialize;
use service::web::{Json, Problem, Query, kinds};
use service::{Fault, List, Paging, Tenant};
use utoipa::IntoParams;

use crate::model::User;
use crate::store::people::{self, Filter, Key};

/// Whom, and how many.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct Asked {
    /// Only who is this.
    #[param(schema_with = service::role_schema)]
    role: Option<String>,
    /// Only who is `active`, `invited`, `inactive` or `deleted`; all but the removed where nothing is said.
    status: Option<String>,
    /// How many, 1 to 100; 20 where nothing is said.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// Which page, from 1 on.
    #[param(minimum = 1)]
    page: Option<u32>,
    /// The `next` of the page before, instead of `page`.
    cursor: Option<String>,
}

/// List people
///
/// By family name. Administrators see their school; others themselves, their children, the students of their courses.
#[utoipa::path(get, path = "/api/users", tag = "users", params(Asked), responses(
    (status = 200, description = "Those whom the caller may see; of more than 10,000 not all are counted", body = List<User>),
    (status = 403, description = "The caller belongs to no school"),
))]
pub(crate) async fn list(tenant: Tenant, Query(asked): Query<Asked>) -> Result<Json<List<User>>, Fault> {
    let filter =
        Filter { role: asked.role.as_deref().map(role).transpose()?, status: status(asked.status.as_deref())? };
    answer(tenant, &filter, Paging { limit: asked.limit, cursor: asked.cursor, page: asked.page }).await
}

/// A page of a list.
pub(crate) async fn answer(tenant: Tenant, filter: &Filter, paging: Paging) -> Result<Json<List<User>>, Fault> {
    let page = paging.page::<Key>()?;
    let school = tenant.organization()?;
    let (rows, counted) = people::list(tenant.tx, school, tenant.claims.caller().role, filter, &page).await?;
    let List { items, total, total_is_exact, next } =
        page.list_counted(rows, counted, |last| (last.sort_key.clone(), last.user.id, counted));
    let items = items.into_iter().map(|listed| listed.user).collect();
    Ok(Json(List { items, total, total_is_exact, next }))
}

fn role(text: &str) -> Result<AppRole, Fault> {
    AppRole::from_str(text).map_err(|error| invalid("role", &error.to_string(), "ask for one of them, or leave it out"))
}

fn status(text: Option<&str>) -> Result<Option<&'static str>, Fault> {
    let Some(text) = text else { return Ok(None) };
    let known = ["active", "invited", "inactive", "deleted"].into_iter().find(|status| *status == text);
    known.map(Some).ok_or_else(|| invalid("status", "it is no status", "ask for active, invited, inactive or deleted"))
}

fn invalid(parameter: &str, what: &str, cure: &str) -> Fault {
    let problem =
        Problem::new(kinds::INVALID_QUERY).detail(format!("the parameter {parameter:?} cannot be used: {what}"));
    problem.cure(cure).with("parameter", parameter).into()
}
