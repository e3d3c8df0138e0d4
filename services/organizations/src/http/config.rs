//! `/api/organizations/{id}/config`

use kernel::AppRole;
use postgres_link::tenant::TenantTx;
use serde::Deserialize;
use serde_json::{Map, Value};
use service::web::{Json, Path};
use service::{Fault, Tenant};
use uuid::Uuid;

use crate::rules::{CONFIG_KEYS, Config, check, known};
use crate::store;

/// Settings by their keys; what they may be is checked by [`check`], which names the one that is not.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(crate) struct Settings(Map<String, Value>);

/// How a school is set up
///
/// For its administrators.
#[utoipa::path(get, path = "/api/organizations/{id}/config", tag = "config", params(("id" = Uuid, Path, description = "The school")),
    responses(
        (status = 200, description = "What is set", body = Config),
        (status = 403, description = "The caller is no administrator"),
    ),
)]
pub(crate) async fn get(tenant: Tenant, Path(id): Path<Uuid>) -> Result<Json<Map<String, Value>>, Fault> {
    tenant.only(&[AppRole::Admin])?;
    let mut tx = own(tenant, id).await?;
    let config = store::config(&mut tx, id).await?;
    tx.commit().await?;
    Ok(Json(config))
}

/// Set a school up
///
/// For its administrators. All of it: what is left out has its usual value afterwards. `PATCH` changes some of it.
#[utoipa::path(put, path = "/api/organizations/{id}/config", tag = "config", request_body = Config,
    params(("id" = Uuid, Path, description = "The school")),
    responses(
        (status = 200, description = "What is set now", body = Config),
        (status = 403, description = "The caller is no administrator"),
    ),
)]
pub(crate) async fn put(
    tenant: Tenant,
    Path(id): Path<Uuid>,
    Json(Settings(mut settings)): Json<Settings>,
) -> Result<Json<Map<String, Value>>, Fault> {
    tenant.only(&[AppRole::Admin])?;
    settings.retain(|_, value| !value.is_null());
    check(&settings)?;
    let removed = CONFIG_KEYS.iter().filter(|key| !settings.contains_key(**key)).map(|key| (*key).to_owned()).collect();
    changed(tenant, id, settings, removed).await
}

/// Change how a school is set up
///
/// For its administrators. What is left out stays as it is; null takes a setting away (RFC 7396, for whole settings).
#[utoipa::path(patch, path = "/api/organizations/{id}/config", tag = "config", request_body = Config,
    params(("id" = Uuid, Path, description = "The school")),
    responses(
        (status = 200, description = "What is set now", body = Config),
        (status = 403, description = "The caller is no administrator"),
    ),
)]
pub(crate) async fn patch(
    tenant: Tenant,
    Path(id): Path<Uuid>,
    Json(Settings(settings)): Json<Settings>,
) -> Result<Json<Map<String, Value>>, Fault> {
    tenant.only(&[AppRole::Admin])?;
    let (removed, set): (Map<_, _>, Map<_, _>) = settings.into_iter().partition(|(_, value)| value.is_null());
    check(&set)?;
    known(removed.keys())?;
    let removed = removed.into_iter().map(|(key, _)| key).collect();
    changed(tenant, id, set, removed).await
}

async fn changed(
    tenant: Tenant,
    id: Uuid,
    set: Map<String, Value>,
    removed: Vec<String>,
) -> Result<Json<Map<String, Value>>, Fault> {
    let mut tx = own(tenant, id).await?;
    store::set_config(&mut tx, id, &set, &removed).await?;
    let config = store::config(&mut tx, id).await?;
    tx.commit().await?;
    Ok(Json(config))
}

/// The transaction, where the school is the caller's own: settings are not even the platform's to see.
async fn own(tenant: Tenant, id: Uuid) -> Result<TenantTx, Fault> {
    let is_own = tenant.claims.caller().organization.is_some_and(|own| own.uuid() == id);
    let mut tx = tenant.tx;
    if !is_own || store::find(&mut tx, id).await?.is_none() {
        return Err(Fault::no_such("school"));
    }
    Ok(tx)
}
