//! Roles, schemas and grants of the catalogue, brought in place before the first migration and whenever the catalogue
//! changes. Everything here is idempotent and adds only what is missing; no role and no schema is ever dropped.
//!
//! With these, PostgreSQL itself keeps each service inside its own schemas: its migrations run as the owner role,
//! which can create nothing elsewhere and may reference only what the catalogue permits.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use indexmap::IndexMap;
use postgres_link::{AdminConn, sqlstate};
use tokio_util::sync::CancellationToken;

use super::confine;
use super::quote::{identifier, literal};
use super::session::{classify, own_statement};
use super::store;
use crate::catalogue::{Catalogue, Service};
use crate::error::{EngineError, ErrorCode};

/// Changes whenever the statements below do, so that targets are prepared anew.
const RECIPE: u32 = 6;

/// Roles belong to the whole cluster: two targets on it that are prepared at once may collide, and try again.
const ATTEMPTS: u32 = 20;

/// The hash of everything that preparing depends on.
pub(crate) fn fingerprint(catalogue: &Catalogue) -> String {
    let services: IndexMap<_, _> = catalogue.services.iter().map(|(name, service)| (name, Rights(service))).collect();
    sql_grammar::sha256_hex(format!("{RECIPE} {:?} {services:?}", catalogue.roles).as_bytes())
}

/// What of a service decides on roles and grants: whom it tells of its migrations does not.
struct Rights<'a>(&'a Service);

impl fmt::Debug for Rights<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Service { schemas, references, owner, role, member_of, port, releases: _, webhooks: _, migrations } =
            self.0;
        let mut told = f.debug_struct("Service");
        told.field("schemas", schemas)
            .field("references", references)
            .field("owner", owner)
            .field("role", role)
            .field("member_of", member_of)
            .field("port", port);
        if let Some(folder) = migrations {
            told.field("extensions", &(folder.schema(self.0), &folder.extensions));
        }
        told.finish()
    }
}

/// What stands already.
struct Standing {
    superuser: bool,
    user: String,
    server: u32,
    roles: BTreeSet<String>,
    schemas: BTreeSet<String>,
    /// `(member, role)`.
    memberships: BTreeSet<(String, String)>,
}

/// Brings `conn`'s database in line with `catalogue`, in one transaction. `prepared_before` says that an older
/// catalogue was applied here, so that what it permitted and this one does not is taken away.
pub(crate) async fn prepare(
    conn: &AdminConn,
    catalogue: &Catalogue,
    installed: bool,
    prepared_before: bool,
    cancel: &CancellationToken,
) -> Result<(), EngineError> {
    let mut attempt = 1;
    loop {
        let standing = look(conn, catalogue).await?;
        let statements = statements(catalogue, &standing, installed, prepared_before);
        let lock_timeout = format!("SET LOCAL lock_timeout = {}", catalogue.run.lock_timeout_ms);
        let told = crate::audit::tell_preparation(&fingerprint(catalogue));
        let message = format!("BEGIN;{lock_timeout};\n{};\n{told};\nCOMMIT", statements.join(";\n"));
        let Err(error) = conn.batch(&message).await else { return Ok(()) };
        if !error.is_connection_loss() {
            // The session is in a failed transaction now; a loss shows in the next statement anyway.
            let _ = conn.batch("ROLLBACK").await;
        }
        // 23505, 42710: somebody made the same role or schema; XX000: "tuple concurrently updated"; 40P01: deadlock;
        // 55P03: a lock did not come in time.
        let collided = matches!(error.sqlstate(), Some("23505" | "42710" | "42P06" | "XX000" | "40P01" | "55P03"));
        if collided && attempt < ATTEMPTS && !cancel.is_cancelled() {
            attempt += 1;
            tokio::time::sleep(Duration::from_millis(10 * u64::from(attempt))).await;
            continue;
        }
        let failed = statements.get(error.completed().saturating_sub(2)).cloned().unwrap_or_default();
        return Err(refusal(&error, &failed, &statements, &standing));
    }
}

