//! `profe`: the whole platform as one program. `profe up` on a laptop, `profe serve` in a cluster, and the commands of
//! the migration service.
//!
//! Here are only arguments and the composition of parts; what they do stands in the services' own crates.

mod crates;
mod doctor;
mod misused;
mod ready;
mod serve;
mod services;
mod stack;
mod up;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use db_migrations_service::cli::{self, Context, Exit, Failure, Globals, Output, exit};
use runtime::telemetry::{self, TelemetryError, TraceExport};
use runtime::trace;

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
    let Arguments { globals, command } = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return misused::answer(&error).into(),
    };
    let output = Output::new(globals.output, globals.color);
    // The doctor reports what cannot be read instead of stopping at it.
    let context = match &command {
        Command::Service(cli::Command::Doctor(_)) => Ok(Context::examine(&globals)),
        _ => Context::load(&globals),
    };
    let exit = match &context {
        Ok(context) => run(context, command),
        Err(failure) => Err(failure.clone()),
    };
    let exit = exit.unwrap_or_else(|failure| {
        output.failure(&failure);
        failure.exit
    });
    let lost = output.lost();
    if exit == Exit::Ok { lost.unwrap_or(exit) } else { exit }.into()
}

fn run(context: &Context, command: Command) -> Result<Exit, Failure> {
    let serves = matches!(command, Command::Up(_) | Command::Serve(_));
    let asked = context.variables.get("MIGRATION_SERVICE_LOG_LEVEL").ok().flatten().is_some();
    let level = if serves || asked { &context.settings.log_level } else { COMMAND_LOG_LEVEL };
    let traces = context.settings.traces_to.clone();
    let part = if let Command::Serve(serve) = &command { serve.alone() } else { None };
    let service = part.unwrap_or("profe").to_owned();
    let traces = traces.map(|endpoint| TraceExport { endpoint, service });
    let _telemetry = telemetry::init(level, context.settings.log_format, traces.as_ref(), &crates::OURS).map_err(
        |error| match error {
            TelemetryError::Traces(_) => Failure::settings(&[error.to_string()]),
            _ => Failure::settings(&[format!("MIGRATION_SERVICE_LOG_LEVEL: {error}")]),
        },
    )?;
    let mut context = context.clone();
    let is_read_as_json = serves && context.settings.log_format == telemetry::Format::Json;
    if is_read_as_json {
        context.output = context.output.with_logged_notes();
    }
    let _trace = (!serves).then(|| callers_trace().entered());
    let ended = match command {
        Command::Up(up) => up.run(&context),
        Command::Serve(serve) => serve.run(&context),
        Command::Service(cli::Command::Doctor(report)) => {
            let parts = doctor::examine(&context);
            Ok(report.report(&context, !doctor::is_only_parts(&context), parts))
        }
        Command::Service(command) => command.run(&context),
    };
    match ended {
        // While there is a log.
        Err(failure) if is_read_as_json => {
            context.output.failure(&failure);
            Ok(failure.exit)
        }
        ended => ended,
    }
}

/// The span of the command, a part of the trace of whoever calls it: a pipeline that traces its steps hands them
/// `TRACEPARENT` as the header of that name. Without it there is none, and what is done begins traces of its own.
fn callers_trace() -> tracing::Span {
    let variable = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
    let Some(parent) = variable("TRACEPARENT").filter(|parent| trace::trace_id(parent).is_some()) else {
        return tracing::Span::none();
    };
    let span = tracing::info_span!(target: "profe", "command");
    trace::adopt(&span, &parent, variable("TRACESTATE").as_deref());
    span
}
