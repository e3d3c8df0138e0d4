//! Taking over a folder that another tool has run, and the database that it has made.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use migration_engine::adopt::{AdoptRequest, AdoptionReport, Wanted, propose};
use migration_engine::catalogue::MigrationFolder;
use migration_engine::event::EventSink;
use migration_engine::request::RunContext;
use migration_engine::{Engine, EngineError, ErrorCode, Project};
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Caller, OperationError, Operations, RefusalCode};

/// What to adopt, and where.
#[derive(Debug, Clone, Default)]
pub struct AdoptOrder {
    /// Which environment; `None` is the default one.
    pub environment: Option<String>,
    /// The service that owns what the folder makes.
    pub service: String,
    /// The folder, where the catalogue does not name it yet.
    pub folder: Option<Wanted>,
    /// Without a history: everything up to this version counts as applied.
    pub baseline: Option<String>,
    /// Do all of it, and take it back.
    pub dry_run: bool,
    /// The environment's name, repeated, where it is protected.
    pub confirm: Option<String>,
    /// How long to wait for a run; zero answers at once.
    pub wait_for_lock: Duration,
}

/// What came of it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AdoptionView {
    /// What was taken over.
    #[serde(flatten)]
    pub report: AdoptionReport,
    /// What the catalogue says of the folder, or has to.
    pub catalogue: String,
    /// It was written to `config/services.toml` now.
    pub catalogue_written: bool,
    /// The catalogue named the folder before.
    pub catalogue_names_it: bool,
}

impl Operations {
    /// Adopts a folder: one transaction on the target, and, where the order names the folder, a section at the end of the
    /// project's catalogue after it. Whoever is stopped between the two does it again: what is adopted is told, and the
    /// section is written.
    ///
    /// # Errors
    /// Unknown names, a protected environment without confirmation, what the engine refuses; a catalogue that cannot be written,
    /// with the section that it lacks.
    pub async fn adopt_folder(
        &self,
        order: AdoptOrder,
        caller: &Caller,
        cancel: CancellationToken,
    ) -> Result<AdoptionView, OperationError> {
        caller.check(Some(&order.service))?;
        self.known_service(Some(&order.service))?;
        let home = self.home_name(order.environment.as_deref(), Some(&order.service))?;
        self.confirmed_adoption(&home, &order)?;
        let (project, folder, is_named) = self.project_to_adopt(&order)?;
        let engine = Engine::new(Arc::clone(&project), self.target(Some(&home))?.clone());
        let request =
            AdoptRequest { service: order.service.clone(), baseline: order.baseline.clone(), dry_run: order.dry_run };
        let context = RunContext {
            run_id: Uuid::now_v7(),
            actor: caller.actor.to_string(),
            events: EventSink::none(),
            cancel,
            wait_for_lock: order.wait_for_lock,
        };
        // A task of its own: whoever goes away in the middle leaves no scratch database behind.
        let adopting = tokio::spawn(async move { Box::pin(engine.adopt_folder(&request, &context)).await });
        let report = adopting.await.map_err(|error| EngineError::new(ErrorCode::Internal, error.to_string()))??;
        let catalogue = folder.to_toml(&order.service);
        let catalogue_written = !is_named && !order.dry_run;
        if catalogue_written && let Some(root) = project.root() {
            append(&root.join("config/services.toml"), &catalogue)?;
        }
        Ok(AdoptionView { report, catalogue, catalogue_written, catalogue_names_it: is_named })
    }

    /// The project with the folder in its catalogue, the folder, and whether it was there before.
    fn project_to_adopt(&self, order: &AdoptOrder) -> Result<(Arc<Project>, MigrationFolder, bool), OperationError> {
        let project = match (self.project().root(), &order.folder) {
            (Some(root), Some(wanted)) => Arc::new(Project::open_to_adopt(root, &wanted.path)?),
            (Some(root), None) => Arc::new(Project::open(root)?),
            (None, _) => Arc::clone(self.project()),
        };
        let named = project.catalogue.service(&order.service)?.migrations.clone();
        match (&order.folder, named) {
            (None, Some(folder)) => Ok((project, folder, true)),
            (Some(wanted), named) => {
                if project.root().is_none() {
                    return Err(OperationError::refuse(
                        RefusalCode::InvalidRequest,
                        "the project inside the program takes no folder",
                    )
                    .with_cure("name the project's folder with --project"));
                }
                let (project, folder) = propose(&project, &order.service, wanted)?;
                Ok((project, folder, named.is_some()))
            }
            (None, None) => Err(EngineError::new(
                ErrorCode::NotAdoptable,
                format!("the catalogue names no folder of another tool for {}", order.service),
            )
            .cure(format!(
                "add to config/services.toml: [services.{0}.migrations] with path = \"<folder>\" and layout = \"<tool>\"; or let `profe migrate adopt --from <tool> --path <folder> --service {0}` do it",
                order.service
            ))
            .into()),
        }
    }

    fn confirmed_adoption(&self, environment: &str, order: &AdoptOrder) -> Result<(), OperationError> {
        let whole = self.catalogue().whole_of(environment);
        let repeated = order.confirm.as_deref().is_some_and(|name| name == environment || name == whole);
        if !self.environment(Some(environment))?.protected || order.dry_run || repeated {
            return Ok(());
        }
        let message = format!("the environment {whole:?} is protected, and an adoption changes who owns its objects");
        Err(OperationError::refuse(RefusalCode::ConfirmationRequired, message).with_cure(format!(
            "look at it with dryRun first, then repeat the environment's name: \"confirm\": {whole:?}"
        )))
    }
}

/// Puts a section at the end of a file: it is there whole, or not at all.
fn append(path: &Path, section: &str) -> Result<(), OperationError> {
    let failed = |error: std::io::Error| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        EngineError::new(
            ErrorCode::ProjectUnreadable,
            format!("the adoption stands, and config/{name} cannot be written: {error}"),
        )
        .cure(format!("add to it:\n{section}"))
    };
    let text = std::fs::read_to_string(path).map_err(failed)?;
    let beside = path.with_extension("toml.new");
    std::fs::write(&beside, format!("{}\n\n{section}", text.trim_end())).map_err(failed)?;
    Ok(std::fs::rename(&beside, path).map_err(failed)?)
}
