//! Each environment's database: whether it can be reached, what its user may do, where its migrations stand.

use migration_engine::request::Scope;
use migration_engine::status::TargetStatus;
use migration_engine::{Catalogue, Engine, EngineError, Target};
use postgres_link::{AdminConn, ConnectErrorKind, ConnectOptions};
use time::OffsetDateTime;

use super::roles::{self, Roles};
use super::{Check, Verdict};
use crate::cli::show::count;
use crate::operations::{EnvironmentStatus, Operations};

/// The oldest server that the engine speaks to.
const OLDEST: u32 = 140_000;
/// Clocks further apart than this confuse whoever reads histories.
const CLOCK_LIMIT_S: i64 = 10;

pub(super) async fn all(operations: &Operations) -> Vec<Check> {
    let mut checks = vec![master(operations).await];
    for entry in operations.targets().all() {
        match &entry.target {
            Err(reason) => checks.push(Check::note(&entry.environment, reason)),
            Ok(target) => checks.extend(one(operations, target).await),
        }
    }
    checks
}

async fn master(operations: &Operations) -> Check {
    let target = operations.targets().master();
    let connect = target.connect.clone().with_application_name("profe doctor").through_any_pooler();
    match postgres_link::connect(&connect).await {
        Ok(_) => Check::ok("master database", format!("{} answers", operations.master().place())),
        Err(error) if error.kind() == ConnectErrorKind::DatabaseMissing && target.create_database => Check::note(
            "master database",
            format!("{} does not exist yet; it is made when needed", operations.master().place()),
        ),
        Err(error) => Check::error("master database", error.to_string(), error.cure()),
    }
}

async fn one(operations: &Operations, target: &Target) -> Vec<Check> {
    let area = &target.environment;
    let connect = target.connect.clone().with_application_name("profe doctor");
    let session = match postgres_link::connect(&connect).await {
        Ok(session) => Some(session),
        Err(error) if error.kind() == ConnectErrorKind::DatabaseMissing && target.create_database => None,
        Err(error) => return vec![Check::error(area, error.to_string(), error.cure())],
    };
    let engine = Engine::new(operations.project().clone(), target.clone());
    let status = engine.status().await;
    let prepared = status.as_ref().is_ok_and(|status| status.prepared);
    let mut checks = match &session {
        None => vec![Check::note(area, format!("{} does not exist yet; the first run makes it", place(&connect)))],
        // Of services that live elsewhere nothing is needed here.
        Some(session) => match look(session, &engine.project().catalogue).await {
            Ok(found) => judge(area, target, found, prepared),
            Err(error) => vec![Check::error(area, format!("the database does not answer questions: {error}"), "")],
        },
    };
    checks.push(migrations(area, &engine, status).await);
    checks
}

struct Found {
    version: u32,
    tls: Option<String>,
    user: String,
    superuser: bool,
    create_role: bool,
    create_database: bool,
    create_schema: bool,
    read_only: bool,
    ahead_s: i64,
    pooled: bool,
    roles: Roles,
}

async fn look(session: &AdminConn, catalogue: &Catalogue) -> Result<Found, postgres_link::tokio_postgres::Error> {
    let rows = session
        .client()
        .query_typed(
            "SELECT r.rolname::text, r.rolsuper, r.rolcreaterole, r.rolcreatedb,
                    has_database_privilege(current_database(), 'CREATE'),
                    pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on',
                    (SELECT s.version::text FROM pg_stat_ssl s WHERE s.pid = pg_backend_pid() AND s.ssl),
                    now()
             FROM pg_roles r WHERE r.rolname = current_user",
            &[],
        )
        .await?;
    let row = rows.first();
    let flag = |at: usize| row.is_some_and(|row| row.get(at));
    let server_time: Option<OffsetDateTime> = row.map(|row| row.get(7));
    let user: String = row.map(|row| row.get(0)).unwrap_or_default();
    Ok(Found {
        pooled: session.is_pooled(),
        roles: roles::look(session, catalogue, &user).await?,
        version: session.server_version_num(),
        tls: row.and_then(|row| row.get(6)),
        user,
        superuser: flag(1),
        create_role: flag(2),
        create_database: flag(3),
        create_schema: flag(4),
        read_only: flag(5),
        ahead_s: server_time.map_or(0, |at| (at - OffsetDateTime::now_utc()).whole_seconds()),
    })
}

