//! What happened on a target, and making peace with it.

use migration_engine::request::HistoryFilter;
use migration_engine::status::HistoryEntry;
use migration_engine::{Catalogue, MigrationId};
use postgres_link::tokio_postgres::types::Type;

use super::{Caller, OperationError, Operations, RefusalCode, Spread};

/// Which history to read.
#[derive(Debug, Clone, Default)]
pub struct HistoryOrder {
    /// Which environment; `None` is the default one.
    pub environment: Option<String>,
    /// Which part.
    pub filter: HistoryFilter,
}

impl Operations {
    /// A target's history, newest first, without the services that the caller may not touch.
    ///
    /// # Errors
    /// Unknown names, a database that is away.
    pub async fn history(&self, order: &HistoryOrder, caller: &Caller) -> Result<Vec<HistoryEntry>, OperationError> {
        let service = order.filter.service.as_deref();
        if service.is_some() {
            caller.check(service)?;
        }
        self.known_service(service)?;
        let migration = order.filter.migration.as_ref();
        let owner = migration.and_then(|id| self.catalogue().owner_of(&id.schema)).map(|(name, _)| name);
        let engine = self.engine_at_home(order.environment.as_deref(), service.or(owner))?;
        let mut entries = engine.history(&order.filter).await?;
        entries.retain(|entry| caller.may_touch(&entry.service));
        Ok(entries)
    }

    /// The newest entries of each of several databases, and how many it has in all.
    ///
    /// # Errors
    /// As [`history`](Self::history), where none of them answers.
    pub async fn histories(
        &self,
        databases: &[String],
        filter: &HistoryFilter,
        caller: &Caller,
    ) -> Result<Spread<(Vec<HistoryEntry>, i64)>, OperationError> {
        let one = async |name: &String| {
            let order = HistoryOrder { environment: Some(name.clone()), filter: filter.clone() };
            let entries = self.history(&order, caller).await?;
            // Without an entry there may be no table to count in.
            let total = if entries.is_empty() { 0 } else { self.history_count(Some(name), None, caller).await? };
            Ok((entries, total))
        };
        self.spread(databases, databases.iter().map(one).collect()).await
    }

    /// How many entries the whole history has, of one service or of all that the caller may touch.
    ///
    /// # Errors
    /// As [`history`](Self::history); also a target that has no history yet.
    pub async fn history_count(
        &self,
        environment: Option<&str>,
        service: Option<&str>,
        caller: &Caller,
    ) -> Result<i64, OperationError> {
        let services = caller.listed(service);
        let sql =
            "SELECT to_jsonb(count(*)) FROM migration_service.history WHERE $1::text[] IS NULL OR service = ANY($1)";
        let home = self.home_name(environment, service)?;
        self.inspect(Some(&home)).await?.document(sql, &[(&services, Type::TEXT_ARRAY)]).await
    }

    /// Accepts the present file of one edited migration as the applied one, with a reason, on record. Returns the old
    /// and the new checksum.
    ///
    /// # Errors
    /// Not an applied and edited migration; no reason.
    pub async fn bless(
        &self,
        environment: Option<&str>,
        migration: &MigrationId,
        reason: &str,
        caller: &Caller,
    ) -> Result<(String, String), OperationError> {
        let owner = self.catalogue().owner_of(&migration.schema).map(|(name, _)| name);
        caller.check(owner)?;
        if reason.trim().is_empty() {
            return Err(OperationError::refuse(
                RefusalCode::InvalidRequest,
                "blessing an edited migration needs a reason",
            )
            .with_cure("say why the file changed after it was applied; the reason is kept in the history"));
        }
        let home = self.home_name(environment, owner)?;
        let target = self.target(Some(&home))?;
        let blessed = self.engine(Some(&home))?.bless(migration, reason.trim(), caller.actor.as_str()).await;
        blessed.map_err(|error| OperationError::from(error).on(target))
    }
}

/// Reads `<schema>/<version>`, or a bare version where `service` owns one schema only.
///
/// # Errors
/// Neither, with what would be right.
pub fn parse_migration(
    catalogue: &Catalogue,
    service: Option<&str>,
    text: &str,
) -> Result<MigrationId, OperationError> {
    let invalid = |message: String| {
        OperationError::refuse(RefusalCode::InvalidRequest, message)
            .with_cure("write <schema>/<version>, as the history does: auth/20260901100000")
    };
    if text.contains('/') {
        return text.parse().map_err(|error| invalid(format!("{error}")));
    }
    let version = text.parse().map_err(|error| invalid(format!("{error}")))?;
    let schemas = service.and_then(|name| catalogue.services.get(name)).map(|entry| entry.schemas.as_slice());
    match schemas {
        Some([only]) => Ok(MigrationId::new(only, version)),
        _ => Err(invalid(format!("{text:?} leaves open which schema is meant"))),
    }
}
