//! `profe audit …`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use migration_engine::audit::{AuditEntry, AuditFilter, AuditPage, AuditReport};
use owo_colors::OwoColorize;
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::context::Context;
use super::exit::Exit;
use super::failure::Failure;
use super::migrate::heading;
use super::several::{asked, missing};
use super::show::{BAD, GOOD, Table, Tone, WARN, count, time};
use crate::master::anchor_file::AnchorFile;
use crate::operations::AuditOrder;

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Who changed the schema, newest first
    List(List),
    /// Find out whether the record is whole; ends with 1 where it is not
    Verify(Verify),
}

/// Arguments.
#[derive(Debug, Args)]
pub struct Verify {
    /// Only the database that this service lives in
    #[arg(short, long, value_name = "NAME")]
    service: Option<String>,
    /// Compare with the former ends in this file as well, as MIGRATION_SERVICE_AUDIT_ANCHOR_FILE writes them
    #[arg(long, value_name = "FILE")]
    anchors: Option<PathBuf>,
}

/// Arguments.
#[derive(Debug, Args)]
pub struct List {
    /// Only what touches this service's schemas, in the database that it lives in
    #[arg(short, long, value_name = "NAME")]
    service: Option<String>,
    /// Only what touches this schema
    #[arg(long, value_name = "NAME")]
    schema: Option<String>,
    /// Only this database role, signed in or set
    #[arg(long, value_name = "NAME")]
    role: Option<String>,
    /// Only this command tag: "CREATE TABLE"
    #[arg(long, value_name = "TAG")]
    command: Option<String>,
    /// Only what did not come through the service
    #[arg(long)]
    foreign: bool,
    /// At this time or later: 2026-09-01T00:00:00Z
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<OffsetDateTime>,
    /// Before this time
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<OffsetDateTime>,
    /// At most so many lines
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
    limit: usize,
}

impl Command {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        match self {
            Self::List(list) => list.run(context),
            Self::Verify(verify) => verify.run(context),
        }
    }
}

impl List {
    fn run(self, context: &Context) -> Result<Exit, Failure> {
        let filter = AuditFilter {
            since: self.since,
            until: self.until,
            role: self.role,
            schemas: self.schema.map(|schema| vec![schema]),
            via_service: self.foreign.then_some(false),
            command: self.command,
            before: None,
            limit: self.limit,
        };
        let order = AuditOrder { environment: context.environment.clone(), service: self.service, filter };
        let spread = context
            .with_operations(async |operations| Ok(operations.audits(order.clone(), &context.caller()).await?))?;
        match spread.answers.as_slice() {
            [(_, only)] if !spread.is_several() => context.output.document(&only.entries),
            several => {
                let parts: Vec<_> = several
                    .iter()
                    .map(|(name, page)| json!({ "environment": name, "off": page.off, "entries": page.entries }))
                    .collect();
                context.output.document(&json!({ "databases": parts, "unavailable": spread.unavailable }));
            }
        }
        let all = asked(&spread);
        for (name, page) in &spread.answers {
            heading(context.output, &all, name);
            Self::show(context, page);
        }
        Ok(missing(context.output, &spread.unavailable))
    }

    fn show(context: &Context, page: &AuditPage) {
        if let Some(off) = &page.off {
            context.output.note(off.style(WARN).to_string());
        }
        if page.entries.is_empty() {
            context.output.line("Nothing was recorded.");
            return;
        }
        let mut table = Table::new(&["TIME, UTC", "COMMAND", "WHAT", "ROLE", "FROM"]);
        for entry in &page.entries {
            let tone = (!entry.via_service).then_some(Tone::Warn);
            table.row([
                (time(entry.at), Some(Tone::Dim)),
                (entry.command.clone(), tone),
                (what(entry), None),
                (entry.acting_role.clone(), None),
                (origin(entry), Some(Tone::Dim)),
            ]);
        }
        context.output.line(table.to_string());
    }
}

/// The migration, or the first object and how many more there are.
fn what(entry: &AuditEntry) -> String {
    if let Some(migration) = &entry.migration {
        return migration.clone();
    }
    let objects = entry.objects.as_array().map_or(&[][..], Vec::as_slice);
    let mut named = objects.iter().filter_map(|object| object["identity"].as_str());
    let first = named.next().unwrap_or_default();
    match named.count() {
        0 => first.to_owned(),
        more => format!("{first} and {more} more"),
    }
}

fn origin(entry: &AuditEntry) -> String {
    if entry.via_service {
        return "the service".to_owned();
    }
    match (&entry.address, entry.application.as_str()) {
        (Some(address), "") => address.clone(),
        (Some(address), application) => format!("{application}, {address}"),
        (None, "") => "a local socket".to_owned(),
        (None, application) => application.to_owned(),
    }
}

impl Verify {
    fn run(self, context: &Context) -> Result<Exit, Failure> {
        let mut elsewhere = Vec::new();
        // As the service does: the file need not be there before the first head is written.
        let configured = context.settings.audit_anchor_file.as_deref().filter(|path| path.exists());
        for path in configured.into_iter().chain(self.anchors.as_deref()) {
            let anchors = AnchorFile::read(path).map_err(|error| {
                Failure::other(Exit::Failed, "anchor_file", error.message(path.display()), error.cure())
            })?;
            elsewhere.extend(anchors.into_iter().map(|anchor| anchor.head));
        }
        let spread = context.with_operations(async |operations| {
            let (environment, service) = (context.environment(), self.service.as_deref());
            Ok(operations.verify_audits(environment, service, &elsewhere, &context.caller()).await?)
        })?;
        match spread.answers.as_slice() {
            [(_, only)] if !spread.is_several() => context.output.document(only),
            several => {
                let parts: Vec<_> =
                    several.iter().map(|(name, report)| json!({ "environment": name, "report": report })).collect();
                context.output.document(&json!({ "databases": parts, "unavailable": spread.unavailable }));
            }
        }
        let all = asked(&spread);
        for (name, report) in &spread.answers {
            heading(context.output, &all, name);
            tell(context, report, self.anchors.is_some() || configured.is_some());
        }
        let whole = spread.answers.iter().all(|(_, report)| report.findings.is_empty());
        let ended = missing(context.output, &spread.unavailable);
        Ok(if whole { ended } else { Exit::Failed })
    }
}

fn tell(context: &Context, report: &AuditReport, with_file: bool) {
    for finding in &report.findings {
        context.output.line(format!("{} {}", "✗".style(BAD), finding.message));
    }
    if report.more_findings > 0 {
        context.output.line(format!("  and {} more", report.more_findings));
    }
    let looked_at = format!(
        "{} looked at, compared with {} kept in the master database{}",
        count(usize::try_from(report.checked).unwrap_or(usize::MAX), "link"),
        count(report.anchors, "former end"),
        if with_file { " and in a file" } else { "" },
    );
    context.output.line(if report.findings.is_empty() {
        format!("{} The audit is whole: {looked_at}.", "✓".style(GOOD))
    } else {
        format!("{looked_at}.")
    });
}

fn moment(text: &str) -> Result<OffsetDateTime, String> {
    OffsetDateTime::parse(text, &Rfc3339).map_err(|_| "expected a time like 2026-09-01T00:00:00Z".to_owned())
}
