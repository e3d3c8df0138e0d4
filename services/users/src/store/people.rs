//! The list of a school, and one person of it.
//!
//! Administrators read `users.members`, whose indexes have the answer in order. Everybody else sees a handful of people: themselves,
//! their children, the students of their courses, by the profiles that the policies open to them.

use kernel::{AppRole, OrganizationId};
use postgres_link::tenant::{Row, TenantTx, TxError};
use service::{MOST_COUNTED, Page, Version};
use uuid::Uuid;

use crate::model::User;

/// The place of a person in a list, and how many were counted for its first page: the others need not count again.
pub(crate) type Key = (String, Uuid, i64);

/// A person, and where they stand in the list.
pub(crate) struct Listed {
    pub(crate) user: User,
    pub(crate) sort_key: String,
}

/// What a list is asked for.
pub(crate) struct Filter {
    pub(crate) role: Option<AppRole>,
    /// One of `active`, `invited`, `inactive`, `deleted`; all but the removed where nothing is said.
    pub(crate) status: Option<&'static str>,
}

impl Filter {
    fn statuses(&self) -> Vec<&'static str> {
        self.status.map_or_else(|| vec!["active", "inactive", "invited"], |status| vec![status])
    }
}

/// Each state has its own part of the index; of each the first rows are read, and those of all put in order. The count goes by
/// that order, too, though nobody asks for it: otherwise the whole table would look cheaper than ten thousand entries of the index.
macro_rules! listed {
    ($of_role:literal) => {
        concat!(
            "WITH counted AS (
                SELECT count(*) AS total FROM (
                    SELECT FROM unnest($2::text[]) AS s (status) CROSS JOIN LATERAL (
                        SELECT FROM users.members m
                        WHERE m.organization_id = $1 AND m.status = s.status",
            $of_role,
            " ORDER BY m.sort_key, m.user_id LIMIT $7
                    ) AS of_status LIMIT $7
                ) AS few
            ), page AS (
                SELECT of_status.* FROM unnest($2::text[]) AS s (status) CROSS JOIN LATERAL (
                    SELECT m.user_id, m.organization_id, m.first_name, m.last_name, m.email, m.roles, m.status, m.source_id,
                        m.created_at, m.updated_at, m.sort_key
                    FROM users.members m
                    WHERE m.organization_id = $1 AND m.status = s.status AND (m.sort_key, m.user_id) > ($3, $4)",
            $of_role,
            " ORDER BY m.sort_key, m.user_id LIMIT $5::int8 + $6::int8
                ) AS of_status
                ORDER BY sort_key, user_id LIMIT $5::int8 OFFSET $6::int8
            )
            SELECT counted.total, page.* FROM counted LEFT JOIN page ON true ORDER BY page.sort_key, page.user_id"
        )
    };
}

const LIST: &str = listed!("");
const ADMINS: &str = listed!(" AND 'admin' = ANY (m.roles)");
const TEACHERS: &str = listed!(" AND 'teacher' = ANY (m.roles)");
const STUDENTS: &str = listed!(" AND 'student' = ANY (m.roles)");
const PARENTS: &str = listed!(" AND 'parent' = ANY (m.roles)");

/// Whom a caller who is no administrator sees in their school ($1), each with the roles that they are seen in.
macro_rules! visible {
    ($then:literal) => {
        concat!(
            "WITH seen AS (
                SELECT unnest(academic.my_students()) AS user_id, 'student' AS role
                UNION SELECT unnest(users.my_children()), 'student'
                UNION SELECT r.user_id, r.role::text FROM users.user_roles r
                    WHERE r.user_id = auth.uid() AND r.organization_id = $1 AND r.is_active
            ), visible AS (
                SELECT p.user_id, $1::uuid AS organization_id, p.first_name, p.last_name, a.email, people.roles,
                    'active' AS status, NULL::text AS source_id, p.created_at, p.updated_at,
                    users.fold(p.last_name || ' ' || p.first_name) COLLATE \"C\" AS sort_key,
                    ' ' || users.fold(p.first_name || ' ' || p.last_name) AS words, p.xmin::text AS version
                FROM (SELECT user_id, array_agg(role ORDER BY role) AS roles FROM seen GROUP BY user_id) AS people
                JOIN users.user_profiles p ON p.user_id = people.user_id
                LEFT JOIN auth.users a ON a.id = people.user_id AND a.id = auth.uid()
            ) ",
            $then
        )
    };
}

const VISIBLE: &str = visible!(
    "SELECT count(*) OVER () AS total, v.* FROM visible v
     WHERE ($2::text IS NULL OR $2 = ANY (v.roles)) AND v.status = ANY ($3) AND (v.sort_key, v.user_id) > ($4, $5)
     ORDER BY v.sort_key, v.user_id LIMIT $6 OFFSET $7"
);