fn judge(area: &str, target: &Target, found: Found, prepared: bool) -> Vec<Check> {
    let connect = &target.connect;
    let encryption =
        found.tls.as_deref().map_or_else(|| "not encrypted".to_owned(), |version| format!("encrypted with {version}"));
    let version = format!("PostgreSQL {}.{}", found.version / 10_000, found.version % 10_000);
    let mode = connect.sslmode().as_str();
    let mut checks = vec![Check::ok(
        area,
        format!("{}: {version}, {encryption} (sslmode={mode}), as {}", place(connect), found.user),
    )];
    if found.version < OLDEST {
        checks.push(Check::error(
            area,
            format!("{version} is older than 14"),
            "upgrade the server, or name another one",
        ));
    }
    if found.read_only {
        checks.push(Check::error(
            area,
            "the database takes no writes",
            "name the primary server; a standby cannot be migrated",
        ));
    }
    if found.pooled {
        let mut check = Check::note(area, "a pooler stands before the server, and keeps sessions");
        check.cure =
            Some("give the server's own address, or have three sessions free in the pool for each run".to_owned());
        checks.push(check);
    }
    if found.ahead_s.abs() > CLOCK_LIMIT_S {
        let message = format!("the server's clock and this machine's are {} s apart", found.ahead_s.abs());
        checks.push(Check::warning(area, message, "synchronise both with a time server"));
    }
    let lacks = if found.superuser { Vec::new() } else { rights(area, connect, &found) };
    let has_rights = !found.superuser && lacks.iter().all(|check| check.verdict == Verdict::Note);
    let memberships = found.roles.memberships(area, &found.user, prepared);
    if has_rights && memberships.is_empty() {
        checks.push(Check::ok(area, format!("{} has every right that is needed", found.user)));
    }
    checks.extend(lacks);
    checks.extend(memberships);
    checks
}

/// What an ordinary user lacks, the exact statement that grants it, and what works without.
fn rights(area: &str, connect: &ConnectOptions, found: &Found) -> Vec<Check> {
    let (user, database) = (quoted(&found.user), quoted(connect.database()));
    let mut checks = Vec::new();
    if !found.create_schema {
        let message = format!("{} may not create schemas in {}", found.user, connect.database());
        checks.push(
            Check::error(area, message, "let an administrator run this; without it nothing can be migrated here")
                .statement(format!("GRANT CREATE ON DATABASE {database} TO {user};")),
        );
    }
    if !found.create_role {
        checks.push(if found.roles.missing.is_empty() {
            Check::note(area, format!("{} may not create roles; all of the catalogue exist already", found.user))
        } else {
            let (user, missing) = (&found.user, &found.roles.missing);
            let message = format!(
                "{user} may not create roles, and {} of the catalogue's are missing, for example {}",
                missing.len(),
                missing[0]
            );
            let cure = "let an administrator run this once; without it nothing can be migrated here";
            Check::error(area, message, cure).statement(format!("ALTER ROLE {} CREATEROLE;", quoted(user)))
        });
    }
    if !found.create_database {
        let message = format!("{} may not create databases", found.user);
        let cure = "let an administrator run this; without it `profe db erd`, `profe db scratch` and databases made on demand do not work, migrations do";
        checks.push(Check::warning(area, message, cure).statement(format!("ALTER ROLE {user} CREATEDB;")));
    }
    checks
}

async fn migrations(area: &str, engine: &Engine, status: Result<TargetStatus, EngineError>) -> Check {
    let failed = |error: EngineError| {
        let place =
            error.location.as_ref().map(|at| format!("{}:{}:{}: ", at.file, at.line, at.column)).unwrap_or_default();
        Check::error(area, format!("{place}{}", error.message), error.cure.unwrap_or_default())
    };
    let status = match status {
        Ok(status) => EnvironmentStatus::from(&status),
        Err(error) => return failed(error),
    };
    let sum = |f: fn(&crate::operations::ServiceSummary) -> usize| status.services.iter().map(f).sum::<usize>();
    let (edited, missing) = (sum(|s| s.edited_migrations), sum(|s| s.missing_migrations));
    if edited > 0 {
        let cure = "restore the files, or accept each with `profe migrate repair bless <schema/version> --reason …`; `profe migrate status` names them";
        let have = if edited == 1 { "has" } else { "have" };
        return Check::error(area, format!("{} {have} another file now", count(edited, "applied migration")), cure);
    }
    // Planning parses every pending file and orders them.
    if let Err(error) = engine.plan(&Scope::All, false).await {
        return failed(error);
    }
    let (applied, pending) = (sum(|s| s.applied_migrations), sum(|s| s.pending_migrations));
    let message = format!("{} applied, {pending} pending, {missing} without a file", count(applied, "migration"));
    let verdict = if missing > 0 {
        Verdict::Warning
    } else if pending > 0 {
        Verdict::Note
    } else {
        Verdict::Ok
    };
    let mut check = Check::new(area, verdict, message);
    if missing > 0 {
        check.cure =
            Some("bring the files back, or roll those migrations back: their SQL stands in the history".to_owned());
    } else if pending > 0 {
        check.cure = Some(format!("profe migrate run --environment {area}"));
    }
    check
}

fn place(connect: &ConnectOptions) -> String {
    format!("{} on {}", connect.database(), connect.host_summary())
}

pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
