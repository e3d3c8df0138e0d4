//! The command line: the same operations as over HTTP, with the same words, on the databases themselves.
//!
//! It decides nothing. Each command is one file that translates arguments into a call of [`operations`](crate::operations)
//! and the answer into a table or a JSON document; what all of them share stands in [`context`] (where the databases
//! are) and [`show`] (how things look). `profe` adds what starts and serves.

pub mod context;
pub mod exit;
pub mod failure;
pub mod show;

mod alerts;
mod audit;
mod backup;
mod bring_up;
mod databases;
mod db;
mod doctor;
mod fleet;
mod follow;
mod migrate;
mod openapi;
mod release;
mod scene;
mod seeds;
mod several;
mod token;
mod webhooks;

use std::path::PathBuf;

use clap::{Args, Subcommand};

pub use bring_up::bring_up;
pub use context::Context;
pub use databases::Databases;
pub use exit::Exit;
pub use failure::Failure;
pub use show::{Colour, Format, Output};

/// Options that every command takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Options of every command")]
pub struct Globals {
    /// Serve this project folder instead of the one built in (MIGRATION_SERVICE_PROJECT)
    #[arg(long, global = true, value_name = "FOLDER")]
    pub project: Option<PathBuf>,
    /// Where the private database lives [PROFE_DATA_DIR; default: .profe]
    #[arg(long, global = true, value_name = "FOLDER")]
    pub data_dir: Option<PathBuf>,
    /// The environment meant [MIGRATION_SERVICE_ENVIRONMENT; default: the catalogue's]
    #[arg(short, long, global = true, value_name = "NAME")]
    pub environment: Option<String>,
    /// Tables for people, or JSON for programs
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Format,
    /// Colours: where they are wanted, always, or never
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub color: Colour,
}

/// What the migration service offers on the command line.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Look at migrations, apply them, take them back, write new ones
    #[command(subcommand)]
    Migrate(migrate::Command),
    /// One service's schema on many databases: where they stand, and bringing them forward in waves
    #[command(subcommand)]
    Fleet(fleet::Command),
    /// Fill databases with reference and development data
    #[command(subcommand)]
    Seeds(seeds::Command),
    /// The database itself: its diagrams, throwaway copies, its address
    #[command(subcommand)]
    Db(db::Command),
    /// Who changed the schema, and whether the record of it is whole
    #[command(subcommand)]
    Audit(audit::Command),
    /// What is worth waking somebody for, and who is told
    #[command(subcommand)]
    Alerts(alerts::Command),
    /// Which releases of the services run, and whether the schemas fit a release
    #[command(subcommand)]
    Release(release::Command),
    /// What services are told of their migrations
    #[command(subcommand)]
    Webhooks(webhooks::Command),
    /// Make backups, prove that they can be restored, restore them
    #[command(subcommand)]
    Backup(backup::Command),
    /// Say what is wrong with this installation, and what to do
    Doctor(doctor::Doctor),
    /// API tokens
    #[command(subcommand)]
    Token(token::Command),
    /// Print the OpenAPI document of the HTTP API
    Openapi(openapi::Openapi),
}

impl Command {
    /// Does it. What people and programs read goes to `context.output`.
    ///
    /// # Errors
    /// Whatever the command failed at, ready to be shown.
    pub fn run(self, context: &Context) -> Result<Exit, Failure> {
        match self {
            Self::Migrate(command) => command.run(context),
            Self::Fleet(command) => command.run(context),
            Self::Seeds(command) => command.run(context),
            Self::Db(command) => command.run(context),
            Self::Audit(command) => command.run(context),
            Self::Alerts(command) => command.run(context),
            Self::Release(command) => command.run(context),
            Self::Webhooks(command) => command.run(context),
            Self::Backup(command) => command.run(context),
            Self::Doctor(command) => command.run(context),
            Self::Token(command) => command.run(context),
            Self::Openapi(command) => Ok(command.run(context)),
        }
    }
}
