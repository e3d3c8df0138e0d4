//! What every test stands in: one PostgreSQL for all of them, and for each its own project, databases and server.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use db_migrations_service::operations::{BackupPlace, Caller, Operations, Recording, TokenOrder};
use db_migrations_service::settings::Settings;
use db_migrations_service::targets::Targets;
use db_migrations_service::webhooks::WebhookWays;
use db_migrations_service::{STARTUP_PART, Service};
use embedded_postgres::{Cluster, ClusterOptions};
use kernel::Actor;
use postgres_link::{AdminConn, ConnectOptions};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Lives as long as the process, and dies with it.
static CLUSTER: LazyLock<Cluster> = LazyLock::new(|| {
    let options = ClusterOptions::new(fresh_folder()).unsafe_without_fsync().setting("max_connections", "200");
    Cluster::start(&options).expect("PostgreSQL's server programs are installed")
});

/// A folder named after this process; those of processes that are gone are removed.
fn fresh_folder() -> PathBuf {
    const PREFIX: &str = "profe-http-test-";
    let base = std::env::temp_dir();
    for entry in std::fs::read_dir(&base).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.strip_prefix(PREFIX).is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            drop(std::fs::remove_dir_all(entry.path()));
        }
    }
    base.join(format!("{PREFIX}{}", std::process::id()))
}

/// A project with two services and one with nothing, on a server of its own.
pub struct World {
    pub address: SocketAddr,
    pub operations: Operations,
    pub project: tempfile::TempDir,
    pub schema: String,
    shutdown: CancellationToken,
    server: JoinHandle<std::io::Result<()>>,
    client: reqwest::Client,
}

/// How a world differs from the default one.
#[derive(Default)]
pub struct Setup {
    /// Beside or instead of the default project's; `{s}` is the world's suffix.
    pub files: Vec<(&'static str, &'static str)>,
    /// Variables of the service.
    pub variables: Vec<(&'static str, String)>,
    /// The project without migrations and seeds.
    pub empty: bool,
}

/// Two services, the second of which needs the first.
const FILES: [(&str, &str); 9] = [
    (
        "migrations/alumnos{s}/20260101000001_create_alumno.up.sql",
        "CREATE TABLE alumnos{s}.alumno (id int PRIMARY KEY, nombre text NOT NULL);",
    ),
    ("migrations/alumnos{s}/20260101000001_create_alumno.down.sql", "DROP TABLE alumnos{s}.alumno;"),
    ("migrations/alumnos{s}/20260102000000_add_email.up.sql", "ALTER TABLE alumnos{s}.alumno ADD COLUMN email text;"),
    ("migrations/alumnos{s}/20260102000000_add_email.down.sql", "ALTER TABLE alumnos{s}.alumno DROP COLUMN email;"),
    (
        "migrations/cursos{s}/20260101000001_create_matricula.up.sql",
        "CREATE TABLE cursos{s}.matricula (id int PRIMARY KEY, alumno int NOT NULL REFERENCES alumnos{s}.alumno (id));",
    ),
    ("migrations/cursos{s}/20260101000001_create_matricula.down.sql", "DROP TABLE cursos{s}.matricula;"),
    (
        "seeds/alumnos{s}/10_alumnos.sql",
        "INSERT INTO alumnos{s}.alumno (id, nombre) VALUES (1, 'Ana'), (2, 'Luis') ON CONFLICT DO NOTHING;",
    ),
    (
        "seeds/alumnos{s}/20_mas.development.sql",
        "INSERT INTO alumnos{s}.alumno (id, nombre) VALUES (3, 'Eva') ON CONFLICT DO NOTHING;",
    ),
    (
        "config/services.toml",
        r#"
        [project]
        name = "escuela"
        default_environment = "development"
        [environments.development]
        url_variable = "DEVELOPMENT_URL"
        database = "dev{s}"
        [environments.production]
        url_variable = "PRODUCTION_URL"
        database = "prod{s}"
        protected = true
        [environments.staging]
        url_variable = "STAGING_URL"
        [services.alumnos-service]
        schemas = ["alumnos{s}"]
        [services.cursos-service]
        schemas = ["cursos{s}"]
        references = ["alumnos{s}"]
        [services.nada-service]
        schemas = ["nada{s}"]
        "#,
    ),
];

pub async fn world() -> World {
    world_with(Setup::default()).await
}

pub async fn world_with(setup: Setup) -> World {
    let suffix = format!("_{:016x}", random());
    let project = tempfile::tempdir().expect("a folder");
    let given = setup.files.iter().map(|(path, text)| (*path, *text));
    let defaults = FILES.iter().copied().filter(|(path, _)| !setup.empty || path.starts_with("config/"));
    for folder in ["migrations", "seeds", "config"] {
        std::fs::create_dir_all(project.path().join(folder)).expect("a folder");
    }
    for (path, text) in defaults.chain(given) {
        let path = project.path().join(path.replace("{s}", &suffix));
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text.replace("{s}", &suffix)).expect("a file");
    }
    let master = format!("master{suffix}");
    admin("postgres").await.batch(&format!("CREATE DATABASE {master}")).await.expect("the superuser may");

