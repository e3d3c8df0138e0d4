//! GET /api/users/export

use std::collections::VecDeque;

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use futures_util::stream::try_unfold;
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use kernel::{AppRole, OrganizationId};
use postgres_link::tenant::{TenantTx, TxError};
use service::{Fault, Tenant};
use uuid::Uuid;

use crate::model::User;
use crate::roster::{COLUMNS, write_row};
use crate::store::people;

/// Rows that are read at once.
const AT_ONCE: i64 = 1_000;

struct Rest {
    tx: TenantTx,
    school: OrganizationId,
    after: (String, Uuid),
    /// What is to be sent before the next rows are read.
    ready: VecDeque<String>,
}

/// Export the school's people
///
/// A file in the shape of OneRoster 1.2's users.csv, with the roles in `metadata.roles`. No field is a formula to a spreadsheet: what
/// would begin one has an apostrophe in front, which an import takes away again. Removed people are left out.
#[utoipa::path(get, path = "/api/users/export", tag = "rosters", responses(
    (status = 200, description = "The file", content_type = "text/csv", body = String),
    (status = 403, description = "The caller is no administrator of a school"),
))]
pub(crate) async fn export(tenant: Tenant) -> Result<Response, Fault> {
    tenant.only(&[AppRole::Admin])?;
    let school = tenant.organization()?;
    let mut header = String::new();
    write_row(&mut header, COLUMNS);
    let mut rest = Rest { tx: tenant.tx, school, after: Default::default(), ready: VecDeque::from([header]) };
    // Whoever may not is told so before anything is sent.
    more(&mut rest).await?;
    let rows = try_unfold(Some(rest), |rest| async move {
        let Some(mut rest) = rest else { return Ok(None) };
        if rest.ready.is_empty() {
            more(&mut rest).await?;
        }
        match rest.ready.pop_front() {
            Some(piece) => Ok(Some((piece, Some(rest)))),
            None => rest.tx.commit().await.map(|()| None),
        }
    });
    let headers = [
        (CONTENT_TYPE, "text/csv; charset=utf-8; header=present"),
        (CONTENT_DISPOSITION, "attachment; filename=\"users.csv\""),
        (CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, Body::from_stream(rows)).into_response())
}

/// Reads the next rows, where there are any.
async fn more(rest: &mut Rest) -> Result<(), TxError> {
    let rows = people::after(&mut rest.tx, rest.school, &rest.after, AT_ONCE).await?;
    let Some(last) = rows.last() else { return Ok(()) };
    rest.after = (last.sort_key.clone(), last.user.id);
    let mut piece = String::new();
    for row in &rows {
        write(&mut piece, &row.user);
    }
    rest.ready.push_back(piece);
    Ok(())
}

fn write(to: &mut String, user: &User) {
    let id = user.id.to_string();
    let school = user.organization_id.to_string();
    let email = user.email.as_deref().unwrap_or_default();
    let roles = user.roles.join(",");
    let field = |column: &str| match column {
        "sourcedId" => user.source_id.as_deref().unwrap_or(&id),
        "enabledUser" if user.status == "inactive" => "false",
        "enabledUser" => "true",
        "username" | "email" => email,
        "givenName" => &user.first_name,
        "familyName" => &user.last_name,
        "primaryOrgSourcedId" => &school,
        "metadata.roles" => &roles,
        // status and dateLastModified are empty in a file that holds everybody.
        _ => "",
    };
    write_row(to, COLUMNS.map(field));
}