fn refusal(error: &postgres_link::BatchError, failed: &str, all: &[String], standing: &Standing) -> EngineError {
    match error.sql_error() {
        Some(sql) if sql.sqlstate == sqlstate::INSUFFICIENT_PRIVILEGE => forbidden(sql, failed, all, standing),
        Some(sql) if sql.is_lock_not_available() => {
            let mut error = EngineError::new(
                ErrorCode::LockTimeout,
                format!("preparing the target: {} (in: {})", sql.message, first_line(failed)),
            )
            .cure("end the sessions in the way, or run again at a quieter hour; nothing was changed");
            error.sql = Some(Box::new(sql.clone()));
            error
        }
        Some(sql) => classify(sql, format!("preparing the target: {} (in: {})", sql.message, first_line(failed))),
        None => own_statement(error, "preparing the target"),
    }
}

/// The same inside a transaction that somebody else ends.
pub(crate) async fn prepare_inside(
    conn: &AdminConn,
    catalogue: &Catalogue,
    installed: bool,
    prepared_before: bool,
) -> Result<(), EngineError> {
    let standing = look(conn, catalogue).await?;
    let statements = statements(catalogue, &standing, installed, prepared_before);
    let Err(error) = conn.batch(&statements.join(";\n")).await else { return Ok(()) };
    let failed = statements.get(error.completed()).cloned().unwrap_or_default();
    Err(refusal(&error, &failed, &statements, &standing))
}

/// The statements that preparing `catalogue` on a bare database takes; for people who must run them as a superuser.
pub(crate) fn script(catalogue: &Catalogue, user: &str) -> String {
    let bare = Standing {
        superuser: false,
        user: user.to_owned(),
        server: 150_000,
        roles: BTreeSet::new(),
        schemas: BTreeSet::from(["public".to_owned()]),
        memberships: BTreeSet::new(),
    };
    statements(catalogue, &bare, true, false).join(";\n") + ";"
}

fn forbidden(sql: &postgres_link::SqlError, failed: &str, all: &[String], standing: &Standing) -> EngineError {
    let wants_roles = failed.starts_with("CREATE ROLE") || failed.starts_with("GRANT") && failed.contains(" TO ");
    let user = identifier(&standing.user);
    let cure = if wants_roles {
        let roles: Vec<&str> = all
            .iter()
            .filter(|s| s.starts_with("CREATE ROLE") || s.contains("/* member */"))
            .map(String::as_str)
            .collect();
        format!(
            "as a superuser run: ALTER ROLE {user} CREATEROLE; or, once per server:\n{};\neverything else works without",
            roles.join(";\n")
        )
    } else {
        format!(
            "as a superuser or the database's owner run: GRANT CREATE ON DATABASE <this database> TO {user}; or make {user} its owner"
        )
    };
    let mut error = EngineError::new(
        ErrorCode::InsufficientPrivilege,
        format!("the user {user} may not prepare the target: {} (in: {})", sql.message, first_line(failed)),
    )
    .cure(cure);
    error.sql = Some(Box::new(sql.clone()));
    error
}

fn first_line(text: &str) -> &str {
    text.lines().find(|line| !line.trim_start().starts_with("--")).unwrap_or("")
}

