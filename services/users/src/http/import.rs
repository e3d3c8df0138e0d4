//! POST /api/users/import

use std::str::FromStr as _;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use kernel::AppRole;
use postgres_link::tenant::TenantTx;
use serde::{Deserialize, Serialize};
use service::web::{Json, Problem, Query, kinds};
use service::{Fault, Tenant};
use utoipa::{IntoParams, ToSchema};

use crate::error::ROSTER_REFUSED;
use crate::model::Newcomer;
use crate::roster::{Header, Malformed, Mistake, Reader};
use crate::state::Users;
use crate::store::manage::{self, Admitted};

/// The largest file, bytes: 50,000 people and more.
const LARGEST: usize = 16 << 20;
const MOST_ROWS: usize = 50_000;
/// More mistakes than this are not told one by one.
const MOST_MISTAKES: usize = 200;
/// People in one statement.
const AT_ONCE: usize = 500;
/// A file of that size takes this long on a line of 1 Mbit/s.
const UPLOAD: Duration = Duration::from_mins(3);
/// Five hundred people are opened accounts for in a second.
const STATEMENT: Duration = Duration::from_secs(30);

/// How a file is taken.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Asked {
    /// Whether everything is tried and nothing kept.
    #[serde(default)]
    dry_run: bool,
    /// What those are whose row says no role.
    #[param(schema_with = service::role_schema)]
    role: Option<String>,
    /// Whether who has not joined yet is written to.
    #[serde(default)]
    invite: bool,
}

/// What a file came to.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    /// Whether nothing was kept.
    dry_run: bool,
    /// People in the file.
    rows: usize,
    /// Of them added …
    created: usize,
    /// … and written again.
    updated: usize,
}

/// Import people
///
/// A file in the shape of OneRoster 1.2's users.csv; needed are `givenName`, `familyName` and `email`, and a role by `metadata.roles`,
/// `role` or the parameter. Known people are found by `sourcedId`, then by `email`, and written again; the others are added. All rows are
/// taken or none: with mistakes, the answer names each with its line and column.
#[utoipa::path(post, path = "/api/users/import", tag = "rosters", params(Asked),
    request_body(content = String, content_type = "text/csv", description = "The file, in UTF-8"),
    responses(
        (status = 200, description = "All rows were taken; with `dryRun`, would have been", body = Report),
        (status = 403, description = "The caller is no administrator of a school"),
        (status = 413, description = "The file is too large"),
        (status = 415, description = "It does not say that it is text/csv"),
        (status = 422, description = "None was taken: `mistakes` says why"),
    ),
)]
pub(crate) async fn import(
    State(users): State<Users>,
    mut tenant: Tenant,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Fault> {
    tenant.only(&[AppRole::Admin])?;
    let role = asked.role.as_deref().map(AppRole::from_str).transpose().map_err(|error| {
        let problem =
            Problem::new(kinds::INVALID_QUERY).detail(format!("the parameter \"role\" cannot be used: {error}"));
        Fault::from(problem.cure("ask for one of them, or leave it out").with("parameter", "role"))
    })?;
    check_type(&headers)?;
    // The whole file is read first: no transaction waits for somebody's line.
    let (people, mistakes) = read(body, role, asked.invite).await?;
    if !mistakes.is_empty() {
        return Err(refuse(mistakes));
    }
    tenant.tx = tenant.tx.with_statement_timeout(STATEMENT);
    let (created, updated) = admit(&mut tenant.tx, &people).await?;
    // A transaction that is dropped has changed nothing.
    if !asked.dry_run {
        tenant.tx.commit().await?;
        users.letters.notify_one();
    }
    Ok(Json(Report { dry_run: asked.dry_run, rows: people.len(), created, updated }).into_response())
}

fn check_type(headers: &HeaderMap) -> Result<(), Fault> {
    let given = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("text/csv") {
        return Ok(());
    }
    let problem = Problem::new(kinds::UNSUPPORTED_MEDIA_TYPE).detail(format!("the body says that it is {given:?}"));
    Err(problem.cure("send the file with Content-Type: text/csv").into())
}

async fn read(body: Body, role: Option<AppRole>, invite: bool) -> Result<(Vec<Newcomer>, Vec<Mistake>), Fault> {
    let mut file = File { role, invite, ..File::default() };
    let read = async {
        let mut body = Limited::new(body, LARGEST);
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| unread(error.is::<LengthLimitError>()))?;
            if let Ok(piece) = frame.into_data() {
                file.take(&piece)?;
            }
        }
        file.end()
    };
    tokio::time::timeout(UPLOAD, read).await.map_err(|_| unread(false))??;
    Ok((file.people, file.mistakes))
}

