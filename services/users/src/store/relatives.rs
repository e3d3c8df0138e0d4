//! Guardians and children, within one school. Policies say who sees and who writes what.

use postgres_link::tenant::{Row, TenantTx, TxError};
use uuid::Uuid;

use crate::model::Relative;

/// Names come from the school's list for administrators, from the profiles that they see for all others: one of both is
/// asked, for the policy of profiles collects all people of an administrator's school.
macro_rules! relatives {
    ($other:literal, $one:literal) => {
        concat!(
            "SELECT g.",
            $other,
            " AS user_id, coalesce(m.first_name, p.first_name) AS first_name, \
                coalesce(m.last_name, p.last_name) AS last_name, g.relationship, g.is_active, g.created_at \
             FROM users.guardianships g \
             LEFT JOIN users.members m ON m.user_id = g.",
            $other,
            " AND m.organization_id = g.organization_id \
             LEFT JOIN users.user_profiles p ON p.user_id = g.",
            $other,
            " AND (SELECT auth.role()) <> 'admin' \
             WHERE g.organization_id = $1 AND g.",
            $one,
            " = $2 ORDER BY g.created_at, g.id"
        )
    };
}

/// Who follows a student.
pub(crate) async fn guardians(tx: &mut TenantTx, school: Uuid, student: Uuid) -> Result<Vec<Relative>, TxError> {
    let rows = tx.query(relatives!("parent_id", "student_id"), &[&school, &student]).await?;
    Ok(rows.iter().map(relative).collect())
}

/// Whom a parent follows.
pub(crate) async fn children(tx: &mut TenantTx, school: Uuid, parent: Uuid) -> Result<Vec<Relative>, TxError> {
    let rows = tx.query(relatives!("student_id", "parent_id"), &[&school, &parent]).await?;
    Ok(rows.iter().map(relative).collect())
}

/// Has somebody follow a student. Refused by policy where they are no parent and student of the school.
pub(crate) async fn add(
    tx: &mut TenantTx,
    school: Uuid,
    (student, parent): (Uuid, Uuid),
    relationship: &str,
) -> Result<(), TxError> {
    let sql = "INSERT INTO users.guardianships (parent_id, student_id, organization_id, relationship) VALUES ($1, $2, $3, $4)";
    tx.execute(sql, &[&parent, &student, &school, &relationship]).await.map(drop)
}

/// Whether these are a student and a parent of the school, as a guardianship needs them.
pub(crate) async fn are_fit(
    tx: &mut TenantTx,
    school: Uuid,
    student: Uuid,
    parent: Uuid,
) -> Result<(bool, bool), TxError> {
    let sql = "SELECT count(*) FILTER (WHERE user_id = $2 AND role = 'student') > 0, \
                      count(*) FILTER (WHERE user_id = $3 AND role = 'parent') > 0 \
               FROM users.user_roles WHERE organization_id = $1 AND user_id IN ($2, $3) AND is_active";
    let row = tx.query_one(sql, &[&school, &student, &parent]).await?;
    Ok((row.get(0), row.get(1)))
}

/// Ends it. Whether there was one that the caller may end.
pub(crate) async fn remove(tx: &mut TenantTx, school: Uuid, student: Uuid, parent: Uuid) -> Result<bool, TxError> {
    let sql = "DELETE FROM users.guardianships WHERE organization_id = $1 AND student_id = $2 AND parent_id = $3";
    Ok(tx.execute(sql, &[&school, &student, &parent]).await? > 0)
}

fn relative(row: &Row) -> Relative {
    Relative {
        id: row.get("user_id"),
        first_name: row.get("first_name"),
        last_name: row.get("last_name"),
        relationship: row.get("relationship"),
        is_active: row.get("is_active"),
        created_at: row.get("created_at"),
    }
}
