//! What every command starts from: options, settings, the project, and the way to the databases.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use kernel::Actor;
use migration_engine::Project;
use runtime::Environment;

use super::Globals;
use super::databases::Databases;
use super::exit::Exit;
use super::failure::Failure;
use super::show::Output;
use crate::operations::{BackupPlace, Caller, Operations, Recording};
use crate::project;
use crate::settings::Settings;
use crate::targets::Targets;
use crate::webhooks::WebhookWays;

/// The folder of the private cluster, below the current one.
pub const DATA_DIR: &str = ".profe";
/// Beside the private cluster.
const BACKUPS: &str = "backups";
/// Variables that may be given as `…_FILE`; a file that cannot be read must not count as "not set".
const VARIABLES: [&str; 13] = [
    "DATABASE_URL",
    "MIGRATION_SERVICE_MASTER_DB_URL",
    "MIGRATION_SERVICE_PORT",
    "MIGRATION_SERVICE_BIND",
    "MIGRATION_SERVICE_PROJECT",
    "MIGRATION_SERVICE_BACKUP_STORAGE",
    "MIGRATION_SERVICE_BACKUP_RECIPIENTS",
    "MIGRATION_SERVICE_BACKUP_IDENTITY",
    "MIGRATION_SERVICE_ALERTMANAGER_URL",
    "MIGRATION_SERVICE_ALERT_WEBHOOKS",
    "MIGRATION_SERVICE_ALERT_WEBHOOK_SECRET",
    "MIGRATION_SERVICE_SMTP_URL",
    "PROFE_DATA_DIR",
];

/// Options, settings and environment, read once.
#[derive(Debug, Clone)]
pub struct Context {
    /// Where answers go.
    pub output: Output,
    /// What the environment says.
    pub settings: Settings,
    /// All variables.
    pub variables: Environment,
    /// The private cluster's folder.
    pub data_dir: PathBuf,
    /// `--environment`.
    pub environment: Option<String>,
    /// The folder of another tool that the command is to adopt.
    pub to_adopt: Option<String>,
    /// What of the environment cannot be used; empty except for the doctor.
    pub problems: Vec<String>,
    /// Held until the command has said all it has to say: others may be waited for then.
    databases: Arc<OnceLock<Databases>>,
}

impl Context {
    /// Reads the environment and `.env`.
    ///
    /// # Errors
    /// Every value that cannot be used.
    pub fn load(globals: &Globals) -> Result<Self, Failure> {
        let context = Self::examine(globals);
        if context.problems.is_empty() { Ok(context) } else { Err(Failure::settings(&context.problems)) }
    }

    /// As [`load`](Self::load), with defaults in place of what cannot be used, and the list of it.
    pub fn examine(globals: &Globals) -> Self {
        let mut problems = Vec::new();
        let variables = Environment::load().unwrap_or_else(|errors| {
            problems.extend(errors.0.iter().map(ToString::to_string));
            Environment::default()
        });
        problems.extend(VARIABLES.iter().filter_map(|name| variables.get(name).err()).map(|error| error.to_string()));
        let mut settings = Settings::read(&variables.lookup()).unwrap_or_else(|error| {
            problems.extend(error.problems);
            Settings::default()
        });
        settings.project = globals.project.clone().or(settings.project);
        let from_variable = || variables.get("PROFE_DATA_DIR").ok().flatten().map(PathBuf::from);
        let data_dir = globals.data_dir.clone().or_else(from_variable).unwrap_or_else(|| DATA_DIR.into());
        let output = Output::new(globals.output, globals.color);
        Self {
            output,
            settings,
            data_dir,
            environment: globals.environment.clone(),
            variables,
            to_adopt: None,
            problems,
            databases: Arc::default(),
        }
    }

    /// The environment asked for.
    pub fn environment(&self) -> Option<&str> {
        self.environment.as_deref()
    }

