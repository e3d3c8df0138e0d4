//! Searching a whole school.
//!
//! Each of the first words of a name, and the address, has an index that leads with the school: the longest word asked for is looked
//! up in all of them, as a range, for `LIKE` leaks and could use none under a policy. The other words are compared on what
//! is left.

use kernel::OrganizationId;
use postgres_link::tenant::{TenantTx, TxError};

use super::people::{Listed, listed_of};
use crate::rules::Wanted;

macro_rules! found {
    ($($branch:literal),+) => {
        concat!(
            "WITH found AS (",
            found!(@branches $($branch),+),
            ") SELECT m.user_id, m.organization_id, m.first_name, m.last_name, m.email, m.roles, m.status, m.source_id, \
                m.created_at, m.updated_at, m.sort_key \
             FROM users.members m WHERE m.organization_id = $1 AND m.user_id IN (SELECT user_id FROM found) \
             ORDER BY m.sort_key, m.user_id LIMIT $5"
        )
    };
    (@branches $first:literal $(, $rest:literal)*) => {
        concat!(found!(@branch $first) $(, " UNION ", found!(@branch $rest))*)
    };
    (@branch $column:literal) => {
        concat!(
            "(SELECT m.user_id FROM users.members m WHERE m.organization_id = $1 AND m.", $column, " >= $2 AND m.", $column, " < $3 \
              AND m.status <> 'deleted' AND ' ' || m.search_text LIKE ALL ($4) \
              ORDER BY m.", $column, ", m.user_id LIMIT $5)"
        )
    };
}

const BY_NAME: &str = found!("word_1", "word_2", "word_3", "word_4", "word_5", "email_key");
const BY_ADDRESS: &str = found!("email_key");

/// People of the school, at most so many: of more the first ones by the word that was looked up.
pub(crate) async fn search(
    tx: TenantTx,
    school: OrganizationId,
    wanted: &Wanted,
    limit: i64,
) -> Result<Vec<Listed>, TxError> {
    let sql = if wanted.is_email { BY_ADDRESS } else { BY_NAME };
    let rows = tx.last().query(sql, &[&school.uuid(), &wanted.from, &wanted.before, &wanted.others, &limit]).await?;
    Ok(rows.iter().filter_map(listed_of).collect())
}
