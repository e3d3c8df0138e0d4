//! The schemas of a target as its own catalog has them, beside what the service catalogue says of their owners.

use migration_engine::proof::drift::Fingerprints;
use postgres_link::tokio_postgres::types::Type;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Caller, OperationError, Operations, Spread};

/// What a part of the target is, and what it should be.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FingerprintView {
    /// As it is, 64 hexadecimal digits. Equal schemas have equal fingerprints on every PostgreSQL version.
    pub live: String,
    /// As the rehearsal of the newest migration left it; null where nobody knows without a replay, which
    /// `POST /api/schemas/validate` makes.
    pub expected: Option<String>,
    /// Whether they are equal; null where that is not known.
    pub agrees: Option<bool>,
}

impl FingerprintView {
    fn of_target(prints: &Fingerprints) -> Self {
        let expected = prints.expected.map(|print| print.to_string());
        Self { live: prints.live.to_string(), expected, agrees: prints.agrees() }
    }

    /// A part's own is known where the whole is as it should be.
    fn of_part(live: String, prints: &Fingerprints) -> Self {
        let agrees = prints.agrees().filter(|agrees| *agrees);
        Self { expected: agrees.map(|_| live.clone()), live, agrees }
    }
}

/// The schemas of every service of a database.
#[derive(Debug, Clone)]
pub struct AllSchemas {
    /// Of all managed schemas together.
    pub fingerprint: FingerprintView,
    /// By service, in the catalogue's order.
    pub services: Vec<ServiceSchemas>,
}

/// One service with its schemas.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceSchemas {
    /// The service's name in the catalogue.
    pub service: String,
    /// The database that it lives in, as an environment is named.
    pub environment: String,
    /// The role that owns its schemas.
    pub owner: Option<String>,
    /// The role that the service signs in as.
    pub role: Option<String>,
    /// Schemas of other services that it may reference.
    pub references: Vec<String>,
    /// Its schemas; one that does not exist yet says so.
    pub schemas: Vec<SchemaCounts>,
    /// Those that exist with their tables, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<Vec<SchemaDetail>>,
}

/// One schema, counted.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SchemaCounts {
    /// Its name.
    pub name: String,
    /// Whether the target has it.
    pub exists: bool,
    /// The role that owns it there.
    pub owner: Option<String>,
    /// Its comment.
    pub comment: Option<String>,
    /// How many tables it has, partitions not counted.
    pub tables: i64,
    /// How many views and materialized views.
    pub views: i64,
    /// How many indexes.
    pub indexes: i64,
    /// How many functions and procedures.
    pub functions: i64,
    /// How many row level security policies.
    pub policies: i64,
    /// Bytes of its tables with their indexes.
    pub size_bytes: i64,
    /// The fingerprint of what it holds; null where it does not exist.
    #[serde(default)]
    pub fingerprint: Option<String>,
}

/// One service with everything in its schemas.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceDetail {
    /// The service's name in the catalogue.
    pub service: String,
    /// On which environment.
    pub environment: String,
    /// The role that owns its schemas.
    pub owner: Option<String>,
    /// Schemas of other services that it may reference.
    pub references: Vec<String>,
    /// Of its schemas together.
    pub fingerprint: FingerprintView,
    /// Its schemas that the target has.
    pub schemas: Vec<SchemaDetail>,
}

/// One schema with its tables.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SchemaDetail {
    /// Its name.
    pub name: String,
    /// Its comment.
    pub comment: Option<String>,
    /// Its tables, by name.
    pub tables: Vec<TableView>,
}

/// One table.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TableView {
    /// Its name.
    pub name: String,
    /// Its comment.
    pub comment: Option<String>,
    /// How many rows the planner believes it has; -1 before the first ANALYZE.
    pub estimated_rows: i64,
    /// Bytes with its indexes.
    pub size_bytes: i64,
    /// Row level security is on.
    pub row_level_security: bool,
    /// It holds for the owner too.
    pub row_level_security_forced: bool,
    /// Its columns, in order.
    pub columns: Vec<ColumnView>,
    /// Keys, checks and references.
    pub constraints: Vec<NamedDefinition>,
    /// Indexes, those of constraints included.
    pub indexes: Vec<NamedDefinition>,
    /// Triggers.
    pub triggers: Vec<NamedDefinition>,
    /// Row level security policies.
    pub policies: Vec<PolicyView>,
}

