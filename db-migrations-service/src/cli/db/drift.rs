//! `profe db drift`

use clap::Args;
use migration_engine::MigrationId;
use migration_engine::proof::drift::adopt::Undoing;
use owo_colors::OwoColorize;
use serde_json::json;

use super::diff;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::migrate::new::{Place, place, write};
use crate::cli::migrate::{confirm, stop_on_signals};
use crate::cli::several::missing;
use crate::cli::show::{GOOD, Output, WARN};

/// Arguments.
#[derive(Debug, Args)]
pub struct Drift {
    /// Write what differs in this schema as a migration, and record it as applied here
    #[arg(long, value_names = ["SCHEMA", "INTENT"], num_args = 2.., conflicts_with = "undo")]
    write_migration: Vec<String>,
    /// Print the SQL that brings the live schemas back to what their history makes; nothing is run
    #[arg(long)]
    undo: bool,
    /// Only this service's schemas
    #[arg(short, long, value_name = "NAME", conflicts_with = "write_migration")]
    service: Option<String>,
    /// Do not ask, also where the environment is protected
    #[arg(short, long)]
    yes: bool,
}

impl Drift {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        match self.write_migration.as_slice() {
            [schema, intent @ ..] => self.adopt(context, schema, intent),
            [] if self.undo => self.undo(context),
            [] => {
                let compared = diff::read(context, self.service.as_deref())?;
                let agrees = diff::show(context.output, &compared);
                let ended = missing(context.output, &compared.unavailable);
                Ok(if agrees { ended } else { Exit::Failed })
            }
        }
    }

    fn undo(&self, context: &Context) -> Result<Exit, Failure> {
        let undoings = context.with_operations(async |operations| {
            let (stop, service) = (stop_on_signals()?, self.service.as_deref());
            let mut undoings = Vec::new();
            for name in operations.databases_of(context.environment(), service)? {
                let undoing = operations.undo_drift(Some(&name), service, &context.caller(), stop.clone()).await?;
                undoings.push((name, undoing));
            }
            Ok(undoings)
        })?;
        match undoings.as_slice() {
            [(_, only)] => context.output.document(only),
            several => {
                let parts = several.iter().map(|(name, undoing)| json!({ "environment": name, "undo": undoing }));
                context.output.document(&json!({ "databases": parts.collect::<Vec<_>>() }));
            }
        }
        let mut exit = Exit::Ok;
        for (name, undoing) in &undoings {
            if undoings.len() > 1 {
                context.output.line(format!("-- {name}"));
            }
            if print_undoing(context.output, undoing) != Exit::Ok {
                exit = Exit::Failed;
            }
        }
        Ok(exit)
    }

    fn adopt(&self, context: &Context, schema: &str, intent: &[String]) -> Result<Exit, Failure> {
        if context.settings.project.is_none() {
            return Err(Failure::usage(
                "the project inside the program takes no files",
                "name the project's folder with --project",
            ));
        }
        let Place { service, version, name, up, down, .. } = place(context, schema, intent)?;
        let adoption = context.with_operations(async |operations| {
            let entry = operations.environment(context.environment())?;
            if entry.protected && !self.yes && context.output.can_ask() {
                confirm(context.output, &entry.environment)?;
            }
            let stop = stop_on_signals()?;
            Ok(operations.propose_adoption(context.environment(), schema, &context.caller(), stop).await?)
        })?;
        let output = context.output;
        if adoption.up.is_empty() && adoption.not_exact.is_empty() {
            output.document(&json!({ "adoption": adoption }));
            if adoption.align.is_empty() {
                output.line("Nothing to adopt: the schema is what its history makes.");
                return Ok(Exit::Ok);
            }
            output.line("Nothing to adopt: only owners and grants differ, which the catalogue says; see `profe db drift --undo`.");
            return Ok(Exit::Failed);
        }
        let head = format!("-- {}: adopts what was changed by hand.\n", intent.join(" ").replace('\n', " "));
        write(&up, &(head + &script(&adoption.up, &adoption.not_exact) + "\n"))?;
        let back = if adoption.down.is_empty() {
            "-- irreversible: nothing exact undoes what was changed by hand\n".to_owned()
        } else {
            format!("-- Undoes {name}.\n{}\n", script(&adoption.down, &adoption.not_restored))
        };
        write(&down, &back)?;
        let id: MigrationId = format!("{schema}/{version}")
            .parse()
            .map_err(|error| Failure::usage(format!("{error}"), "name a schema of the catalogue"))?;
        let exact = adoption.not_exact.is_empty();
        if exact {
            context.with_operations(async |operations| {
                Ok(operations.adopt(context.environment(), &id, &adoption.align, &context.caller()).await?)
            })?;
        }
        output.document(&json!({
            "migration": id, "service": service, "name": name, "up": up, "down": down, "recorded": exact, "adoption": adoption,
        }));
        output.line(format!("{} {}\n{0} {}", "wrote".style(GOOD), up.display(), down.display()));
        for words in &adoption.not_restored {
            output.line(format!("{} the way back does not restore: {words}", "!".style(WARN)));
        }
        if !exact {
            for words in &adoption.not_exact {
                output.line(format!("{} not made by it: {words}", "!".style(WARN)));
            }
            output.line("\nNot recorded: complete the files, or undo by hand what they cannot make.");
            return Ok(Exit::Failed);
        }
        for statement in &adoption.align {
            output.line(format!("{} here: {statement}", "ran".style(GOOD)));
        }
        output.line(format!("{} {id} as applied here; elsewhere a run applies it.", "recorded".style(GOOD)));
        Ok(Exit::Ok)
    }
}

fn print_undoing(output: Output, undoing: &Undoing) -> Exit {
    if undoing.statements.is_empty() && undoing.not_exact.is_empty() {
        output.line("-- Nothing to undo: the live schemas are what their history makes.");
        return Exit::Ok;
    }
    output.line(
        "-- Brings the live schemas back to what their history makes; tried on a throwaway database.\n\
         -- Run it as somebody who may do everything. What is dropped loses its rows.",
    );
    output.line(script(&undoing.statements, &undoing.not_exact));
    if undoing.not_exact.is_empty() { Exit::Ok } else { Exit::Failed }
}

/// Statements, and as comments what they do not do.
fn script(statements: &[String], not_exact: &[String]) -> String {
    let comments = not_exact.iter().map(|words| format!("-- not exactly: {}", words.replace('\n', " ")));
    statements.iter().map(|statement| format!("{statement};")).chain(comments).collect::<Vec<_>>().join("\n")
}