/// A file that is being read.
#[derive(Default)]
struct File {
    reader: Reader,
    header: Option<Header>,
    role: Option<AppRole>,
    invite: bool,
    people: Vec<Newcomer>,
    mistakes: Vec<Mistake>,
}

impl File {
    fn take(&mut self, piece: &[u8]) -> Result<(), Fault> {
        let mut rows = Vec::new();
        let read = self.reader.push(piece, &mut rows);
        self.rows(rows)?;
        read.map_err(|malformed| self.give_up(malformed))
    }

    fn end(&mut self) -> Result<(), Fault> {
        let mut rows = Vec::new();
        let read = self.reader.end(&mut rows);
        self.rows(rows)?;
        read.map_err(|malformed| self.give_up(malformed))?;
        if self.header.is_none() && self.mistakes.is_empty() {
            let message = "the file is empty; begin it with the names of its columns".to_owned();
            self.mistakes.push(Mistake { line: 1, column: None, message });
        }
        Ok(())
    }

    fn rows(&mut self, rows: Vec<(u32, Vec<String>)>) -> Result<(), Fault> {
        for (line, row) in rows {
            let Some(header) = &self.header else {
                match Header::read(line, &row, self.role, self.invite) {
                    Ok(header) => self.header = Some(header),
                    Err(mistake) => return Err(refuse(vec![mistake])),
                }
                continue;
            };
            match header.person(line, &row) {
                Ok(person) => self.people.push(person),
                Err(mistake) => self.mistakes.push(mistake),
            }
            if self.people.len() > MOST_ROWS || self.mistakes.len() > MOST_MISTAKES {
                let mut mistakes = std::mem::take(&mut self.mistakes);
                let message = format!(
                    "the rest was not read: a file may have {MOST_ROWS} people, and {MOST_MISTAKES} mistakes are told"
                );
                mistakes.push(Mistake { line, column: None, message });
                return Err(refuse(mistakes));
            }
        }
        Ok(())
    }

    fn give_up(&mut self, malformed: Malformed) -> Fault {
        let mut mistakes = std::mem::take(&mut self.mistakes);
        mistakes.push(Mistake { line: malformed.line, column: None, message: malformed.what.to_owned() });
        refuse(mistakes)
    }
}

fn unread(is_too_large: bool) -> Fault {
    if is_too_large {
        let problem = Problem::new(kinds::BODY_TOO_LARGE).detail(format!("the file has more than {LARGEST} bytes"));
        return problem.cure("send it in parts").with("limit", LARGEST).into();
    }
    Problem::new(kinds::BODY_INCOMPLETE).detail("the file broke off, or took too long").cure("send it again").into()
}

/// All people, in one transaction. Rows that the school's own data refuse are mistakes like any other.
async fn admit(tx: &mut TenantTx, people: &[Newcomer]) -> Result<(usize, usize), Fault> {
    let (mut created, mut updated, mut mistakes) = (0, 0, Vec::new());
    for some in people.chunks(AT_ONCE) {
        for Admitted { line, outcome, .. } in manage::admit(tx, some, true).await? {
            let (column, message) = match outcome.as_str() {
                "created" => {
                    created += 1;
                    continue;
                }
                "updated" => {
                    updated += 1;
                    continue;
                }
                "removed" => ("sourcedId", "the school has removed this person; restore them first"),
                _ => ("email", "the person with this sourcedId has another address, which only they can change"),
            };
            let line = u32::try_from(line).unwrap_or_default();
            mistakes.push(Mistake { line, column: Some(column.to_owned()), message: message.to_owned() });
        }
    }
    if mistakes.is_empty() { Ok((created, updated)) } else { Err(refuse(mistakes)) }
}

fn refuse(mut mistakes: Vec<Mistake>) -> Fault {
    mistakes.truncate(MOST_MISTAKES + 1);
    let count = mistakes.len();
    let problem = Problem::new(ROSTER_REFUSED).detail(format!("{count} mistakes; nothing of the file was kept"));
    problem.cure("correct what `mistakes` names, and send the file again").with("mistakes", mistakes).into()
}
