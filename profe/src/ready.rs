//! The lines that tell a person where everything is.

use std::net::SocketAddr;
use std::time::Duration;

use db_migrations_service::cli::{Context, show};
use db_migrations_service::operations::Operations;
use owo_colors::OwoColorize;
use serde_json::json;

/// Prints them, or one JSON document.
pub fn announce(context: &Context, operations: &Operations, address: SocketAddr, took: Duration) {
    // As people type it: the loopback address has a name.
    let host = if address.ip().is_loopback() { "localhost".to_owned() } else { address.ip().to_string() };
    let api = format!("http://{host}:{}", address.port());
    let target = operations.environment(context.environment()).ok().and_then(|entry| entry.target.as_ref().ok());
    let database = target.map(|target| target.connect.redacted()).unwrap_or_default();
    let docs = format!("{api}/docs");
    let output = context.output;
    output.json_line(&json!({
        "ready": true, "api": api, "docs": docs, "database": database, "startMs": took.as_millis() as u64,
    }));
    let seconds = show::duration(took.as_millis() as u64);
    output.line(format!("\n{} in {seconds}.\n", "Profe is ready".style(show::GOOD)));
    for (name, text) in [("API", &api), ("API docs", &docs), ("Database", &database)] {
        output.line(format!("  {name:<9} {}", text.style(show::BOLD)));
    }
    output.line(format!("            {}", "with its password: profe db url".style(show::DIM)));
    output.line("\nTry:");
    for command in [
        format!("curl {api}/api/migrations/status"),
        format!(
            "curl -X POST {api}/api/migrations/run -H \"Content-Type: application/json\" \
             -d '{{\"service\": \"auth-service\", \"environment\": \"production\"}}'"
        ),
        format!(
            "curl -X POST {api}/api/backup/create -H \"Content-Type: application/json\" \
             -d '{{\"service\": \"auth-service\", \"description\": \"Pre-deployment\"}}'"
        ),
    ] {
        output.line(format!("  {command}"));
    }
    output.line(format!("\n{}", "Ctrl-C stops everything.".style(show::DIM)));
}
