//! What schema users publishes for this service.

use kernel::{OrganizationId, UserId};
use postgres_link::tenant::{Row, TenantTx, TxError};
use uuid::Uuid;

use crate::model::{Membership, Person};

/// Who somebody is.
pub(crate) async fn who(tx: &mut TenantTx, user: UserId) -> Result<Person, TxError> {
    let sql = "SELECT first_name, last_name, language, memberships FROM users.who_signs_in($1)";
    Ok(tx.query_opt(sql, &[&user.uuid()]).await?.map(|row| person(&row)).unwrap_or_default())
}

/// Of a row of `users.who_signs_in`.
pub(crate) fn person(row: &Row) -> Person {
    let text = |column: &str| row.get::<_, Option<String>>(column).unwrap_or_default();
    let memberships: serde_json::Value = row.get("memberships");
    let memberships: Vec<Membership> = serde_json::from_value(memberships).unwrap_or_else(|error| {
        tracing::error!(%error, "memberships that cannot be read");
        Vec::new()
    });
    let name = format!("{} {}", text("first_name"), text("last_name")).trim().to_owned();
    Person { name, language: text("language"), memberships }
}

/// The name of an organization that somebody may want to join; `None` where there is none, or it is closed.
pub(crate) async fn may_register(
    tx: TenantTx,
    organization: OrganizationId,
    role: &str,
) -> Result<Option<String>, TxError> {
    let sql = "SELECT organization_name FROM users.may_register($1, $2)";
    Ok(tx.last().query_opt(sql, &[&organization.uuid(), &role]).await?.map(|row| row.get(0)))
}

/// Writes who registered.
pub(crate) async fn register(
    tx: &mut TenantTx,
    user: UserId,
    (first_name, last_name): (&str, &str),
    language: &str,
    organization: Option<Uuid>,
    role: Option<&str>,
) -> Result<(), TxError> {
    let sql = "SELECT users.register_person($1, $2, $3, $4, $5, $6)";
    tx.execute(sql, &[&user.uuid(), &first_name, &last_name, &language, &organization, &role]).await.map(drop)
}
