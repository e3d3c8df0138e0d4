//! What a tool's history table says was applied.

use crate::checksum;
use crate::fault::Fault;
use crate::folder::{Found, Read, encode_flyway, sqitch_project};
use crate::layout::Layout;

/// One row that [`query`] answers.
pub type Row = Vec<Option<String>>;

/// One migration that was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// Its place in the folder's list.
    pub index: usize,
    /// When, microseconds since 1970, where the tool keeps it.
    pub at_us: Option<i64>,
    /// By whom, where the tool keeps it.
    pub by: Option<String>,
    /// How long it took, milliseconds, where the tool keeps it.
    pub duration_ms: Option<i64>,
}

/// The query for a tool's history; `table` is its quoted, qualified name.
pub fn query(layout: Layout, table: &str) -> Option<String> {
    let us = |time: &str| format!("(extract(epoch FROM {time}::timestamptz) * 1000000)::bigint");
    let columns = match layout {
        Layout::GolangMigrate => "version, dirty".to_owned(),
        Layout::Dbmate => "version".to_owned(),
        Layout::Sqlx => {
            format!("version, success, encode(checksum, 'hex'), {}, execution_time / 1000000", us("installed_on"))
        }
        Layout::Goose => format!("version_id, is_applied, {}", us("tstamp")),
        Layout::Flyway => format!(
            "version, description, type, script, checksum, installed_by, {}, execution_time, success",
            us("installed_on")
        ),
        Layout::Refinery => format!("version, name, checksum, {}", us("applied_on")),
        Layout::Diesel => format!("version, {}", us("run_on")),
        Layout::Prisma => {
            format!("migration_name, checksum, {}, rolled_back_at IS NOT NULL, {}", us("finished_at"), us("started_at"))
        }
        Layout::Sqitch => format!("change, script_hash, committer_name, {}, project", us("committed_at")),
        Layout::Numbered => return None,
    };
    let order = match layout {
        Layout::Sqlx => "installed_on, version",
        Layout::Goose => "id",
        Layout::Flyway => "installed_rank",
        Layout::Diesel => "run_on, version",
        Layout::Refinery => "applied_on::timestamptz, version",
        Layout::Prisma => "started_at, migration_name",
        Layout::Sqitch => "committed_at",
        Layout::GolangMigrate | Layout::Dbmate | Layout::Numbered => "version",
    };
    Some(format!("SELECT {columns} FROM {table} ORDER BY {order}"))
}

/// Holds the rows against the folder. `read` gives a file's text by its path relative to the folder. What was applied comes in the
/// order in which it was, where the tool keeps that, else in that of the folder.
///
/// # Errors
/// A migration that failed or is unfinished, one without its file, one whose file is another now.
pub fn read(
    layout: Layout,
    found: &[Found],
    rows: &[Row],
    version_parts: u8,
    read: &Read<'_>,
) -> Result<Vec<Applied>, Fault> {
    let history = History { layout, found, version_parts, read };
    let mut applied = match layout {
        Layout::GolangMigrate => history.golang_migrate(rows),
        Layout::Dbmate | Layout::Diesel => rows.iter().map(|row| history.plain(row)).collect(),
        Layout::Sqlx => rows.iter().map(|row| history.sqlx(row)).collect(),
        Layout::Goose => history.goose(rows),
        Layout::Flyway => history.flyway(rows),
        Layout::Refinery => rows.iter().map(|row| history.refinery(row)).collect(),
        Layout::Prisma => history.prisma(rows),
        Layout::Sqitch => history.sqitch(rows),
        Layout::Numbered => Ok(Vec::new()),
    }?;
    if !layout.keeps_order() {
        applied.sort_by_key(|one| one.index);
    }
    Ok(applied)
}

/// Everything up to a version, where no history says what was applied.
///
/// # Errors
/// A version that the folder does not have.
pub fn baseline(found: &[Found], version: &str) -> Result<Vec<Applied>, Fault> {
    let is_it = |one: &Found| {
        one.theirs == version
            || one.version.to_string() == version.trim_start_matches('0')
            || one.theirs.split_once('_').is_some_and(|(v, _)| v == version)
    };
    let last = found.iter().position(is_it).ok_or_else(|| {
        Fault::history(
            format!("the folder has no migration {version:?} that the baseline could name"),
            "name the version of the last migration whose effect is in the database",
        )
    })?;
    Ok((0..=last).map(applied_at_some_time).collect())
}