    /// The project to work with.
    ///
    /// # Errors
    /// Files that cannot be read or are not as they should be; an environment that it does not have.
    pub fn project(&self) -> Result<Arc<Project>, Failure> {
        let project = project::open_with(self.settings.project.as_deref(), self.to_adopt.as_deref())?;
        if let Some(name) = self.environment() {
            project.catalogue.environment(name)?;
        }
        let variables = project.catalogue.environments.values().filter_map(|entry| entry.url_variable.as_deref());
        let of_fleets = project.catalogue.fleets.values().flat_map(|fleet| {
            let listed = fleet.databases.iter().filter_map(|word| word.strip_prefix('$'));
            fleet.servers.iter().map(String::as_str).chain(listed)
        });
        let unreadable: Vec<_> = variables.chain(of_fleets).filter_map(|name| self.variables.get(name).err()).collect();
        if unreadable.is_empty() { Ok(project) } else { Err(Failure::settings(&unreadable)) }
    }

    /// Reaches the server, the first time. Blocks; a first start of a private cluster takes seconds.
    ///
    /// # Errors
    /// A private cluster that does not start.
    pub fn databases(&self) -> Result<&Databases, Failure> {
        if let Some(databases) = self.databases.get() {
            return Ok(databases);
        }
        let private = self.settings.needs_private_cluster();
        let reached = if private { Databases::reach(&self.data_dir, self.output)? } else { Databases::default() };
        Ok(self.databases.get_or_init(|| reached))
    }

    /// Project, targets and master database.
    ///
    /// # Errors
    /// Settings that contradict each other.
    pub fn operations(
        &self,
        project: Arc<Project>,
        databases: &Databases,
        recording: Recording,
    ) -> Result<Operations, Failure> {
        let targets =
            Targets::resolve(&project.catalogue, &self.settings, &self.variables.lookup(), databases.private())?;
        let operations = Operations::new(project, targets, recording);
        operations.keep_backups_in(self.backup_place());
        operations.call_webhooks_by(WebhookWays::resolve(operations.catalogue(), &self.variables.lookup()));
        if let Some(path) = &self.settings.audit_anchor_file {
            operations.master().anchor_in(path).map_err(crate::serve::StartError::from)?;
        }
        Ok(operations)
    }

    /// Where backups are kept: where the settings say, else beside the private cluster.
    fn backup_place(&self) -> BackupPlace {
        let variables = self.variables.clone();
        let beside = self.settings.needs_private_cluster().then(|| self.data_dir.join(BACKUPS));
        BackupPlace::new(&self.settings, beside, Arc::new(move |name| variables.get(name).ok().flatten()))
    }

    /// Whoever sits here may do everything.
    pub fn caller(&self) -> Caller {
        let named = ["SUDO_USER", "USER", "LOGNAME"].iter().find_map(|name| self.variables.get(name).ok().flatten());
        let account = named.or_else(account_name).unwrap_or_else(|| "unknown".to_owned());
        Caller::unrestricted(Actor::cli(&account))
    }

    /// An output that shows the moving line of a run and keeps its lines to itself.
    pub(super) fn quiet(&self) -> Output {
        self.output.without_lines()
    }

    /// Runs `work` on one thread, with the databases at hand.
    ///
    /// # Errors
    /// Everything on the way there, and those of `work`.
    pub fn with_operations<T>(&self, work: impl AsyncFnOnce(Operations) -> Result<T, Failure>) -> Result<T, Failure> {
        let project = self.project()?;
        let databases = self.databases()?;
        let operations = self.operations(project, databases, Recording::Alongside)?;
        block_on(work(operations))?
    }
}

/// The account's name where no variable says it, as under `systemd` and `docker run`.
fn account_name() -> Option<String> {
    let uid = std::fs::metadata("/proc/self").ok()?.uid().to_string();
    let accounts = std::fs::read_to_string("/etc/passwd").ok()?;
    let mut fields = accounts.lines().map(|line| line.split(':').collect::<Vec<_>>());
    fields.find(|fields| fields.get(2) == Some(&uid.as_str())).map(|fields| fields[0].to_owned())
}

/// Runs a future on this thread.
///
/// # Errors
/// The runtime cannot be made; the future's own errors are within.
pub fn block_on<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime =
        runtime.map_err(|error| Failure::other(Exit::Failed, "runtime", format!("cannot start: {error}"), ""))?;
    Ok(runtime.block_on(work))
}