async fn look(conn: &AdminConn, catalogue: &Catalogue) -> Result<Standing, EngineError> {
    let names: Vec<String> = roles(catalogue).iter().map(|role| literal(role)).collect();
    let list = if names.is_empty() { "''".to_owned() } else { names.join(", ") };
    let query = format!(
        "SELECT rolsuper, rolname FROM pg_roles WHERE rolname = current_user; \
         SELECT rolname FROM pg_roles WHERE rolname IN ({list}); \
         SELECT nspname FROM pg_namespace; \
         SELECT m.rolname, r.rolname FROM pg_auth_members g JOIN pg_roles m ON m.oid = g.member JOIN pg_roles r ON r.oid = g.roleid \
          WHERE r.rolname IN ({list}) {}",
        // From 16 on the creator of a role is its member without being able to become it.
        if conn.server_version_num() >= 160_000 { "AND g.set_option" } else { "" }
    );
    let outcome = conn.batch(&query).await.map_err(|e| own_statement(&e, "looking at the target's roles"))?;
    let column = |statement: usize| -> BTreeSet<String> {
        outcome
            .statements
            .get(statement)
            .into_iter()
            .flat_map(|s| s.rows.iter())
            .filter_map(|row| row[0].clone())
            .collect()
    };
    Ok(Standing {
        superuser: outcome.value(0, 0) == Some("t"),
        user: outcome.value(0, 1).unwrap_or_default().to_owned(),
        server: conn.server_version_num(),
        roles: column(1),
        schemas: column(2),
        memberships: outcome.statements[3].rows.iter().filter_map(|r| Some((r[0].clone()?, r[1].clone()?))).collect(),
    })
}

/// Every role that the catalogue names.
fn roles(catalogue: &Catalogue) -> BTreeSet<String> {
    let of_services =
        catalogue.services.values().flat_map(|s| [s.owner_role(), s.runtime_role()].into_iter().flatten());
    catalogue.roles.keys().cloned().chain(of_services).collect()
}

fn statements(catalogue: &Catalogue, standing: &Standing, installed: bool, prepared_before: bool) -> Vec<String> {
    let mut out = Vec::new();
    if installed {
        // What was made by an older program has none.
        out.push(store::DEFAULT_DURATION.to_owned());
    } else {
        out.extend(split(store::CREATE));
    }
    for (role, entry) in &catalogue.roles {
        if !standing.roles.contains(role) {
            out.push(format!("CREATE ROLE {} NOLOGIN", identifier(role)));
            if let Some(comment) = &entry.comment {
                out.push(format!("COMMENT ON ROLE {} IS {}", identifier(role), literal(comment)));
            }
        }
    }
    for (name, service) in &catalogue.services {
        service_roles(name, service, standing, &mut out);
    }
    let owners: BTreeSet<String> = catalogue.services.values().filter_map(Service::owner_role).collect();
    out.extend(confine::doors(&owners.into_iter().collect::<Vec<_>>()));
    for service in catalogue.services.values() {
        schemas(catalogue, service, standing, prepared_before, &mut out);
    }
    out.push(store::set_meta("catalogue", &fingerprint(catalogue)));
    out.push(
        "INSERT INTO migration_service.meta (key, value) VALUES ('prepared_at', extract(epoch FROM clock_timestamp())::text) \
         ON CONFLICT (key) DO UPDATE SET value = excluded.value"
            .to_owned(),
    );
    out
}

fn service_roles(name: &str, service: &Service, standing: &Standing, out: &mut Vec<String>) {
    let (Some(owner), Some(runtime)) = (service.owner_role(), service.runtime_role()) else { return };
    if !standing.roles.contains(&owner) {
        out.push(format!("CREATE ROLE {} NOLOGIN NOINHERIT", identifier(&owner)));
        out.push(format!(
            "COMMENT ON ROLE {} IS {}",
            identifier(&owner),
            literal(&format!("Owns the schemas of {name}; its migrations run as this role"))
        ));
    }
    if !standing.roles.contains(&runtime) {
        // Without a password nobody can sign in by it; the service's deployment gives it one.
        out.push(format!("CREATE ROLE {} LOGIN NOINHERIT", identifier(&runtime)));
        out.push(format!(
            "COMMENT ON ROLE {} IS {}",
            identifier(&runtime),
            literal(&format!("{name} signs in as this role"))
        ));
    }
    if !standing.superuser
        && !standing.memberships.contains(&(standing.user.clone(), owner.clone()))
        && standing.user != owner
    {
        out.push(format!("GRANT {} TO {} /* member */", identifier(&owner), identifier(&standing.user)));
    }
    for role in &service.member_of {
        if !standing.memberships.contains(&(runtime.clone(), role.clone())) {
            out.push(format!("GRANT {} TO {} /* member */", identifier(role), identifier(&runtime)));
        }
    }
}

