//! Which part of a target to look at.

use postgres_link::tokio_postgres::types::{ToSql, Type};
use serde::de::DeserializeOwned;

use crate::operations::inspect::Inspection;
use crate::operations::{Caller, OperationError, Operations, RefusalCode, Spread};

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
        let service = order.service.as_deref();
        self.known_service(service)?;
        if service.is_some() {
            caller.check(service)?;
        }
        let owner = order.schema.as_deref().and_then(|schema| self.catalogue().owner_of(schema)).map(|(name, _)| name);
        let schemas = match &order.schema {
            Some(schema) => {
                // One that no service owns is for those who may see all.
                caller.check(owner)?;
                if service.is_some() && service != owner {
                    return Err(self.unknown_schema(schema, service));
                }
                Some(vec![schema.clone()])
            }
            None => self.visible(service, caller),
        };
        let home = self.home_name(order.environment.as_deref(), service.or(owner))?;
        let nowhere = |schema: &String| self.unknown_schema(schema, None);
        // No name has that sign, and PostgreSQL takes no text with it.
        if let Some(schema) = order.schema.as_ref().filter(|schema| schema.contains('\0')) {
            return Err(nowhere(schema));
        }
        let part = Part { inspection: self.inspect(Some(&home)).await?, schemas, limit: order.limit };
        match &order.schema {
            // That of a service may be there only after its first run.
            Some(schema) if owner.is_none() && !part.exists().await? => Err(nowhere(schema)),
            _ => Ok(part),
        }
    }

    /// Asks each database that an order is about. A schema that no service owns is looked for in the main one.
    pub(super) async fn each<T, F>(
        &self,
        order: &DatabaseOrder,
        caller: &Caller,
        ask: impl Fn(DatabaseOrder) -> F,
    ) -> Result<Spread<T>, OperationError>
    where
        F: Future<Output = Result<T, OperationError>>,
    {
        let (environment, service) = (order.environment.as_deref(), order.service.as_deref());
        self.known_service(service)?;
        let owner = order.schema.as_deref().map(|schema| self.catalogue().owner_of(schema).map(|(name, _)| name));
        let databases = match owner {
            Some(None) if service.is_none() => vec![self.home_name(environment, None)?],
            owner => self.databases_for(environment, service.or(owner.flatten()), caller)?,
        };
        let one = |name: &String| ask(DatabaseOrder { environment: Some(name.clone()), ..order.clone() });
        self.spread(&databases, databases.iter().map(one).collect()).await
    }

    /// The schemas of the service, else of those that the caller may touch. `None` is all that there are.
    fn visible(&self, service: Option<&str>, caller: &Caller) -> Option<Vec<String>> {
        if service.is_none() && caller.services.is_none() {
            return None;
        }
        let wanted = |name: &str| service.map_or_else(|| caller.may_touch(name), |service| service == name);
        let services = self.catalogue().services.iter().filter(|(name, _)| wanted(name));
        Some(services.flat_map(|(_, entry)| entry.schemas.clone()).collect())
    }

    /// There is none of that name, or none of that service.
    fn unknown_schema(&self, schema: &str, service: Option<&str>) -> OperationError {
        let services = self.catalogue().services.iter().filter(|(name, _)| service.is_none_or(|one| one == *name));
        let names: Vec<_> = services.flat_map(|(_, entry)| entry.schemas.iter().map(String::as_str)).collect();
        let message = match service {
            None => format!("there is no schema {schema:?}"),
            Some(service) => format!("{service} has no schema {schema:?}"),
        };
        OperationError::refuse(RefusalCode::UnknownSchema, message)
            .with_cure(format!("use one of: {}", names.join(", ")))
    }
}

impl Part {
    /// Whether the database has one of its schemas.
    async fn exists(&self) -> Result<bool, OperationError> {
        let sql = "SELECT to_jsonb(EXISTS (SELECT FROM pg_namespace WHERE nspname = ANY ($1)))";
        self.inspection.document(sql, &[(&self.schemas, Type::TEXT_ARRAY)]).await
    }

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
