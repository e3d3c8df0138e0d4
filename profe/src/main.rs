//! `profe`: the whole platform as one program. `profe up` on a laptop, `profe serve` in a cluster, and the commands of
//! the migration service.
//!
//! Here are only arguments and the composition of parts; what they do stands in the services' own crates.

mod ready;
mod serve;
mod stack;
mod up;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use db_migrations_service::cli::{self, Context, Exit, Failure, Globals, Output, exit};
use runtime::telemetry;

/// The education platform's backend: databases, migrations, services
#[derive(Debug, Parser)]
#[command(name = "profe", version, max_term_width = 100, after_help = exit::HELP, disable_help_subcommand = true)]
struct Arguments {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start everything: a database, migrated and seeded, and the services; Ctrl-C stops it
    Up(up::Up),
    /// Serve without migrating: what runs in a cluster
    Serve(serve::Serve),
    #[command(flatten)]
    Service(cli::Command),
}

/// What a command says about itself on stderr, unless MIGRATION_SERVICE_LOG_LEVEL asks for more.
const COMMAND_LOG_LEVEL: &str = "warn";

fn main() -> ExitCode {
    let Arguments { globals, command } = Arguments::parse();
    let output = Output::new(globals.output, globals.color);
    match run(&globals, command) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            output.failure(&failure);
            failure.exit.into()
        }
    }
}

fn run(globals: &Globals, command: Command) -> Result<Exit, Failure> {
    // The doctor reports what cannot be read instead of stopping at it.
    let context = match &command {
        Command::Service(cli::Command::Doctor(_)) => Context::examine(globals),
        _ => Context::load(globals)?,
    };
    let serves = matches!(command, Command::Up(_) | Command::Serve(_));
    let asked = context.variables.get("MIGRATION_SERVICE_LOG_LEVEL").ok().flatten().is_some();
    let level = if serves || asked { &context.settings.log_level } else { COMMAND_LOG_LEVEL };
    telemetry::init(level, telemetry::Format::Human)
        .map_err(|error| Failure::settings(&[format!("MIGRATION_SERVICE_LOG_LEVEL: {error}")]))?;
    match command {
        Command::Up(up) => up.run(&context),
        Command::Serve(serve) => serve.run(&context),
        Command::Service(command) => command.run(&context),
    }
}
