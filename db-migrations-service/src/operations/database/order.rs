//! Which part of a target to look at.

use postgres_link::tokio_postgres::types::{ToSql, Type};
use serde::de::DeserializeOwned;

use crate::operations::inspect::Inspection;
use crate::operations::{Caller, OperationError, Operations};

/// Look at a target's database.
#[derive(Debug, Clone, Default)]
pub struct DatabaseOrder {
    /// Which environment; `None` is the default one.
    pub environment: Option<String>,
    /// Only this service's schemas.
    pub service: Option<String>,
    /// Only this schema.
    pub schema: Option<String>,
    /// At most so many entries in each list; `None` is as many as suit it.
    pub limit: Option<u32>,
}

/// An open session, and what of the database is to be seen.
pub(super) struct Part {
    pub(super) inspection: Inspection,
    /// `None` is all.
    pub(super) schemas: Option<Vec<String>>,
    limit: Option<u32>,
}

impl Operations {
    /// Opens the part of a target that an order names, as far as the caller may see it.
    pub(super) async fn part(&self, order: &DatabaseOrder, caller: &Caller) -> Result<Part, OperationError> {
        let schemas = self.visible(order, caller)?;
        let home = self.home_name(order.environment.as_deref(), order.service.as_deref())?;
        let inspection = self.inspect(Some(&home)).await?;
        Ok(Part { inspection, schemas, limit: order.limit })
    }

    /// The schemas that an order names: of the services that the caller may touch.
    fn visible(&self, order: &DatabaseOrder, caller: &Caller) -> Result<Option<Vec<String>>, OperationError> {
        let service = order.service.as_deref();
        self.known_service(service)?;
        if let Some(schema) = &order.schema {
            let services = &self.catalogue().services;
            let owner =
                services.iter().find(|(_, entry)| entry.schemas.contains(schema)).map(|(name, _)| name.as_str());
            // One that no service owns is for those who may see all.
            caller.check(owner)?;
            let is_other = service.is_some_and(|service| owner != Some(service));
            return Ok(Some(if is_other { Vec::new() } else { vec![schema.clone()] }));
        }
        if service.is_none() && caller.services.is_none() {
            return Ok(None);
        }
        if service.is_some() {
            caller.check(service)?;
        }
        let wanted = |name: &str| service.map_or_else(|| caller.may_touch(name), |service| service == name);
        let services = self.catalogue().services.iter().filter(|(name, _)| wanted(name));
        Ok(Some(services.flat_map(|(_, entry)| entry.schemas.clone()).collect()))
    }
}

impl Part {
    /// Runs a query whose first parameter are the schemas (null: all), and whose second is the longest list's length.
    pub(super) async fn document<T: DeserializeOwned>(
        &self,
        sql: &'static str,
        usual_limit: u32,
    ) -> Result<T, OperationError> {
        self.ask(sql, (&self.schemas, Type::TEXT_ARRAY), usual_limit).await
    }

    /// The same with another first parameter.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        sql: &'static str,
        first: (&(dyn ToSql + Sync), Type),
        usual_limit: u32,
    ) -> Result<T, OperationError> {
        let limit = i64::from(self.limit.unwrap_or(usual_limit));
        self.inspection.document(sql, &[first, (&limit, Type::INT8)]).await
    }
}
