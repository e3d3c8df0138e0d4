//! The domain services and the gateway: which of them are served, and what each has to know of the others.
//!
//! What nobody has set, this program knows: where the other parts of it listen, and on the private database how each service
//! signs in. Everything goes through the variables that a deployment would set, so that one process is set up as ten are.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use db_migrations_service::cli::{Context, Exit, Failure};
use hmac::{Hmac, KeyInit as _, Mac as _};
use postgres_link::AdminConn;
use postgres_link::quote::literal;
use runtime::{BoxError, CancellationToken, Component, Environment, Ready, Supervisor};
use service::{Definition, Service, local_url};
use sha2::Sha256;
use tokio::sync::watch;

/// Parts end by themselves within their times; this is for a machine that is busy.
const SLACK: Duration = Duration::from_secs(1);

/// The migration service's name in the catalogue.
pub const MIGRATIONS: &str = "migration-service";
/// The gateway's.
pub const GATEWAY: &str = "api-gateway";
/// The domain services, in the order in which they are started: the first one signs the tokens of all.
pub const DOMAINS: [&Definition; 3] = [&auth::DEFINITION, &users::DEFINITION, &organizations::DEFINITION];

/// The name of the platform's own project; others have services of their own, which are not these.
const PLATFORM: &str = "profe";

/// Which parts are served.
#[derive(Debug, Clone)]
pub struct Wanted {
    names: Vec<&'static str>,
    /// They were asked for by name: what cannot be served is an error then.
    by_name: bool,
}

impl Wanted {
    /// All parts that there are.
    pub fn all() -> Vec<&'static str> {
        let domains = DOMAINS.iter().map(|definition| definition.name);
        [MIGRATIONS].into_iter().chain(domains).chain([GATEWAY]).collect()
    }

    /// These parts; all of them where nobody names one.
    ///
    /// # Errors
    /// A name that none has.
    pub fn named(names: &[String]) -> Result<Self, Failure> {
        let all = Self::all();
        if names.is_empty() {
            return Ok(Self { names: all, by_name: false });
        }
        if let Some(unknown) = names.iter().find(|name| !all.contains(&name.as_str())) {
            let cure = format!("it has: {}", all.join(", "));
            return Err(Failure::usage(format!("this program has no service {unknown:?}"), cure));
        }
        let names = all.into_iter().filter(|name| names.iter().any(|wanted| wanted == name)).collect();
        Ok(Self { names, by_name: true })
    }

    /// Whether this part is served.
    pub fn has(&self, name: &str) -> bool {
        self.names.contains(&name)
    }

    /// Whether they were asked for by name.
    pub fn is_by_name(&self) -> bool {
        self.by_name
    }

    /// Without the parts of the platform where the project is another one's and nobody has named them.
    #[must_use]
    pub fn for_project(mut self, project: &str) -> Self {
        if !self.by_name && project != PLATFORM {
            self.names.retain(|name| *name == MIGRATIONS);
        }
        self
    }
}