    let mut variables: BTreeMap<String, String> = BTreeMap::new();
    variables.insert("MIGRATION_SERVICE_MASTER_DB_URL".to_owned(), url(&master));
    variables.insert("MIGRATION_SERVICE_PORT".to_owned(), "0".to_owned());
    // A look seals and verifies the audit: only in tests that are about it.
    variables.insert("MIGRATION_SERVICE_WATCH_INTERVAL".to_owned(), "off".to_owned());
    variables.insert("MIGRATION_SERVICE_SAMPLE_INTERVAL".to_owned(), "off".to_owned());
    variables.extend(setup.variables.iter().map(|(name, value)| ((*name).to_owned(), value.replace("{s}", &suffix))));
    let lookup = |name: &str| variables.get(name).cloned();
    // Runs that are under way when a test is over have nothing to end for.
    let settings = Settings { run_grace: std::time::Duration::ZERO, ..Settings::read(&lookup).expect("good settings") };
    let opened = db_migrations_service::project::open(Some(project.path())).expect("a good project");
    let targets = Targets::resolve(&opened.catalogue, &settings, &lookup, None).expect("good targets");
    let operations = Operations::new(opened, targets, Recording::First);
    operations.keep_backups_in(backups(&settings, project.path()));
    operations.call_webhooks_by(WebhookWays::resolve(operations.catalogue(), &lookup));
    let service = Service::bind(operations.clone(), &settings).await.expect("a free port");
    let readiness = service.readiness();
    readiness.report(STARTUP_PART, true);
    let (address, shutdown) = (service.address(), CancellationToken::new());
    let server = tokio::spawn(service.serve(shutdown.clone()));
    if !setup.variables.iter().any(|(name, _)| *name == "MIGRATION_SERVICE_MASTER_DB_URL") {
        readiness.ready().await;
    }
    // Also where nothing speaks TLS a client is made only with it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    World { address, operations, project, schema: format!("alumnos{suffix}"), shutdown, server, client }
}

/// As `profe up` does it: where the settings say, else a folder beside everything else.
pub fn backups(settings: &Settings, folder: &Path) -> BackupPlace {
    BackupPlace::new(settings, Some(folder.join("backups")), Arc::new(|name| std::env::var(name).ok()))
}

pub fn url(database: &str) -> String {
    CLUSTER.url(database)
}

/// A superuser's session.
pub async fn admin(database: &str) -> AdminConn {
    // The first caller starts the cluster, which blocks.
    let name = database.to_owned();
    let url = tokio::task::spawn_blocking(move || url(&name)).await.expect("no panic");
    let options = ConnectOptions::parse_with(&url, &|_| None).expect("the cluster's own URL");
    postgres_link::connect(&options).await.expect("the cluster runs")
}

fn random() -> u64 {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).expect("random bytes");
    u64::from_ne_bytes(bytes)
}

impl World {
    pub fn suffix(&self) -> &str {
        self.schema.strip_prefix("alumnos").expect("made so")
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("http://{}{path}", self.address))
    }

    pub async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        Answer::of(self.request(Method::POST, path).json(&body)).await
    }

    /// A token of these scopes, for these services (none: all), named after them.
    pub async fn token(&self, scopes: &[&str], services: &[&str]) -> String {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let order = TokenOrder {
            name: [scopes, services].concat().join(" "),
            scopes: owned(scopes),
            services: owned(services),
            expires_at: None,
        };
        let caller = Caller::unrestricted(Actor::cli("prueba"));
        let (_, token) = self.operations.create_token(order, &caller).await.expect("a good order");
        token.reveal().to_owned()
    }

    /// Stops the server and waits until it is gone.
    pub async fn stop(self) -> std::io::Result<()> {
        self.shutdown.cancel();
        self.server.await.expect("the server does not panic")
    }

    pub fn shutdown(&self) -> &CancellationToken {
        &self.shutdown
    }
}

/// Words of Rust and serde that tell a caller nothing.
const RUST: [&str; 11] = [
    "struct ",
    "usize",
    "u32",
    "i64",
    "Option",
    "serde",
    "deserialize",
    "sequence",
    "boolean",
    "digit found",
    "borrowed",
];

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl Answer {
    pub async fn of(request: RequestBuilder) -> Self {
        let response = request.send().await.expect("the server answers");
        let (status, headers) = (response.status(), response.headers().clone());
        Self { status, headers, text: response.text().await.expect("a whole answer") }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("text"))
    }

    /// It is this success.
    #[track_caller]
    pub fn is(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        self.json()
    }

    /// It is this problem, whole and in form.
    #[track_caller]
    pub fn is_problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        assert!(!RUST.iter().any(|word| self.text.contains(word)), "Rust's words: {self:?}");
        let body = self.json();
        assert_eq!(body["code"], code, "{self:?}");
        assert_eq!(body["status"], status, "{self:?}");
        assert_eq!(body["type"], format!("urn:profe:problem:{code}"), "{self:?}");
        for member in ["title", "detail", "message", "cure", "instance", "requestId"] {
            assert!(body[member].as_str().is_some_and(|text| !text.is_empty()), "{member}: {self:?}");
        }
        assert!(
            !self.text.contains("/tmp/") && !self.text.contains(CLUSTER.password()),
            "a secret or a path: {self:?}"
        );
        body
    }
}

/// Members that a test does not fix, replaced by what they are.
pub fn settled(mut body: Value, suffix: &str) -> Value {
    fn walk(value: &mut Value, suffix: &str) {
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    let replacement = match name.as_str() {
                        "migrationId" | "runId" | "requestId" | "rollbackRunId" if member.is_string() => Some("<id>"),
                        "startedAt" | "finishedAt" | "appliedAt" | "rolledBackAt" | "createdAt" | "at"
                            if member.is_string() =>
                        {
                            Some("<time>")
                        }
                        "durationMs" | "latencyMs" | "serverVersionNum" => Some("<number>"),
                        "checksum" => Some("<checksum>"),
                        _ => None,
                    };
                    match replacement {
                        Some(text) => *member = text.into(),
                        None => walk(member, suffix),
                    }
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| walk(item, suffix)),
            Value::String(text) => *text = text.replace(suffix, ""),
            _ => {}
        }
    }
    walk(&mut body, suffix);
    body
}