fn applied_at_some_time(index: usize) -> Applied {
    Applied { index, at_us: None, by: None, duration_ms: None }
}

struct History<'a> {
    layout: Layout,
    found: &'a [Found],
    version_parts: u8,
    read: &'a Read<'a>,
}

impl History<'_> {
    fn of_number(&self, version: &str) -> Result<usize, Fault> {
        let number = crate::number(version);
        let place = self.found.iter().position(|found| Some(found.version) == number);
        place.ok_or_else(|| self.missing(version))
    }

    fn missing(&self, version: &str) -> Fault {
        Fault::history(
            format!("{} has applied {version} here, and the folder has no file of it", self.layout),
            "put the file back as it was (version control has it): without it nobody can prove what it did",
        )
    }

    fn edited(&self, path: &str) -> Fault {
        let peace = match self.layout {
            Layout::Flyway => "or, where the database is right as it is, run `flyway repair`",
            Layout::Sqitch => "or, where the database is right as it is, run `sqitch rebase` or rework the change",
            _ => "or, where the database is right as it is, correct the checksum in the tool's history",
        };
        Fault::history(
            format!("{path} is not what {} applied here: its checksum is another now", self.layout),
            format!("restore the file, {peace}, then adopt again"),
        )
    }

    fn text(&self, index: usize) -> Result<String, Fault> {
        let path = &self.found[index].up;
        (self.read)(path).ok_or_else(|| self.missing(&self.found[index].theirs))
    }

    fn unfinished(&self, version: &str, cure: &str) -> Fault {
        Fault::history(format!("{} says that {version} failed here and is half applied", self.layout), cure)
    }

    /// One row: the version up to which everything is applied.
    fn golang_migrate(&self, rows: &[Row]) -> Result<Vec<Applied>, Fault> {
        let Some(row) = rows.first() else { return Ok(Vec::new()) };
        let version = cell(row, 0);
        if is_true(row, 1) {
            return Err(self.unfinished(
                version,
                "see what of it is in the database, complete it or take it back by hand, say so with `migrate force <version>`, then adopt again",
            ));
        }
        // It keeps -1 for "nothing".
        if version.starts_with('-') {
            return Ok(Vec::new());
        }
        let last = self.of_number(version)?;
        Ok((0..=last).map(applied_at_some_time).collect())
    }

    /// A version, and perhaps a time.
    fn plain(&self, row: &Row) -> Result<Applied, Fault> {
        let index = self.of_number(cell(row, 0))?;
        Ok(Applied { at_us: integer(row, 1), ..applied_at_some_time(index) })
    }

    fn sqlx(&self, row: &Row) -> Result<Applied, Fault> {
        let version = cell(row, 0);
        if !is_true(row, 1) {
            return Err(self.unfinished(
                version,
                "see what of it is in the database, complete it or take it back by hand, correct or delete its row in _sqlx_migrations, then adopt again",
            ));
        }
        let index = self.of_number(version)?;
        if checksum::sqlx(&self.text(index)?) != cell(row, 2) {
            return Err(self.edited(&self.found[index].up));
        }
        Ok(Applied { at_us: integer(row, 3), duration_ms: integer(row, 4), ..applied_at_some_time(index) })
    }

    /// A row for each time it was applied or taken back; the newest counts.
    fn goose(&self, rows: &[Row]) -> Result<Vec<Applied>, Fault> {
        let mut applied: Vec<Applied> = Vec::new();
        for row in rows.iter().filter(|row| cell(row, 0) != "0") {
            let index = self.of_number(cell(row, 0))?;
            applied.retain(|one| one.index != index);
            if is_true(row, 1) {
                applied.push(Applied { at_us: integer(row, 2), ..applied_at_some_time(index) });
            }
        }
        Ok(applied)
    }

    fn flyway(&self, rows: &[Row]) -> Result<Vec<Applied>, Fault> {
        let mut applied: Vec<Applied> = Vec::new();
        for row in rows {
            let (version, kind, script) = (cell(row, 0), cell(row, 2), cell(row, 3));
            if kind == "SCHEMA" {
                continue;
            }
            if !is_true(row, 8) {
                return Err(self.unfinished(
                    if version.is_empty() { script } else { version },
                    "see what of it is in the database, complete it or take it back by hand, run `flyway repair`, then adopt again",
                ));
            }
            if version.is_empty() {
                return Err(Fault::history(
                    format!(
                        "flyway has applied the repeatable migration {script} here, which has no place in a history"
                    ),
                    "give its text a version (V<next>__…), run it with Flyway, remove the R file and its row in the history, then adopt again",
                ));
            }
            let number = encode_flyway(version, self.version_parts)?;
            if kind == "BASELINE" {
                let below = self.found.iter().enumerate().filter(|(_, found)| found.version <= number);
                applied.extend(below.map(|(index, _)| Applied {
                    at_us: integer(row, 6),
                    by: some(row, 5),
                    ..applied_at_some_time(index)
                }));
                continue;
            }
            let place = self.found.iter().position(|found| found.version == number);
            let undone = kind.starts_with("UNDO") || kind == "DELETE";
            applied.retain(|one| Some(one.index) != place);
            if undone {
                continue;
            }
            let index = place.ok_or_else(|| self.missing(version))?;
            if let Some(told) = some(row, 4)
                && told != checksum::flyway(&self.text(index)?)
            {
                return Err(self.edited(&self.found[index].up));
            }
            applied.push(Applied { index, at_us: integer(row, 6), by: some(row, 5), duration_ms: integer(row, 7) });
        }
        Ok(applied)
    }

    fn refinery(&self, row: &Row) -> Result<Applied, Fault> {
        let index = self.of_number(cell(row, 0))?;
        let found = &self.found[index];
        let sums = checksum::refinery(cell(row, 1), found.version, &self.text(index)?);
        if !sums.iter().any(|sum| sum == cell(row, 2)) {
            return Err(self.edited(&found.up));
        }
        Ok(Applied { at_us: integer(row, 3), ..applied_at_some_time(index) })
    }

    /// Several rows where it was tried several times: those that were resolved as rolled back do not count.
    fn prisma(&self, rows: &[Row]) -> Result<Vec<Applied>, Fault> {
        let mut applied = Vec::new();
        for row in rows.iter().filter(|row| !is_true(row, 3)) {
            let name = cell(row, 0);
            if cell(row, 2).is_empty() {
                return Err(self.unfinished(
                    name,
                    "see what of it is in the database, complete it or take it back by hand, say so with `prisma migrate resolve --applied` or `--rolled-back`, then adopt again",
                ));
            }
            let index = self.found.iter().position(|found| found.theirs == name).ok_or_else(|| self.missing(name))?;
            if checksum::prisma(&self.text(index)?) != cell(row, 1) {
                return Err(self.edited(&self.found[index].up));
            }
            let duration_ms = integer(row, 2).zip(integer(row, 4)).map(|(end, start)| (end - start) / 1_000);
            applied.push(Applied { index, at_us: integer(row, 2), by: None, duration_ms });
        }
        Ok(applied)
    }

    /// Changes go in the plan's order, so what is deployed is its beginning.
    fn sqitch(&self, rows: &[Row]) -> Result<Vec<Applied>, Fault> {
        let plan = (self.read)("sqitch.plan").unwrap_or_default();
        let project = sqitch_project(&plan).unwrap_or_default();
        let own = rows.iter().filter(|row| cell(row, 4) == project);
        let mut applied = Vec::new();
        for (index, row) in own.enumerate() {
            let change = cell(row, 0);
            let found = self.found.get(index).ok_or_else(|| self.missing(change))?;
            if found.theirs != change {
                return Err(Fault::history(
                    format!("sqitch has deployed {change} where the plan has {}", found.theirs),
                    "check out the plan that was deployed here, or `sqitch rebase`, then adopt again",
                ));
            }
            if let Some(told) = some(row, 1)
                && told != checksum::sqitch(&self.text(index)?)
            {
                return Err(self.edited(&found.up));
            }
            applied.push(Applied { index, at_us: integer(row, 3), by: some(row, 2), duration_ms: None });
        }
        Ok(applied)
    }
}

fn cell(row: &Row, at: usize) -> &str {
    row.get(at).and_then(Option::as_deref).unwrap_or_default()
}

fn some(row: &Row, at: usize) -> Option<String> {
    row.get(at).cloned().flatten().filter(|text| !text.is_empty())
}

fn integer(row: &Row, at: usize) -> Option<i64> {
    cell(row, at).parse().ok()
}

fn is_true(row: &Row, at: usize) -> bool {
    cell(row, at) == "t"
}