/// Where each part listens, for who is told.
pub type Addresses = Vec<(&'static str, SocketAddr)>;

/// What this program knows of its other parts.
#[derive(Debug, Clone)]
pub struct Known {
    /// Where its migration service listens, if it is one of them.
    pub migrations: Option<SocketAddr>,
    /// The private server, if there is one: its URL as the superuser, and the database of the default environment on it.
    pub private: Option<(String, String)>,
}

/// The domain services and the gateway, as one part of the program: they begin when their databases are in place.
pub struct Platform {
    /// What a deployment would have set.
    environment: Environment,
    domains: Vec<&'static Definition>,
    has_front_door: bool,
    /// True once the databases are in place.
    begin: watch::Receiver<bool>,
    addresses: watch::Sender<Addresses>,
}

impl Platform {
    /// Looks at settings and ports, so that what is wrong with them is said before anything is migrated.
    ///
    /// # Errors
    /// Settings that cannot be used, and ports that are taken.
    pub fn prepare(
        context: &Context,
        wanted: &Wanted,
        known: &Known,
        begin: watch::Receiver<bool>,
    ) -> Result<Self, Failure> {
        let environment = context.variables.clone().or_usually(usual(context, known));
        let mut ports = Vec::new();
        let (mut domains, mut homeless) = (Vec::new(), Vec::new());
        for definition in DOMAINS.into_iter().filter(|definition| wanted.has(definition.name)) {
            let settings = service::Settings::read(definition, &environment).map_err(|errors| unusable(&errors))?;
            if settings.database.is_none() && !wanted.is_by_name() {
                homeless.push(definition);
                continue;
            }
            ports.push((definition.name, format!("{}_PORT", definition.prefix), settings.address()));
            domains.push(definition);
        }
        // A front door that leads nowhere is of use to nobody.
        let has_front_door = wanted.has(GATEWAY) && (wanted.is_by_name() || !domains.is_empty());
        if has_front_door {
            let settings = gateway::Settings::from_environment(&environment).map_err(|errors| unusable(&errors))?;
            ports.push((GATEWAY, "API_GATEWAY_PORT".to_owned(), settings.address()));
        }
        for (name, variable, address) in ports {
            if let Err(error) = TcpListener::bind(address) {
                let why = format!("{name} cannot listen on {address}: {error}");
                let cure = format!("stop what listens there, or choose another port with {variable}");
                return Err(Failure::other(Exit::Failed, "port", why, cure));
            }
        }
        if !homeless.is_empty() {
            let names: Vec<_> = homeless.iter().map(|definition| definition.name).collect();
            let variables: Vec<_> = homeless.iter().map(|definition| format!("{}_DB_URL", definition.prefix)).collect();
            let cure = format!("set {} for them (docs/platform.md)", variables.join(", "));
            let said = format!("Not served, for want of a database of their own: {}; {cure}.", names.join(", "));
            context.output.note(said);
        }
        Ok(Self { environment, domains, has_front_door, begin, addresses: watch::Sender::default() })
    }

    /// Where they listen, once they do.
    pub fn addresses(&self) -> watch::Receiver<Addresses> {
        self.addresses.subscribe()
    }
}

impl Component for Platform {
    fn name(&self) -> String {
        "platform".to_owned()
    }

    async fn run(mut self, ready: Ready, shutdown: CancellationToken) -> Result<(), BoxError> {
        // It fails only where nobody will say so any more.
        let begun = self.begin.wait_for(|in_place| *in_place);
        if shutdown.run_until_cancelled(begun).await.is_none_or(|said| said.is_err()) {
            return Ok(());
        }
        let stop = shutdown.child_token();
        let patience = stops_within(&self.environment);
        let supervisor = || Supervisor::new(stop.child_token()).stop_within(patience);
        let mut services = supervisor();
        let (environment, mut addresses) = Box::pin(bind(&self.domains, self.environment, &mut services)).await?;
        let mut parts = services.readiness();
        let serving = async {
            let ended = services.run().await;
            // Where there is none to serve they end at once, and the front door stands alone.
            if ended.is_err() {
                stop.cancel();
            }
            ended.map_err(BoxError::from)
        };
        // The front door opens when there is somebody behind it.
        let front = async {
            let are_ready = stop.run_until_cancelled(parts.wait_for(runtime::Readiness::is_ready)).await;
            if are_ready.is_none_or(|said| said.is_err()) {
                return Ok(());
            }
            let mut front = supervisor();
            if self.has_front_door {
                let gateway = gateway(&environment).await?;
                addresses.push((GATEWAY, gateway.address()));
                front.add(gateway);
            }
            self.addresses.send_replace(addresses);
            let mut parts = front.readiness();
            let announce = async {
                if parts.wait_for(runtime::Readiness::is_ready).await.is_ok() {
                    ready.ready();
                }
            };
            let (ended, ()) = tokio::join!(front.run(), announce);
            ended.map_err(BoxError::from)
        };
        let front = async {
            let ended = Box::pin(front).await;
            if ended.is_err() {
                stop.cancel();
            }
            ended
        };
        let (services, front) = tokio::join!(serving, front);
        services.and(front)
    }
}

async fn gateway(environment: &Environment) -> Result<gateway::Gateway, Failure> {
    let settings = gateway::Settings::from_environment(environment).map_err(|errors| unusable(&errors))?;
    gateway::Gateway::bind(&settings).await.map_err(|error| cannot_start(GATEWAY, &error.to_string()))
}

/// After so long a time all of them have ended by themselves.
pub fn stops_within(variables: &Environment) -> Duration {
    let drain = variables.parse("API_GATEWAY_DRAIN_SECONDS").ok().flatten().map(Duration::from_secs);
    Service::stops_within().max(drain.unwrap_or(gateway::Times::default().drain)) + SLACK
}

/// Takes the ports of these services, and hands them to who runs them. What is known of each is added to the environment.
async fn bind(
    domains: &[&'static Definition],
    mut environment: Environment,
    supervisor: &mut Supervisor,
) -> Result<(Environment, Addresses), Failure> {
    let mut addresses = Addresses::new();
    for definition in domains {
        let service = Box::pin(one(definition, &environment)).await?;
        environment = environment.or_usually(told_to_others(definition, service.address()));
        addresses.push((definition.name, service.address()));
        supervisor.add(service);
    }
    Ok((environment, addresses))
}

async fn one(definition: &Definition, environment: &Environment) -> Result<Service, Failure> {
    if definition.name == auth::DEFINITION.name {
        let settings = auth::AuthSettings::read(environment).map_err(|error| match error {
            auth::AuthSettingsError::Values(errors) => unusable(&errors),
            other => Failure::settings(&[other.to_string()]),
        })?;
        return auth::bind(settings).await.map_err(|error| cannot_start(definition.name, &error.to_string()));
    }
    if definition.name == users::DEFINITION.name {
        let settings = users::settings(environment).map_err(|errors| unusable(&errors))?;
        return users::bind(settings).await.map_err(|error| cannot_start(definition.name, &error.to_string()));
    }
    let settings = organizations::settings(environment).map_err(|errors| unusable(&errors))?;
    organizations::bind(settings).await.map_err(|error| cannot_start(definition.name, &error.to_string()))
}

/// What is usual before anything listens.
pub fn usual(context: &Context, known: &Known) -> Vec<(String, String)> {
    let data = |name: &str| context.data_dir.join(name).display().to_string();
    let mut usual = vec![("AUTH_SERVICE_DATA".to_owned(), data("auth")), ("MAIL_FOLDER".to_owned(), data("mail"))];
    // Links in letters lead to the front door.
    if let Ok(Some(port)) = context.variables.parse::<u16>("API_GATEWAY_PORT")
        && port != 0
    {
        usual.push(("AUTH_SERVICE_PUBLIC_URL".to_owned(), format!("http://localhost:{port}")));
    }
    for Definition { prefix, role, .. } in DOMAINS {
        if let Some(address) = known.migrations {
            usual.push((format!("{prefix}_MIGRATION_SERVICE"), local_url(address)));
        }
        if let Some(environment) = context.environment.as_ref().or(context.settings.environment.as_ref()) {
            usual.push((format!("{prefix}_ENVIRONMENT"), environment.clone()));
        }
        if let Some((url, database)) = &known.private {
            usual.push((format!("{prefix}_DB_URL"), url_of(url, role, database)));
        }
    }
    if let Some(address) = known.migrations {
        usual.push(("API_GATEWAY_MIGRATION_SERVICE".to_owned(), local_url(address)));
    }
    usual
}

/// What the others are to know of a service that listens.
fn told_to_others(definition: &Definition, address: SocketAddr) -> Vec<(String, String)> {
    let mut told = vec![(format!("API_GATEWAY_{}", definition.prefix), local_url(address))];
    if definition.name == auth::DEFINITION.name {
        told.push(("AUTH_SERVICE_URL".to_owned(), local_url(address)));
    }
    told
}

/// Gives the roles of the services their passwords on the private server. Only whoever may read its own password can know them.
///
/// # Errors
/// What the server says.
pub async fn let_them_in(session: &AdminConn, private_url: &str) -> Result<(), Failure> {
    for Definition { role, .. } in DOMAINS {
        let password = literal(&password(private_url, role));
        // A database that was never migrated has no such role yet.
        let sql = format!(
            "DO $$ BEGIN IF EXISTS (SELECT FROM pg_roles WHERE rolname = {}) THEN \
             EXECUTE {}; END IF; END $$",
            literal(role),
            literal(&format!("ALTER ROLE {role} PASSWORD {password}"))
        );
        session.batch(&sql).await.map_err(|error| {
            Failure::other(Exit::Failed, "roles", format!("the role {role} got no password: {error}"), "")
        })?;
    }
    Ok(())
}

/// The URL of a database on the private server, as this role.
fn url_of(private_url: &str, role: &str, database: &str) -> String {
    let rest = private_url.split_once('@').map_or("", |(_, rest)| rest);
    let (server, query) = rest
        .split_once('/')
        .map_or((rest, ""), |(server, rest)| (server, rest.split_once('?').map_or("", |(_, query)| query)));
    let query = if query.is_empty() { String::new() } else { format!("?{query}") };
    format!("postgresql://{role}:{}@{server}/{database}{query}", password(private_url, role))
}

/// Derived, so that every process of this account finds the same without keeping another secret.
fn password(private_url: &str, role: &str) -> String {
    let secret = private_url.split_once("://").and_then(|(_, rest)| rest.split_once('@')).map_or("", |(user, _)| user);
    // A key of any length is fine for an HMAC.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return String::new() };
    mac.update(b"password of the role ");
    mac.update(role.as_bytes());
    let digest = mac.finalize().into_bytes();
    digest.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

fn unusable(errors: &runtime::ConfigErrors) -> Failure {
    Failure::settings(&errors.0.iter().map(ToString::to_string).collect::<Vec<_>>())
}

fn cannot_start(name: &str, why: &str) -> Failure {
    let why = if why.starts_with(name) { why.to_owned() } else { format!("{name}: {why}") };
    Failure::other(Exit::Failed, "start", why, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_has_its_own_password_on_its_own_server() {
        let one = "postgresql://postgres:a@127.0.0.1:5433/postgres?sslmode=disable";
        let url = url_of(one, "auth_service", "profe_database");
        assert!(
            url.starts_with("postgresql://auth_service:")
                && url.ends_with("@127.0.0.1:5433/profe_database?sslmode=disable"),
            "{url}"
        );
        assert_eq!(password(one, "auth_service"), password(one, "auth_service"));
        assert_ne!(password(one, "auth_service"), password(one, "users_service"));
        assert_ne!(password(one, "auth_service"), password(&one.replace(":a@", ":b@"), "auth_service"));
        assert_eq!(password(one, "auth_service").len(), 64);
    }

    #[test]
    fn the_platforms_parts_are_for_the_platforms_project() {
        let all = || Wanted::named(&[]).expect("nobody is named");
        assert_eq!(all().for_project("profe").names, Wanted::all());
        assert_eq!(all().for_project("escuela").names, [MIGRATIONS]);
        let named = Wanted::named(&[GATEWAY.to_owned()]).expect("a part");
        assert_eq!(named.for_project("escuela").names, [GATEWAY]);
        assert!(Wanted::named(&["billing".to_owned()]).is_err());
    }
}
