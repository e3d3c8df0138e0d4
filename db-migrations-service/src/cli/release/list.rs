//! `profe release list`

use clap::Args;

use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::show::{Table, Tone, time};
use crate::operations::ReleaseView;

/// Arguments.
#[derive(Debug, Args)]
pub struct List {
    /// Only this service
    #[arg(short, long, value_name = "NAME")]
    service: Option<String>,
}

impl List {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let releases = context.with_operations(async |operations| {
            Ok(operations.releases(context.environment(), self.service.as_deref(), &context.caller()).await?)
        })?;
        show(context, &releases);
        Ok(Exit::Ok)
    }
}

fn show(context: &Context, releases: &[ReleaseView]) {
    context.output.document(&releases);
    if releases.is_empty() {
        context.output.line("No service has said that it runs.");
        return;
    }
    let mut table = Table::new(&["ENVIRONMENT", "SERVICE", "RELEASE", "NEEDS", "INSTANCE", "SEEN, UTC"]);
    for release in releases {
        let needs = release.needs.as_ref().map_or_else(|| "unknown".to_owned(), |needs| needs.join(", "));
        for instance in &release.instances {
            let seen = if instance.silent { Tone::Warn } else { Tone::Dim };
            table.row([
                (release.environment.clone(), None),
                (release.service.clone(), None),
                (release.release.clone(), None),
                (needs.clone(), release.needs.is_none().then_some(Tone::Warn)),
                (instance.instance.clone(), None),
                (time(instance.seen_at), Some(seen)),
            ]);
        }
    }
    context.output.line(table.to_string());
}
