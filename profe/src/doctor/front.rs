//! The front door, and the keys by which it and the services believe.

use std::net::TcpListener;
use std::time::Duration;

use db_migrations_service::cli::Context;
use db_migrations_service::doctor::Check;
use gateway::Place;
use keyring::Keyring;
use runtime::{CancellationToken, Environment};

use super::{is_told, reach, unusable};
use crate::services::GATEWAY;

/// Longer than the auth service takes to answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// Whether the keys of the auth service can be had, where somebody has said where it is.
pub(super) async fn keys(context: &Context, environment: &Environment) -> Option<Check> {
    const AREA: &str = "keys";
    if !is_told(context, "AUTH_SERVICE_URL") {
        return None;
    }
    // A URL that is none is told with the settings.
    let mut values = environment.collector();
    let settings = keyring::Settings::read(&mut values);
    let settings = values.finish(|| Some(settings)).ok()?;
    let place = settings.auth.clone();
    let stop = CancellationToken::new();
    let is_known = match Keyring::start(settings, &stop) {
        Ok(keyring) => tokio::time::timeout(PATIENCE, keyring.known()).await.is_ok(),
        Err(_) => false,
    };
    stop.cancel();
    Some(if is_known {
        Check::ok(AREA, format!("{place} publishes the keys by which sign-ins are believed"))
    } else {
        Check::warning(
            AREA,
            format!("{place} publishes no keys, so nobody's sign-in is believed"),
            "start the auth service and look at its /ready, or correct AUTH_SERVICE_URL",
        )
    })
}

/// Settings, route table, ports, and the services that somebody has said where they are.
pub(super) async fn gateway(context: &Context, environment: &Environment) -> Vec<Check> {
    let settings = match gateway::Settings::from_environment(environment) {
        Ok(settings) => settings,
        Err(errors) => return unusable(GATEWAY, &errors),
    };
    let table = settings.routes.as_ref().map_or_else(|| "built in".to_owned(), |path| path.display().to_string());
    let mut checks = vec![Check::ok(GATEWAY, format!("its route table ({table}) is good"))];
    let port = reach::port(GATEWAY, settings.address(), "API_GATEWAY_PORT");
    let serves = port.message.contains("serves");
    checks.push(port);
    if let Some(metrics) = settings.metrics.filter(|address| !serves && address.port() != 0)
        && let Err(error) = TcpListener::bind(metrics)
    {
        let message = format!("{metrics}, for its numbers, cannot be had: {error}");
        let cure = "stop what listens there, or choose another address, or off, with API_GATEWAY_METRICS";
        checks.push(Check::warning(GATEWAY, message, cure));
    }
    for (name, addresses) in settings.addresses {
        let variable = variable(&name);
        // The others are this program's own parts, which `profe up` starts.
        let places = if is_told(context, &variable) { Place::parse_all(&addresses) } else { continue };
        for place in places.unwrap_or_default() {
            checks.extend(copy(&name, &variable, place).await);
        }
    }
    checks
}

/// What says where a service is.
fn variable(service: &str) -> String {
    format!("API_GATEWAY_{}", service.replace('-', "_").to_ascii_uppercase())
}

/// Whether somebody listens at a place. Where SRV records lead is for the gateway to find out.
async fn copy(name: &str, variable: &str, place: Place) -> Option<Check> {
    let shown = place.to_string();
    let at = match place {
        Place::At(authority) => authority.to_string(),
        Place::Dns { name, port } => format!("{name}:{port}"),
        Place::Srv(_) => return None,
    };
    let asked = tokio::task::spawn_blocking(move || reach::listens(&at)).await;
    Some(match asked.unwrap_or_else(|error| Err(error.to_string())) {
        Ok(()) => Check::ok(GATEWAY, format!("{name} listens at {shown}")),
        Err(why) => Check::warning(
            GATEWAY,
            format!("{name} cannot be reached at {shown}: {why}"),
            format!("start it, or correct {variable}; until then the gateway answers 503 for what it serves"),
        ),
    })
}
