//! Letters to people: the mail server, or the folder in their place.

use std::path::{Path, PathBuf};

use db_migrations_service::doctor::Check;
use runtime::Environment;
use rustix::fs::{Access, access};
use service::Settings;
use url::Url;

use super::{reach, value};

const AREA: &str = "letters";

pub(super) async fn all(environment: &Environment) -> Option<Check> {
    let writers = [&auth::DEFINITION, &users::DEFINITION];
    let settings = writers.iter().find_map(|definition| {
        Settings::read(definition, environment).ok().filter(|settings| settings.database.is_some())
    })?;
    let folder = value(environment, "MAIL_FOLDER").map_or_else(|| PathBuf::from(".profe/mail"), PathBuf::from);
    let Some(url) = value(environment, "MAIL_SMTP_URL") else {
        let is_development = settings.environment.as_deref().is_none_or(|name| name == "development");
        return Some(in_folder(&folder, is_development));
    };
    // What is no such URL is told with the service's settings.
    let server = Url::parse(&url).ok()?;
    let host = server.host_str()?.to_owned();
    let port = server.port().unwrap_or(if server.scheme() == "smtps" { 465 } else { 25 });
    let place = format!("{host}:{port}");
    let asked = tokio::task::spawn_blocking({
        let place = place.clone();
        move || reach::listens(&place)
    });
    Some(match asked.await.unwrap_or_else(|error| Err(error.to_string())) {
        Ok(()) => Check::ok(AREA, format!("the mail server {place} listens")),
        Err(why) => Check::warning(
            AREA,
            format!("the mail server {place} cannot be reached: {why}"),
            "start it, or correct MAIL_SMTP_URL; what is to be mailed waits for it",
        ),
    })
}

fn in_folder(folder: &Path, is_development: bool) -> Check {
    let shown = folder.display();
    if !is_development {
        let message =
            format!("no mail server is named: letters to people lie in {shown} of each copy, and nobody gets them");
        return Check::warning(AREA, message, "set MAIL_SMTP_URL and MAIL_FROM");
    }
    let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let existing = absolute.ancestors().find(|path| path.exists());
    match existing.map(|path| access(path, Access::WRITE_OK | Access::EXEC_OK)) {
        Some(Err(error)) => {
            let message = format!("letters are to lie in {shown}, where they cannot be written: {error}");
            Check::error(
                AREA,
                message,
                "make the folder writable, name another one with MAIL_FOLDER, or a server with MAIL_SMTP_URL",
            )
        }
        _ => Check::ok(AREA, format!("no mail server is named; they lie in {shown}")),
    }
}
