//! What `profe doctor` says of the platform's own parts: the domain services and the gateway, as `profe up` and `profe serve` would set
//! them up from the same variables.
//!
//! A part that nobody has set up is not looked for: on a laptop `profe up` sets all of them up by itself. It changes nothing.

mod front;
mod letters;
mod one;
mod reach;

use db_migrations_service::cli::Context;
use db_migrations_service::doctor::Check;
use db_migrations_service::operations::Recording;
use runtime::Environment;

use crate::services::{self, DOMAINS, GATEWAY, Known, Wanted};
use crate::stack;

/// The cure of a value that cannot be used.
const CORRECT: &str = "correct the variable, or the line in .env";

/// Looks at all parts.
pub fn examine(context: &Context) -> Vec<Check> {
    // A project that cannot be opened is told of already, and another one's has none of these.
    let Ok(project) = context.project() else { return Vec::new() };
    let is_ours = Wanted::named(&[]).is_ok_and(|all| all.for_project(&project.catalogue.project.name).has(GATEWAY));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let (true, Ok(runtime)) = (is_ours, runtime) else { return Vec::new() };
    let environment = context.variables.clone().or_usually(services::usual(context, &known(context)));
    // What the parts' own look at each other would log is said here in a sentence.
    let silence = tracing::subscriber::set_default(tracing::subscriber::NoSubscriber::default());
    let checks = runtime.block_on(async {
        let mut checks = Vec::new();
        for definition in DOMAINS {
            checks.extend(Box::pin(one::service(definition, context, &environment)).await);
        }
        checks.extend(front::keys(context, &environment).await);
        checks.extend(letters::all(&environment).await);
        checks.extend(front::gateway(context, &environment).await);
        checks
    });
    drop(silence);
    once(checks)
}

/// Whether only parts without the migration service are set up here, as in a pod of theirs: then nothing is said of its databases.
pub fn is_only_parts(context: &Context) -> bool {
    let of_gateway = ["API_GATEWAY_AUTH_SERVICE", "API_GATEWAY_USER_SERVICE", "API_GATEWAY_ORGANIZATION_SERVICE"];
    let is_set_up = DOMAINS.iter().any(|definition| is_told(context, &format!("{}_DB_URL", definition.prefix)));
    !stack::has_databases(context) && (is_set_up || of_gateway.iter().any(|name| is_told(context, name)))
}

/// Somebody has set it, in place of what this program knows by itself.
fn is_told(context: &Context, name: &str) -> bool {
    context.variables.get(name).is_ok_and(|value| value.is_some())
}

/// What `profe up` here would know. A private server that is not there yet is not made.
fn known(context: &Context) -> Known {
    let migrations = Some(context.settings.address());
    let nothing = Known { migrations, private: None };
    if !context.problems.is_empty() || !stack::has_databases(context) {
        return nothing;
    }
    let (Ok(project), Ok(databases)) = (context.project(), context.databases()) else { return nothing };
    let Ok(operations) = context.operations(project, databases, Recording::Alongside) else { return nothing };
    stack::known(context, Some((databases, &operations)), migrations).unwrap_or(nothing)
}

/// What several parts read is wrong once.
fn once(checks: Vec<Check>) -> Vec<Check> {
    let mut kept: Vec<Check> = Vec::with_capacity(checks.len());
    for check in checks {
        let is_said = kept.iter().any(|other| other.cure.as_deref() == Some(CORRECT) && other.message == check.message);
        if !is_said {
            kept.push(check);
        }
    }
    kept
}

/// A sentence for each value that cannot be used.
fn unusable(area: &str, errors: &runtime::ConfigErrors) -> Vec<Check> {
    errors.0.iter().map(|error| Check::error(area, error.to_string(), CORRECT)).collect()
}

/// The value, where it can be read.
fn value(environment: &Environment, name: &str) -> Option<String> {
    environment.get(name).ok().flatten()
}
