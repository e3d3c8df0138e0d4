//! Schools in the database, as the caller may see them.

use postgres_link::tenant::{Row, TenantTx, TxError};
use serde_json::{Map, Value};
use service::{IfMatch, Page, Version};
use uuid::Uuid;

use crate::model::{Details, Organization};

/// The columns of a school; the name of its version is what [`Version::of`] reads.
macro_rules! columns {
    () => {
        "id, name, description, logo_url, website, email, phone, address, is_active, created_at, updated_at, \
         xmin::text AS version"
    };
}

/// A school and its version.
pub type Found = (Version, Organization);

/// A list's place: the name, and the id where names differ in case alone.
pub type Key = (String, Uuid);

fn found(row: &Row) -> Found {
    let school = Organization {
        id: row.get("id"),
        name: row.get("name"),
        description: row.get("description"),
        logo_url: row.get("logo_url"),
        website: row.get("website"),
        email: row.get("email"),
        phone: row.get("phone"),
        address: row.get("address"),
        is_active: row.get("is_active"),
        created_at: row.get("created_at"),
        updated_at: row.get("updated_at"),
    };
    (Version::of(row), school)
}

/// The school, as the transaction's last statement.
pub async fn find_last(tx: TenantTx, id: Uuid) -> Result<Option<Found>, TxError> {
    let row = tx.last().query_opt(FIND, &[&id]).await?;
    Ok(row.as_ref().map(found))
}

/// The school.
pub async fn find(tx: &mut TenantTx, id: Uuid) -> Result<Option<Found>, TxError> {
    let row = tx.query_opt(FIND, &[&id]).await?;
    Ok(row.as_ref().map(found))
}

const FIND: &str = concat!("SELECT ", columns!(), " FROM organizations.organizations WHERE id = $1");

/// A page of the schools that the caller sees, by name, and how many there are.
pub async fn list(tx: &mut TenantTx, page: &Page<Key>) -> Result<(Vec<Organization>, i64), TxError> {
    const LIST: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM organizations.organizations WHERE $1::text IS NULL OR (lower(name), id) > (lower($1), $2) \
         ORDER BY lower(name), id LIMIT $3 OFFSET $4"
    );
    let total = tx.query_one("SELECT count(*) FROM organizations.organizations", &[]).await?.get(0);
    let (name, id) = page.after().map(|(name, id)| (name, id)).unzip();
    let rows = tx.query(LIST, &[&name, &id, &page.fetch(), &page.offset()]).await?;
    Ok((rows.iter().map(|row| found(row).1).collect(), total))
}

/// Founds a school: its id. Its founder runs it.
pub async fn add(tx: &mut TenantTx, details: &Details) -> Result<Uuid, TxError> {
    let Details { name, description, logo_url, website, email, phone, address } = details;
    let sql = "SELECT organizations.found($1, $2, $3, $4, $5, $6, $7)";
    let row = tx.query_one(sql, &[name, description, logo_url, website, email, phone, address]).await?;
    Ok(row.get(0))
}

/// Changes what a school says of itself; `None` where the caller may not, it is not there, or has another version.
pub async fn update(
    tx: &mut TenantTx,
    id: Uuid,
    details: &Details,
    version: &IfMatch,
) -> Result<Option<Found>, TxError> {
    const UPDATE: &str = concat!(
        "UPDATE organizations.organizations SET name = $2, description = $3, logo_url = $4, website = $5, email = $6, \
         phone = $7, address = $8 WHERE id = $1 AND ($9::text[] IS NULL OR xmin::text = ANY ($9)) RETURNING ",
        columns!()
    );
    let Details { name, description, logo_url, website, email, phone, address } = details;
    let versions = version.versions();
    let row =
        tx.query_opt(UPDATE, &[&id, name, description, logo_url, website, email, phone, address, &versions]).await?;
    Ok(row.as_ref().map(found))
}

/// Suspends a school or opens it again; `false` where the caller may not or it is not there.
pub async fn set_active(tx: &mut TenantTx, id: Uuid, active: bool) -> Result<bool, TxError> {
    Ok(tx.query_one("SELECT organizations.set_active($1, $2)", &[&id, &active]).await?.get(0))
}

/// How a school is set up, key by key.
pub async fn config(tx: &mut TenantTx, id: Uuid) -> Result<Map<String, Value>, TxError> {
    let sql = "SELECT config_key, config_value FROM organizations.organization_configs \
               WHERE organization_id = $1 ORDER BY config_key";
    let rows = tx.query(sql, &[&id]).await?;
    Ok(rows.iter().map(|row| (row.get("config_key"), row.get("config_value"))).collect())
}

/// Sets these keys, and takes those away.
pub async fn set_config(
    tx: &mut TenantTx,
    id: Uuid,
    set: &Map<String, Value>,
    removed: &[String],
) -> Result<(), TxError> {
    let delete = "DELETE FROM organizations.organization_configs WHERE organization_id = $1 AND config_key = ANY ($2)";
    tx.execute(delete, &[&id, &removed]).await?;
    // What is the same is left alone, so that it keeps the time of its last change.
    let upsert = "INSERT INTO organizations.organization_configs AS c (organization_id, config_key, config_value) \
                  SELECT $1, key, value FROM jsonb_each($2) \
                  ON CONFLICT (organization_id, config_key) DO UPDATE SET config_value = excluded.config_value \
                  WHERE c.config_value IS DISTINCT FROM excluded.config_value";
    tx.execute(upsert, &[&id, &Value::Object(set.clone())]).await?;
    Ok(())
}
