//! `profe db erd`

use std::path::PathBuf;

use clap::Args;
use migration_engine::scratch::Scratch;
use owo_colors::OwoColorize;
use serde_json::json;

use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::show::GOOD;
use crate::erd::{self, Documents, Model};
use crate::operations::Operations;

/// Arguments.
#[derive(Debug, Args)]
pub struct Erd {
    /// Write nothing; fail when a file is not what it would be
    #[arg(long)]
    check: bool,
    /// The folder that they are written to
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    folder: PathBuf,
}

impl Erd {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let model = context.with_operations(async |operations| match context.environment() {
            Some(name) => live(&operations, name).await,
            None => scratch(&operations).await,
        })?;
        let documents = Documents::render(&model);
        let failed = |error: std::io::Error| Failure::file("read or write the documents in", &self.folder, &error);
        if self.check {
            let stale = documents.stale(&self.folder).map_err(failed)?;
            if !stale.is_empty() {
                return Err(outdated(&stale));
            }
            fresh(context, &documents);
            return Ok(Exit::Ok);
        }
        let written = documents.write(&self.folder).map_err(failed)?;
        if written.is_empty() {
            fresh(context, &documents);
            return Ok(Exit::Ok);
        }
        context.output.document(&json!({ "written": written }));
        for path in &written {
            context.output.line(format!(
                "{} {}",
                "wrote".style(GOOD),
                self.folder.strip_prefix(".").unwrap_or(&self.folder).join(path).display()
            ));
        }
        Ok(Exit::Ok)
    }
}

fn fresh(context: &Context, documents: &Documents) {
    context.output.document(&json!({ "fresh": documents.paths().collect::<Vec<_>>() }));
    context.output.line(format!("{}: the documents say what the catalog says.", "Fresh".style(GOOD)));
}

fn outdated(stale: &[PathBuf]) -> Failure {
    let names: Vec<String> = stale.iter().map(|path| path.display().to_string()).collect();
    let (is, it) = if names.len() == 1 { ("is", "it") } else { ("are", "them") };
    Failure::other(
        Exit::Failed,
        "stale",
        format!("{} {is} not what the migrations say", names.join(", ")),
        format!("run `profe db erd` and commit {it}"),
    )
}

/// From the databases in which the environment's services live.
async fn live(operations: &Operations, environment: &str) -> Result<Model, Failure> {
    let catalogue = operations.catalogue();
    let mut places = Vec::new();
    for name in operations.databases_of(Some(environment), None)? {
        let entry = operations.environment(Some(&name))?;
        let target = entry.target.as_ref().map_err(|reason| Failure::usage(reason.clone(), ""))?;
        let housed = catalogue.environment(&name)?;
        let services = catalogue.services.iter().filter(|(service, _)| housed.houses(service));
        let schemas: Vec<&str> = services.flat_map(|(_, entry)| entry.schemas.iter().map(String::as_str)).collect();
        places.push((target.connect.clone(), schemas));
    }
    Ok(erd::read(&places, catalogue).await?)
}

/// From a database of its own, so that what somebody tried out in theirs does not get into the documents.
async fn scratch(operations: &Operations) -> Result<Model, Failure> {
    let entry = operations.environment(None)?;
    let target = entry.target.as_ref().map_err(|reason| Failure::usage(reason.clone(), ""))?;
    let project = operations.project().together(&entry.environment);
    let scratch = Scratch::new(&target.connect, project, &entry.environment, false);
    let catalogue = operations.catalogue();
    let connect = scratch.create(&format!("erd_{}", catalogue.project.name)).await?;
    let schemas = catalogue.services.values().flat_map(|entry| entry.schemas.iter().map(String::as_str)).collect();
    let model = erd::read(&[(connect.clone(), schemas)], catalogue).await;
    scratch.drop(connect.database()).await?;
    Ok(model?)
}
