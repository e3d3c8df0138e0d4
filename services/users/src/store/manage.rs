//! What administrators do to people, by the functions of schema users: each looks the caller up and waits for its turn.

use kernel::AppRole;
use postgres_link::tenant::{TenantTx, TxError};
use serde_json::Value;
use service::IfMatch;
use uuid::Uuid;

use crate::model::{HeldRole, Newcomer, Outcome, Teacher};

/// What became of one of those who were to be added.
#[derive(Debug)]
pub(crate) struct Admitted {
    pub(crate) line: i32,
    pub(crate) person: Uuid,
    pub(crate) outcome: String,
}

/// Adds people; with `is_upsert` known ones are written again.
pub(crate) async fn admit(tx: &mut TenantTx, people: &[Newcomer], is_upsert: bool) -> Result<Vec<Admitted>, TxError> {
    // Texts and lists of them: nothing of it can fail to be written.
    let people = serde_json::to_value(people).unwrap_or_default();
    let rows = tx.query("SELECT line, person, outcome FROM users.admit_people($1, $2)", &[&people, &is_upsert]).await?;
    Ok(rows.iter().map(|row| Admitted { line: row.get(0), person: row.get(1), outcome: row.get(2) }).collect())
}

/// Writes name, telephone, number and subjects, as far as they stand in `given`.
pub(crate) async fn write(
    tx: &mut TenantTx,
    person: Uuid,
    given: &Value,
    versions: &IfMatch,
) -> Result<Outcome, TxError> {
    let sql = "SELECT users.write_member($1, $2, $3)";
    word(tx, sql, &[&person, given, &versions.versions()]).await
}

/// Suspends, or lets in again.
pub(crate) async fn set_enabled(tx: &mut TenantTx, person: Uuid, enabled: bool) -> Result<Outcome, TxError> {
    word(tx, "SELECT users.set_member_enabled($1, $2)", &[&person, &enabled]).await
}

pub(crate) async fn remove(tx: &mut TenantTx, person: Uuid) -> Result<Outcome, TxError> {
    word(tx, "SELECT users.remove_member($1)", &[&person]).await
}

pub(crate) async fn restore(tx: &mut TenantTx, person: Uuid) -> Result<Outcome, TxError> {
    word(tx, "SELECT users.restore_member($1)", &[&person]).await
}

/// Gives a role, or offers it: what became of it, and its id.
pub(crate) async fn give_role(tx: &mut TenantTx, person: Uuid, role: AppRole) -> Result<(Outcome, Uuid), TxError> {
    let row = tx.query_one("SELECT outcome, id FROM users.give_role($1, $2)", &[&person, &role.as_str()]).await?;
    Ok((Outcome::of(row.get("outcome")), row.get("id")))
}

pub(crate) async fn take_role(tx: &mut TenantTx, person: Uuid, role: Uuid) -> Result<Outcome, TxError> {
    word(tx, "SELECT users.take_role($1, $2)", &[&person, &role]).await
}

/// The roles of a person in the school, those that are only offered among them.
pub(crate) async fn roles(tx: &mut TenantTx, school: Uuid, person: Uuid) -> Result<Vec<HeldRole>, TxError> {
    let sql = "SELECT id, role::text, is_active, created_at FROM users.user_roles WHERE organization_id = $1 AND user_id = $2 \
               UNION ALL \
               SELECT users.offered_role_id(m.user_id, m.organization_id, offer.role), offer.role, false, NULL \
               FROM users.members m, unnest(m.offered) AS offer (role) WHERE m.organization_id = $1 AND m.user_id = $2 \
               ORDER BY created_at, role";
    let rows = tx.query(sql, &[&school, &person]).await?;
    let held = |row: &postgres_link::tenant::Row| HeldRole {
        id: row.get("id"),
        role: row.get("role"),
        organization_id: school,
        is_active: row.get("is_active"),
        created_at: row.get("created_at"),
    };
    Ok(rows.iter().map(held).collect())
}

/// More than any school has are not sent at once.
const MOST_TEACHERS: i64 = 1_000;

/// The teachers of the school, or one of them.
pub(crate) async fn teachers(tx: &mut TenantTx, school: Uuid, person: Option<Uuid>) -> Result<Vec<Teacher>, TxError> {
    let sql = "SELECT m.user_id, m.first_name, m.last_name, m.email, p.phone, m.subjects, m.status, m.created_at, \
                   greatest(m.updated_at, p.updated_at) AS updated_at \
               FROM users.members m LEFT JOIN users.user_profiles p ON p.user_id = m.user_id \
               WHERE m.organization_id = $1 AND 'teacher' = ANY (m.roles) AND m.status = ANY ('{active,inactive,invited}') \
                 AND ($2::uuid IS NULL OR m.user_id = $2) \
               ORDER BY m.sort_key, m.user_id LIMIT $3";
    let rows = tx.query(sql, &[&school, &person, &MOST_TEACHERS]).await?;
    let teacher = |row: &postgres_link::tenant::Row| Teacher {
        id: row.get("user_id"),
        first_name: row.get("first_name"),
        last_name: row.get("last_name"),
        email: row.get("email"),
        phone: row.get("phone"),
        organization_id: school,
        subjects: row.get("subjects"),
        is_active: row.get::<_, &str>("status") != "inactive",
        created_at: row.get("created_at"),
        updated_at: row.get("updated_at"),
    };
    Ok(rows.iter().map(teacher).collect())
}

pub(crate) async fn word(
    tx: &mut TenantTx,
    sql: &'static str,
    parameters: &[&(dyn postgres_link::tenant::types::ToSql + Sync)],
) -> Result<Outcome, TxError> {
    let row = tx.query_one(sql, parameters).await?;
    Ok(Outcome::of(row.get::<_, Option<&str>>(0).unwrap_or_default()))
}
