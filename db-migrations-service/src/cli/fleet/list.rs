//! `profe fleet list`

use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::show::{Table, Tone};

pub(super) fn run(context: &Context) -> Result<Exit, Failure> {
    let fleets = context.with_operations(async |operations| Ok(operations.fleets(&context.caller())))?;
    context.output.document(&fleets);
    if fleets.is_empty() {
        context.output.line("The catalogue has no fleets; [fleets.<name>] in config/services.toml describes one.");
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(&["FLEET", "SERVICE", "ENVIRONMENT", "FOUND BY", "SERVERS"]);
    for fleet in &fleets {
        let servers =
            fleet.problem.clone().map_or_else(|| (fleet.servers.join(", "), None), |why| (why, Some(Tone::Bad)));
        table.row([
            (fleet.fleet.clone(), None),
            (fleet.service.clone(), None),
            (fleet.environment.clone(), None),
            (fleet.found_by.to_owned(), Some(Tone::Dim)),
            servers,
        ]);
    }
    context.output.line(table.to_string());
    Ok(Exit::Ok)
}
