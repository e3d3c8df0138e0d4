//! The lines that tell a person where everything is.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use db_migrations_service::cli::{Context, show};
use db_migrations_service::operations::Operations;
use owo_colors::OwoColorize;
use serde_json::json;

use crate::services::{GATEWAY, MIGRATIONS};

const AUTH: &str = auth::DEFINITION.name;

/// One person per role of the development seeds, whose password is [`PASSWORD`].
const LOGINS: [(&str, &str); 5] = [
    ("admin", "admin@escuela.example"),
    ("teacher", "docente1@escuela.example"),
    ("student", "estudiante1@escuela.example"),
    ("parent", "acudiente1@escuela.example"),
    ("platform", "plataforma@profe.example"),
];
const PASSWORD: &str = "profe-desarrollo";

/// Prints them, or one JSON document.
pub fn announce(
    context: &Context,
    operations: Option<&Operations>,
    addresses: &[(&'static str, SocketAddr)],
    has_logins: bool,
    took: Duration,
) {
    let places: Vec<(&str, String)> = addresses.iter().map(|(name, address)| (*name, url(*address))).collect();
    let at = |name: &str| places.iter().find(|(place, _)| *place == name).map(|(_, url)| url.as_str());
    let environment = operations.and_then(|operations| operations.environment(context.environment()).ok());
    let target = environment.and_then(|entry| entry.target.as_ref().ok());
    let database = target.map(|target| target.connect.redacted());
    let has_logins = has_logins && at(AUTH).is_some() && environment.is_some_and(|entry| !entry.protected);
    let docs = at(MIGRATIONS).map(|api| format!("{api}/docs"));
    let front = at(GATEWAY).map(|gateway| format!("{gateway}/api"));
    let letters = at(AUTH).and_then(|_| letters(context));
    let output = context.output;
    let services: serde_json::Map<_, _> = places.iter().map(|(name, url)| ((*name).to_owned(), json!(url))).collect();
    let logins: Vec<_> = LOGINS.iter().filter(|_| has_logins).collect();
    output.json_line(&json!({
        "ready": true, "api": at(MIGRATIONS), "docs": docs, "platform": front, "services": services, "database": database,
        "letters": letters,
        "logins": logins.iter().map(|(role, email)| json!({ "role": role, "email": email, "password": PASSWORD })).collect::<Vec<_>>(),
        "startMs": took.as_millis() as u64,
    }));
    let seconds = show::duration(took.as_millis() as u64);
    output.line(format!("\n{} in {seconds}.\n", "Profe is ready".style(show::GOOD)));
    let line = |name: &str, text: &str| output.line(format!("  {name:<21} {}", text.style(show::BOLD)));
    let about = |text: &str| output.line(format!("  {:<21} {}", "", text.style(show::DIM)));
    if let Some(front) = &front {
        line("Platform", front);
        about(&format!("all services behind one address; how they are: {front}/status"));
    }
    for (name, url) in &places {
        line(name, url);
    }
    if let Some(docs) = &docs {
        line("API docs", docs);
        if at(AUTH).is_some() {
            about("every service has its own below /docs");
        }
    }
    if let Some(letters) = &letters {
        line("Letters", &letters.display().to_string());
    }
    if let Some(database) = &database {
        line("Database", database);
        about("with its password: profe db url");
    }
    if has_logins {
        output.line(format!("\nSign in with the password {}:", PASSWORD.style(show::BOLD)));
        for (role, email) in &logins {
            line(role, email);
        }
    }
    let tries = tries(at(MIGRATIONS), front.as_deref().filter(|_| has_logins));
    if !tries.is_empty() {
        output.line("\nTry:");
        for command in tries {
            output.line(format!("  {command}"));
        }
    }
    output.line(format!("\n{}", "Ctrl-C stops everything.".style(show::DIM)));
}

/// The folder where letters lie that no server is to take.
fn letters(context: &Context) -> Option<PathBuf> {
    let set = |name: &str| context.variables.get(name).ok().flatten();
    let folder = || set("MAIL_FOLDER").map_or_else(|| context.data_dir.join("mail"), PathBuf::from);
    set("MAIL_SMTP_URL").is_none().then(folder)
}

/// Lines to copy.
fn tries(migrations: Option<&str>, front: Option<&str>) -> Vec<String> {
    let mut tries = Vec::new();
    if let Some(api) = migrations {
        tries.push(format!("curl {api}/api/migrations/status"));
        tries.push(format!(
            "curl -X POST {api}/api/migrations/run -H \"Content-Type: application/json\" \
             -d '{{\"service\": \"auth-service\", \"environment\": \"production\"}}'"
        ));
        tries.push(format!(
            "curl -X POST {api}/api/backup/create -H \"Content-Type: application/json\" \
             -d '{{\"service\": \"auth-service\", \"description\": \"Pre-deployment\"}}'"
        ));
    }
    if let Some(front) = front {
        let (_, email) = LOGINS[0];
        tries.push(format!(
            "curl -X POST {front}/auth/login -H \"Content-Type: application/json\" \
             -d '{{\"email\": \"{email}\", \"password\": \"{PASSWORD}\"}}'"
        ));
    }
    tries
}

/// As people type it: the loopback address has a name.
fn url(address: SocketAddr) -> String {
    let host = if address.ip().is_loopback() { "localhost".to_owned() } else { address.ip().to_string() };
    format!("http://{host}:{}", address.port())
}