/// One column.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ColumnView {
    /// Its name.
    pub name: String,
    /// Its type, as PostgreSQL writes it.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Whether it may be NULL.
    pub nullable: bool,
    /// Its default, or what it is generated from.
    pub default: Option<String>,
    /// Its comment.
    pub comment: Option<String>,
}

/// Something with a name and the SQL that PostgreSQL gives for it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NamedDefinition {
    /// Its name.
    pub name: String,
    /// Its definition.
    pub definition: String,
}

/// One policy.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyView {
    /// Its name.
    pub name: String,
    /// `ALL`, `SELECT`, `INSERT`, `UPDATE` or `DELETE`.
    pub command: String,
    /// The roles that it is for.
    pub roles: Vec<String>,
    /// Whether it widens (permissive) or narrows (restrictive).
    pub permissive: bool,
    /// Which rows are seen.
    pub using: Option<String>,
    /// Which rows may be written.
    pub check: Option<String>,
}

impl Operations {
    /// The schemas of every service of each database of an environment, or of the one that a service lives in; counted, and
    /// `with_tables` with everything in them.
    ///
    /// # Errors
    /// Unknown names, databases that are all away.
    pub async fn schemas(
        &self,
        environment: Option<&str>,
        service: Option<&str>,
        with_tables: bool,
        caller: &Caller,
    ) -> Result<Spread<AllSchemas>, OperationError> {
        if service.is_some() {
            caller.check(service)?;
        }
        self.known_service(service)?;
        let databases = self.databases_for(environment, service, caller)?;
        let asked = databases.iter().map(|name| self.schemas_of(name, with_tables, caller)).collect();
        let mut spread = self.spread(&databases, asked).await?;
        for (_, all) in &mut spread.answers {
            all.services.retain(|one| service.is_none_or(|name| name == one.service));
        }
        Ok(spread)
    }

    /// Those of one database.
    async fn schemas_of(
        &self,
        environment: &str,
        with_tables: bool,
        caller: &Caller,
    ) -> Result<AllSchemas, OperationError> {
        let prints = self.fingerprints(Some(environment)).await?;
        let inspection = self.inspect(Some(environment)).await?;
        let entry = self.catalogue().environment(environment)?;
        let housed = self.catalogue().services.iter().filter(|(name, _)| entry.houses(name));
        let names: Vec<&str> = housed.flat_map(|(_, service)| service.schemas.iter().map(String::as_str)).collect();
        let mut counts: Vec<SchemaCounts> =
            inspection.document(include_str!("schemas/counts.sql"), &[(&names, Type::TEXT_ARRAY)]).await?;
        for count in &mut counts {
            count.fingerprint = prints.schemas.get(&count.name).map(ToString::to_string);
        }
        let mut details: Vec<SchemaDetail> = if with_tables {
            inspection.document(include_str!("schemas/detail.sql"), &[(&names, Type::TEXT_ARRAY)]).await?
        } else {
            Vec::new()
        };
        let services = self
            .catalogue()
            .services
            .iter()
            .filter(|(name, _)| entry.houses(name) && caller.may_touch(name))
            .map(|(name, service)| ServiceSchemas {
                service: name.clone(),
                environment: environment.to_owned(),
                owner: service.owner_role(),
                role: service.runtime_role(),
                references: service.references.clone(),
                schemas: counts.extract_if(.., |count| service.schemas.contains(&count.name)).collect(),
                details: with_tables
                    .then(|| details.extract_if(.., |detail| service.schemas.contains(&detail.name)).collect()),
            })
            .collect();
        Ok(AllSchemas { fingerprint: FingerprintView::of_target(&prints), services })
    }

    /// One service's schemas with everything in them.
    ///
    /// # Errors
    /// Unknown names, a database that is away.
    pub async fn schema_detail(
        &self,
        service: &str,
        environment: Option<&str>,
        caller: &Caller,
    ) -> Result<ServiceDetail, OperationError> {
        caller.check(Some(service))?;
        let entry = self.catalogue().service(service)?;
        let home = self.home_name(environment, Some(service))?;
        let prints = self.fingerprints(Some(&home)).await?;
        let inspection = self.inspect(Some(&home)).await?;
        let schemas =
            inspection.document(include_str!("schemas/detail.sql"), &[(&entry.schemas, Type::TEXT_ARRAY)]).await?;
        Ok(ServiceDetail {
            service: service.to_owned(),
            environment: home,
            owner: entry.owner_role(),
            references: entry.references.clone(),
            fingerprint: FingerprintView::of_part(prints.of(&entry.schemas).to_string(), &prints),
            schemas,
        })
    }
}
