//! What the gates found, as a person reads it.

use std::fmt::Write;

use migration_engine::MigrationId;
use migration_engine::proof::certificate::Certificate;
use migration_engine::proof::report::{Finding, GateResult, Report, Severity};
use owo_colors::{OwoColorize, Style};

use super::{BAD, BOLD, DIM, GOOD, WARN, caret, count, duration};

/// What stands below a migration's line.
const INDENT: &str = "    ";
/// Wide enough for every gate's name.
const GATE_WIDTH: usize = 20;

/// `✓`, `!` or `✗`, by the worst finding.
pub fn mark(findings: &[Finding]) -> String {
    match findings.iter().map(|finding| finding.severity).min() {
        Some(Severity::Error) => "✗".style(BAD).to_string(),
        Some(Severity::Warning) => "!".style(WARN).to_string(),
        Some(Severity::Notice) | None => "✓".style(GOOD).to_string(),
    }
}

/// Findings one below the other, indented, with their migration where it changes.
pub fn findings(findings: &[Finding]) -> String {
    let mut out = String::new();
    let mut current: Option<&MigrationId> = None;
    for finding in findings {
        if let Some(id) = &finding.migration
            && current != Some(id)
        {
            let _ = writeln!(out, "  in {}", id.style(BOLD));
            current = Some(id);
        }
        out.push_str(&one(finding));
    }
    out.truncate(out.trim_end().len());
    out
}

/// One finding: what will happen, where, what is safer, what to do.
fn one(finding: &Finding) -> String {
    let (word, style) = severity(finding);
    // The place is shown below, with its line.
    let place = finding.location.as_ref().map(|at| format!("{}:{}:{}: ", at.file, at.line, at.column));
    let message = place.map_or_else(|| finding.message.clone(), |place| finding.message.replacen(&place, "", 1));
    let mut text = format!("{} {message}\n", format!("{word}[{}]:", finding.code).style(style));
    if let Some(location) = &finding.location {
        let _ = writeln!(text, "{}", caret::excerpt(location));
    }
    if let Some(safer) = &finding.safer {
        let _ = writeln!(text, "safer:\n    {}", safer.trim_end().replace('\n', "\n    "));
    }
    if let Some(why) = &finding.accepted {
        let _ = writeln!(text, "accepted: {why}");
    }
    if let Some(cure) = finding.cure.as_ref().filter(|_| finding.severity != Severity::Notice) {
        let _ = writeln!(text, "{}: {cure}", "help".style(GOOD));
    }
    text.lines().fold(String::new(), |all, line| all + INDENT + line + "\n")
}

fn severity(finding: &Finding) -> (&'static str, Style) {
    match finding.severity {
        Severity::Error => ("error", BAD),
        Severity::Warning => ("warning", WARN),
        Severity::Notice => ("notice", DIM),
    }
}

/// What the rehearsal measured, statement by statement, with what was forecast for the target.
pub fn figures(certificate: &Certificate, forecast_ms: &[u64]) -> String {
    let [up, again] = certificate.up_ms;
    let down = certificate.down_ms.map_or_else(|| "no way back".to_owned(), |ms| format!("down {}", duration(ms)));
    let mut out = format!("{INDENT}up {}, {down}, up again {}\n", duration(up), duration(again));
    for statement in &certificate.statements {
        let forecast = statement.statement.checked_sub(1).and_then(|index| forecast_ms.get(index));
        let forecast = forecast.map_or_else(String::new, |ms| format!(" (forecast {ms} ms)"));
        let mut parts = vec![format!("{:.1} ms{forecast}", statement.duration_ms)];
        match &statement.locks {
            None => parts.push("not in a transaction: locks not seen".to_owned()),
            Some(locks) => parts.extend(locks.iter().map(|lock| format!("{} on {}", lock.mode, lock.relation))),
        }
        parts.extend(statement.rewritten.iter().map(|table| format!("rewrites {table}")));
        parts.push(format!("{} bytes of WAL", statement.wal_bytes));
        let _ = writeln!(out, "{INDENT}line {}: {}", statement.line, parts.join(" · "));
    }
    out.trim_end().style(DIM).to_string()
}

/// Gate by gate, and one sentence.
pub fn verdict(report: &Report) -> String {
    let mut out = format!("Gates ({}):\n", report.environment);
    for gate in &report.gates {
        let _ = writeln!(out, "  {}", gate_line(gate));
    }
    if let Some(data) = &report.with_data {
        let verified = if data.verified { "verified" } else { "not verified" };
        let _ = writeln!(
            out,
            "\nRehearsed on {} of backup {} ({verified}).",
            count(usize::try_from(data.rows).unwrap_or(usize::MAX), "row"),
            data.backup
        );
    }
    let of = |severity| report.all_findings().filter(|finding| finding.severity == severity).count();
    let (errors, warnings) = (of(Severity::Error), of(Severity::Warning));
    let found = match (errors, warnings) {
        (0, 0) => String::new(),
        (0, warnings) => format!(", {}", count(warnings, "warning")),
        (errors, 0) => format!(", {}", count(errors, "error")),
        (errors, warnings) => format!(", {}, {}", count(errors, "error"), count(warnings, "warning")),
    };
    let what = count(report.migrations.len(), "migration");
    let passed = if report.passed { "Passed".style(GOOD) } else { "Not passed".style(BAD) };
    let _ = write!(out, "\n{passed}: {what}{found}, in {}.", duration(report.duration_ms));
    out
}

fn gate_line(gate: &GateResult) -> String {
    let required = if gate.required { "required" } else { "not required" };
    let (mark, words) = match (gate.holds, &gate.skipped) {
        (Some(true), _) => ("✓".style(GOOD), required.to_owned()),
        (Some(false), _) => ("✗".style(BAD), required.to_owned()),
        (None, Some(why)) => ("–".style(WARN), format!("{required}; skipped: {why}")),
        (None, None) => ("–".style(DIM), format!("{required}; not asked for")),
    };
    format!("{mark} {:GATE_WIDTH$} {}", gate.gate.as_str(), words.style(DIM))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_says_all_that_is_known() {
        let finding: Finding = serde_json::from_value(serde_json::json!({
            "gate": "hazards", "code": "blocks-writes", "severity": "error", "migration": "plans/2",
            "location": { "file": "migrations/plans/2_x.up.sql", "line": 1, "column": 1, "lineText": "create index on plans.plans (title);" },
            "message": "it blocks writers for 40 s", "safer": "create index concurrently on plans.plans (title);",
            "cure": "use the safer SQL"
        }))
        .expect("a finding");
        let plain = anstream::adapter::strip_str(&findings(&[finding])).to_string();
        insta::assert_snapshot!(plain, @r"
        in plans/2
          error[blocks-writes]: it blocks writers for 40 s
            --> migrations/plans/2_x.up.sql:1:1
            |
          1 | create index on plans.plans (title);
            | ^^^^^^
          safer:
              create index concurrently on plans.plans (title);
          help: use the safer SQL
        ");
    }
}
