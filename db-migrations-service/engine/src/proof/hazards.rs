//! *Hazards*: what is known to go wrong, and what a statement does to this database as it is now.
//!
//! A hazard that the file accepts (`-- accept: <hazard>: <why>`) is told with the reason and holds nobody up. The same
//! statement on a table without rows is no hazard.

use std::ops::Range;

use lock_forecast::{Assessment, Catalog, Level, LiveCatalog, Throughput, assess};
use postgres_link::AdminConn;
use sql_grammar::{Facts, ObjectKind, QualifiedName};

use super::lint;
use super::report::{Finding, Gate, Severity};
use crate::catalogue::RunSettings;
use crate::error::{EngineError, ErrorCode};
use crate::migration::MigrationId;
use crate::project::Script;
use crate::target::lock;
use crate::target::quote::qualified;

/// What is told of one script.
pub(super) struct Told {
    pub findings: Vec<Finding>,
    pub forecast: Assessment,
}

/// The findings and the forecast of each script, in the order in which they would be run.
pub(super) async fn look(
    live: Option<&AdminConn>,
    scripts: &[(&MigrationId, &Script)],
    settings: &RunSettings,
) -> Result<Vec<Told>, EngineError> {
    let mut catalog = match live {
        Some(conn) => LiveCatalog::read(conn)
            .await
            .map_err(|error| EngineError::new(ErrorCode::Internal, format!("forecasting locks: {error}")))?,
        None => Catalog::default(),
    };
    let throughput = Throughput { budget_ms: settings.blocking_budget_ms, ..Throughput::default() };
    let mut told = Vec::new();
    for (id, script) in scripts {
        let mut of_script = of_script(&mut catalog, id, script, &throughput);
        if let Some(conn) = live {
            of_script.findings.extend(in_the_way(conn, id, &of_script.forecast, settings).await);
        }
        told.push(of_script);
    }
    Ok(told)
}

fn of_script(catalog: &mut Catalog, id: &MigrationId, script: &Script, throughput: &Throughput) -> Told {
    let mut findings = Vec::new();
    for violation in lint::lint(&script.sql) {
        let Some(index) = script.statement_at(violation.byte) else { continue };
        if script.backfill_at(index).is_some() {
            continue;
        }
        let Some(about) = in_use(catalog, &script.statements[index].1) else { continue };
        let message = format!("{} ({about})", sentence(&violation.message));
        let mut finding = Finding::new(Gate::Hazards, &violation.code, Severity::Error, message)
            .of(id)
            .at(script.location(violation.byte, Some(index)));
        finding.cure = violation.help.as_deref().map(sentence);
        findings.push(finding);
    }
    catalog.set_search_path([id.schema.clone(), "pg_catalog".to_owned()]);
    let mut forecast = assess_script(catalog, script, throughput);
    for hazard in std::mem::take(&mut forecast.hazards) {
        let severity = if hazard.level == Level::Notice { Severity::Warning } else { Severity::Error };
        let at = script.statements.get(hazard.statement).map_or(0, |(range, _)| range.start);
        let mut finding = Finding::new(Gate::Hazards, hazard.code, severity, hazard.message)
            .of(id)
            .at(script.location(at, Some(hazard.statement)));
        finding.safer = hazard.safer;
        findings.push(finding);
    }
    accept(&mut findings, id, script);
    Told { findings, forecast }
}

/// One transaction, or one for each statement.
fn assess_script(catalog: &mut Catalog, script: &Script, throughput: &Throughput) -> Assessment {
    // It was parsed before; a script that holds no statement has nothing to forecast.
    let Ok(statements) = sql_grammar::parse(&script.sql) else { return Assessment::default() };
    let mut whole = Assessment::default();
    for range in transactions(script, statements.len()) {
        let mut part = assess(&statements[range.clone()], catalog, throughput);
        catalog.committed();
        if script.backfill_at(range.start).is_some() {
            // Its batches are as short as they have to be.
            part.hazards.clear();
            part.blocking.clear();
        }
        for hazard in &mut part.hazards {
            hazard.statement += range.start;
        }
        whole.statements.extend(part.statements);
        whole.statement_ms.extend(part.statement_ms);
        whole.blocking.extend(part.blocking);
        whole.hazards.extend(part.hazards);
    }
    whole
}

/// Which statements are one transaction together.
fn transactions(script: &Script, statements: usize) -> Vec<Range<usize>> {
    let each = |range: Range<usize>| range.map(|at| at..at + 1);
    match &script.parts {
        Some(parts) if script.has_backfill() => {
            let filling = parts.first.end..parts.last.start.max(parts.first.end + parts.backfills.len());
            [parts.first.clone()].into_iter().chain(each(filling)).chain([parts.last.clone()]).collect()
        }
        #[expect(clippy::single_range_in_vec_init, reason = "one transaction, of all statements")]
        _ if script.is_transactional() => vec![0..statements],
        _ => each(0..statements).collect(),
    }
}

/// What the file accepts is told with its reason; what it accepts and is none, too.
fn accept(findings: &mut Vec<Finding>, id: &MigrationId, script: &Script) {
    for finding in findings.iter_mut() {
        if let Some((_, why)) = script.directives.accepts.iter().find(|(code, _)| *code == finding.code) {
            finding.severity = Severity::Notice;
            finding.accepted = Some(why.clone());
        }
    }
    for (code, _) in &script.directives.accepts {
        if !findings.iter().any(|finding| finding.code == *code) {
            let message = format!("it accepts {code:?}, which is no hazard here");
            findings.push(Finding::new(Gate::Hazards, "accepts-nothing", Severity::Notice, message).of(id));
        }
    }
}

/// Sessions that hold, and have held for long, what the script will lock.
async fn in_the_way(conn: &AdminConn, id: &MigrationId, forecast: &Assessment, settings: &RunSettings) -> Vec<Finding> {
    let relations: Vec<String> =
        forecast.blocking.iter().map(|b| qualified(&b.relation.schema, &b.relation.name)).collect();
    if relations.is_empty() {
        return Vec::new();
    }
    let longest = std::time::Duration::from_millis(settings.blocking_budget_ms);
    let sessions = lock::in_the_way(conn, &relations, longest).await;
    sessions
        .into_iter()
        .map(|session| {
            let who = session.application.filter(|name| !name.is_empty()).unwrap_or_else(|| "a session".to_owned());
            let since = session.transaction_ms.unwrap_or_default() / 1_000;
            Finding::new(
                Gate::Hazards,
                "session-in-the-way",
                Severity::Warning,
                format!("{who} (pid {}) holds what it locks, in a transaction of {since} s: it would wait, and others behind it", session.pid),
            )
            .of(id)
            .cure("let it end first")
        })
        .collect()
}

/// The largest relation with rows that the statement is about; `None` where nobody can be using it.
fn in_use(catalog: &Catalog, facts: &Facts) -> Option<String> {
    let named = facts.alters.iter().chain(&facts.drops).filter_map(|object| match object.kind {
        ObjectKind::Relation => Some(object.name.clone()),
        ObjectKind::Column => {
            let (relation, _) = object.name.name.rsplit_once('.')?;
            Some(QualifiedName { schema: object.name.schema.clone(), name: relation.to_owned() })
        }
        _ => None,
    });
    let relations = named.filter_map(|name| Some((catalog.relation(&name)?.rows(), name)));
    let (rows, name) = relations.max_by_key(|(rows, _)| *rows)?;
    (rows > 0).then(|| format!("{name} has about {rows} rows"))
}

fn sentence(text: &str) -> String {
    text.trim().trim_end_matches('.').to_owned()
}