const FOUND: &str = visible!(
    "SELECT count(*) OVER () AS total, v.* FROM visible v WHERE v.words LIKE ALL ($2) ORDER BY v.sort_key, v.user_id LIMIT $3"
);

const VISIBLE_ONE: &str = visible!("SELECT v.* FROM visible v WHERE v.user_id = $2");

const ONE: &str = "SELECT user_id, organization_id, first_name, last_name, email, roles, status, source_id, created_at, updated_at, \
     sort_key, xmin::text AS version FROM users.members WHERE organization_id = $1 AND user_id = $2";

/// A page of a school's people, and how many there are: of the latter at most one more than [`MOST_COUNTED`].
pub(crate) async fn list(
    tx: TenantTx,
    school: OrganizationId,
    caller: Option<AppRole>,
    filter: &Filter,
    page: &Page<Key>,
) -> Result<(Vec<Listed>, i64), TxError> {
    let (school, statuses) = (school.uuid(), filter.statuses());
    let is_first = page.after().is_none();
    let (after, after_id, counted) = page.after().cloned().unwrap_or_default();
    let (limit, offset, most) = (page.fetch(), page.offset(), if is_first { MOST_COUNTED + 1 } else { 0 });
    let rows = if caller == Some(AppRole::Admin) {
        let sql = match filter.role {
            None => LIST,
            Some(AppRole::Admin) => ADMINS,
            Some(AppRole::Teacher) => TEACHERS,
            Some(AppRole::Student) => STUDENTS,
            Some(AppRole::Parent) => PARENTS,
        };
        tx.last().query(sql, &[&school, &statuses, &after, &after_id, &limit, &offset, &most]).await?
    } else {
        let role = filter.role.map(AppRole::as_str);
        tx.last().query(VISIBLE, &[&school, &role, &statuses, &after, &after_id, &limit, &offset]).await?
    };
    let counted = if is_first { total(&rows) } else { counted };
    Ok((rows.iter().filter_map(listed_of).collect(), counted))
}

/// Those whom a caller who is no administrator sees and whose names have all of these words.
pub(crate) async fn found(
    tx: TenantTx,
    school: OrganizationId,
    patterns: &[String],
    limit: i64,
) -> Result<(Vec<Listed>, i64), TxError> {
    let rows = tx.last().query(FOUND, &[&school.uuid(), &patterns, &limit]).await?;
    Ok((rows.iter().filter_map(listed_of).collect(), total(&rows)))
}

/// One person of the school, as far as the caller sees them. Administrators see the removed ones, too.
pub(crate) async fn one(
    tx: &mut TenantTx,
    school: OrganizationId,
    caller: Option<AppRole>,
    person: Uuid,
) -> Result<Option<(Version, User)>, TxError> {
    let row = tx.query_opt(one_as(caller), &[&school.uuid(), &person]).await?;
    Ok(row.map(|row| (Version::of(&row), user(&row))))
}

/// As [`one`], as the last thing of a transaction.
pub(crate) async fn one_last(
    tx: TenantTx,
    school: OrganizationId,
    caller: Option<AppRole>,
    person: Uuid,
) -> Result<Option<(Version, User)>, TxError> {
    let row = tx.last().query_opt(one_as(caller), &[&school.uuid(), &person]).await?;
    Ok(row.map(|row| (Version::of(&row), user(&row))))
}

fn one_as(caller: Option<AppRole>) -> &'static str {
    if caller == Some(AppRole::Admin) { ONE } else { VISIBLE_ONE }
}

/// The total of any row; an empty page has one without a person.
fn total(rows: &[Row]) -> i64 {
    rows.first().map_or(0, |row| row.get("total"))
}

pub(crate) fn listed_of(row: &Row) -> Option<Listed> {
    row.get::<_, Option<Uuid>>("user_id")?;
    Some(Listed { user: user(row), sort_key: row.get("sort_key") })
}

pub(crate) fn user(row: &Row) -> User {
    User {
        id: row.get("user_id"),
        organization_id: row.get("organization_id"),
        first_name: row.get("first_name"),
        last_name: row.get("last_name"),
        email: row.get("email"),
        roles: row.get("roles"),
        status: row.get("status"),
        source_id: row.get("source_id"),
        created_at: row.get("created_at"),
        updated_at: row.get("updated_at"),
    }
}

/// The next people of the school after `last`, the removed ones left out; for administrators.
pub(crate) async fn after(
    tx: &mut TenantTx,
    school: OrganizationId,
    last: &(String, Uuid),
    limit: i64,
) -> Result<Vec<Listed>, TxError> {
    let statuses = ["active", "inactive", "invited"].as_slice();
    let no_offset = 0_i64;
    let rows = tx.query(LIST, &[&school.uuid(), &statuses, &last.0, &last.1, &limit, &no_offset, &no_offset]).await?;
    Ok(rows.iter().filter_map(listed_of).collect())
}
