//! One domain service: its settings, its database and the role it signs in as, its port, its schemas.

use std::path::Path;
use std::time::Duration;

use db_migrations_service::cli::Context;
use db_migrations_service::doctor::Check;
use migration_client::{Client, Verdict};
use postgres_link::tenant::{TenantPool, TxError};
use runtime::Environment;
use service::{Definition, Settings};

use super::{CORRECT, is_told, reach, unusable, value};

/// Stands in for a secret that the service would make up at its start.
const PLACEHOLDER: &str = "a secret that the doctor does not make up";

pub(super) async fn service(
    definition: &'static Definition,
    context: &Context,
    environment: &Environment,
) -> Vec<Check> {
    let area = definition.name;
    let settings = match settings(definition, environment) {
        Ok(settings) => settings,
        Err(checks) => return checks,
    };
    let variable = format!("{}_DB_URL", definition.prefix);
    let is_own = is_told(context, &variable);
    let mut checks = vec![match &settings.database {
        Some(_) => database(definition, &settings, is_own).await,
        None if context.settings.needs_private_cluster() && !super::is_only_parts(context) => {
            Check::note(area, "its database is not there yet; `profe up` makes it and lets the service in")
        }
        None => Check::note(area, format!("not served from here: {variable} names no database for it")),
    }];
    if settings.database.is_some() {
        let (prefix, address) = (definition.prefix, settings.address());
        checks.push(reach::port(area, address, &format!("{prefix}_PORT")));
    }
    if is_own {
        checks.push(schema(definition, settings).await);
    }
    checks
}

/// As the service reads them, but nothing is made.
fn settings(definition: &Definition, environment: &Environment) -> Result<Settings, Vec<Check>> {
    let area = definition.name;
    let wrong = |errors: runtime::ConfigErrors| unusable(area, &errors);
    let settings = Settings::read(definition, environment).map_err(wrong)?;
    if definition.name == users::DEFINITION.name {
        return users::UsersSettings::read(environment).map(|all| all.service).map_err(wrong);
    }
    if definition.name != auth::DEFINITION.name || settings.database.is_none() {
        return Ok(settings);
    }
    let folder = value(environment, "AUTH_SERVICE_DATA").unwrap_or_default();
    let would_be_made = settings.bind.is_loopback()
        && settings.environment.as_deref().is_none_or(|name| name == "development")
        && !Path::new(&folder).join("jwt-secret").exists();
    let mut environment = environment.clone();
    if would_be_made {
        environment = environment.or_usually([("AUTH_SERVICE_JWT_SECRET".to_owned(), PLACEHOLDER.to_owned())]);
    }
    auth::AuthSettings::read(&environment).map(|all| all.service).map_err(|error| match error {
        auth::AuthSettingsError::Values(errors) => wrong(errors),
        other => {
            let text = other.to_string();
            let (message, cure) = text.split_once("; ").unwrap_or((&text, CORRECT));
            vec![Check::error(area, message, cure)]
        }
    })
}

/// Whether it answers, and the role that signs in can do no more than serve requests.
async fn database(definition: &Definition, settings: &Settings, is_own: bool) -> Check {
    let Definition { name: area, prefix, role, .. } = *definition;
    let Some(options) = settings.database.clone() else { return Check::note(area, "") };
    let (user, database) = (options.user().to_owned(), options.database().to_owned());
    match TenantPool::new(options, settings.pool.clone()).verify().await {
        Ok(()) if user != role => Check::error(
            area,
            format!("it signs in to {database} as {user}, which is not its role"),
            format!("write {role} into {prefix}_DB_URL, with that role's password"),
        ),
        Ok(()) => Check::ok(area, format!("{user} signs in to {database}, and can do no more than serve requests")),
        Err(TxError::Unfit(unfit)) => {
            let (faults, cures): (Vec<_>, Vec<_>) = unfit.faults.into_iter().unzip();
            let message = format!("it must not sign in as {user}: {}", faults.join("; "));
            let cure = format!("sign in as {role}, which `profe migrate run` makes as it has to be, or mend {user}:");
            let check = Check::error(area, message, cure);
            cures.into_iter().fold(check, Check::statement)
        }
        // The private server's roles get their passwords when `profe up` starts.
        Err(error) if !is_own => Check::note(area, format!("it is not let in yet: {error}; `profe up` does it")),
        Err(error) => Check::error(
            area,
            format!("its database cannot be used: {error}"),
            format!(
                "correct {prefix}_DB_URL; migrating makes the role {role}, and its password comes from an administrator:"
            ),
        )
        .statement(format!("ALTER ROLE {role} PASSWORD '…';")),
    }
}

/// Whether its schemas are what it needs: asked as it asks itself.
async fn schema(definition: &'static Definition, settings: Settings) -> Check {
    let Definition { name: area, prefix, needs, .. } = *definition;
    let mut asked = migration_client::Settings::new(settings.migrations.clone(), area, env!("CARGO_PKG_VERSION"));
    asked.token = settings.migrations_token;
    asked.environment = settings.environment;
    asked.needs = needs.iter().map(|id| (*id).to_owned()).collect();
    let found = match Client::new(asked) {
        Ok(client) => client.compatibility(Duration::ZERO).await,
        Err(error) => Err(error),
    };
    match found {
        Ok(found) if found.verdict == Verdict::Compatible => {
            Check::ok(area, format!("its schemas in {} are what it needs", found.environment))
        }
        Ok(found) => {
            let why = found.reason.unwrap_or_else(|| "something is pending".to_owned());
            let cure = found.cure.unwrap_or_else(|| format!("profe migrate run --environment {}", found.environment));
            Check::error(area, format!("its schemas in {} are not what it needs: {why}", found.environment), cure)
        }
        Err(error) => Check::warning(
            area,
            format!("whether its schemas fit cannot be asked at {}: {error}", settings.migrations),
            format!(
                "start the migration service, or correct {prefix}_MIGRATION_SERVICE; where it wants a token, set \
                 {prefix}_MIGRATION_TOKEN to one with the scope release"
            ),
        ),
    }
}