fn schemas(
    catalogue: &Catalogue,
    service: &Service,
    standing: &Standing,
    prepared_before: bool,
    out: &mut Vec<String>,
) {
    let (Some(owner), Some(runtime)) = (service.owner_role(), service.runtime_role()) else { return };
    let (owner_q, runtime_q) = (identifier(&owner), identifier(&runtime));
    // Default privileges add up over a database and a schema, so PUBLIC's EXECUTE can only be taken away for all.
    out.push(format!("ALTER DEFAULT PRIVILEGES FOR ROLE {owner_q} REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC"));
    for schema in &service.schemas {
        let schema_q = identifier(schema);
        if standing.schemas.contains(schema) {
            if !prepared_before {
                out.push(format!("GRANT USAGE, CREATE ON SCHEMA {schema_q} TO {owner_q}"));
            }
            if schema == "public" && standing.server < 150_000 {
                out.push("REVOKE CREATE ON SCHEMA public FROM PUBLIC".to_owned());
            }
        } else {
            out.push(format!("CREATE SCHEMA {schema_q} AUTHORIZATION {owner_q}"));
        }
        if let Some(folder) = service.migrations.as_ref().filter(|folder| folder.schema(service) == schema) {
            let create = |name| format!("CREATE EXTENSION IF NOT EXISTS {} SCHEMA {schema_q}", identifier(name));
            out.extend(folder.extensions.iter().map(|name| create(name)));
        }
        let defaults = format!("ALTER DEFAULT PRIVILEGES FOR ROLE {owner_q} IN SCHEMA {schema_q}");
        out.push(format!("GRANT USAGE ON SCHEMA {schema_q} TO {runtime_q}"));
        out.push(format!("{defaults} GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {runtime_q}"));
        out.push(format!("{defaults} GRANT USAGE, SELECT ON SEQUENCES TO {runtime_q}"));
        out.push(format!("{defaults} GRANT EXECUTE ON FUNCTIONS TO {runtime_q}"));
        for other in catalogue.services.values() {
            let (Some(other_owner), Some(other_runtime)) = (other.owner_role(), other.runtime_role()) else { continue };
            if other_owner == owner {
                continue;
            }
            let others = format!("{}, {}", identifier(&other_owner), identifier(&other_runtime));
            if other.references.contains(schema) {
                out.push(format!("GRANT USAGE ON SCHEMA {schema_q} TO {others}"));
                out.push(format!("{defaults} GRANT REFERENCES ON TABLES TO {}", identifier(&other_owner)));
                out.push(format!("{defaults} GRANT EXECUTE ON FUNCTIONS TO {others}"));
                if prepared_before {
                    out.push(format!(
                        "GRANT REFERENCES ON ALL TABLES IN SCHEMA {schema_q} TO {}",
                        identifier(&other_owner)
                    ));
                    out.push(format!("GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA {schema_q} TO {others}"));
                }
            } else if prepared_before {
                out.push(format!("REVOKE USAGE ON SCHEMA {schema_q} FROM {others}"));
                out.push(format!("{defaults} REVOKE REFERENCES ON TABLES FROM {}", identifier(&other_owner)));
                out.push(format!("{defaults} REVOKE EXECUTE ON FUNCTIONS FROM {others}"));
                out.push(format!(
                    "REVOKE REFERENCES ON ALL TABLES IN SCHEMA {schema_q} FROM {}",
                    identifier(&other_owner)
                ));
                out.push(format!("REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA {schema_q} FROM {others}"));
            }
        }
    }
}

/// The statements of the engine's own schema, one by one, so that a failure names its statement.
fn split(sql: &str) -> Vec<String> {
    sql_grammar::parse(sql)
        .map_or_else(|_| vec![sql.to_owned()], |all| all.iter().map(|s| sql[s.range.clone()].to_owned()).collect())
}
