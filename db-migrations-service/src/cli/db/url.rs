//! `profe db url`: the one place that prints a password, because somebody asked for it.

use serde_json::json;

use crate::cli::Databases;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::operations::{Operations, Recording};

pub(super) fn run(context: &Context) -> Result<Exit, Failure> {
    let project = context.project()?;
    let databases = context.databases()?;
    let operations = context.operations(project, databases, Recording::Alongside)?;
    let entry = operations.environment(context.environment())?;
    let target = entry.target.as_ref().map_err(|reason| Failure::usage(reason.clone(), ""))?;
    let url = of(context, &operations, databases, &entry.environment, target.connect.database())?;
    context.output.document(&json!({ "environment": entry.environment, "url": url }));
    context.output.line(&url);
    if databases.cluster().is_some() {
        context.output.note("The private server stops with this command; `profe up` keeps it running.");
    }
    Ok(Exit::Ok)
}

/// The URL, as it was configured, of a database on an environment's server.
pub(super) fn of(
    context: &Context,
    operations: &Operations,
    databases: &Databases,
    environment: &str,
    database: &str,
) -> Result<String, Failure> {
    let variable = |name: &str| context.variables.get(name).ok().flatten();
    let own = operations.catalogue().environments.get(environment).and_then(|entry| entry.url_variable.as_deref());
    let server = own
        .filter(|name| *name != "DATABASE_URL")
        .and_then(variable)
        .or_else(|| variable("DATABASE_URL"))
        .or_else(|| variable("MIGRATION_SERVICE_MASTER_DB_URL"))
        .or_else(|| databases.private_url().map(str::to_owned));
    server
        .map(|url| with_database(url.trim(), database))
        .ok_or_else(|| Failure::usage("no database is configured", "set DATABASE_URL"))
}

/// The same URL or `key=value` string with another database.
fn with_database(url: &str, database: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        // In a key=value string the last value wins.
        return format!("{url} dbname='{}'", database.replace('\\', "\\\\").replace('\'', "\\'"));
    };
    let (address, query) = rest.split_once('?').map_or((rest, None), |(address, query)| (address, Some(query)));
    let authority = address.split('/').next().unwrap_or_default();
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    format!("{scheme}://{authority}/{}{query}", escape(database))
}

fn escape(name: &str) -> String {
    use std::fmt::Write;
    name.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use postgres_link::ConnectOptions;

    use super::with_database;

    #[test]
    fn only_the_database_changes() {
        for (from, to) in [
            (
                "postgresql://ana:p%40ss@db:5433/one?sslmode=require",
                "postgresql://ana:p%40ss@db:5433/two%2F2?sslmode=require",
            ),
            ("postgres://db", "postgres://db/two%2F2"),
        ] {
            assert_eq!(with_database(from, "two/2"), to);
        }
        let keywords = with_database("host=db dbname=one user=ana", "it's");
        let options = ConnectOptions::parse_with(&keywords, &|_| None).expect("it reads");
        assert_eq!((options.database(), options.user()), ("it's", "ana"));
    }
}
