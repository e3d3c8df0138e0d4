//! `.pgpass`: `host:port:database:user:password`, first match wins.
//!
//! Source: <https://www.postgresql.org/docs/current/libpq-pgpass.html>. The file is read when connecting, not when
//! options are parsed, because the answer depends on the database. A line that is too short is skipped, as in libpq.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::options::{Endpoint, Host, Secret};

/// libpq looks a Unix socket in its default folder up as `localhost`.
const SOCKET_FOLDERS: [&str; 2] = ["/var/run/postgresql", "/tmp"];

/// The password for this connection, if the file has one and is safe to trust.
///
/// A file that others can read is ignored with a warning, as libpq does: whoever reads it could have it already.
pub(crate) fn look_up(path: &Path, endpoint: &Endpoint, database: &str, user: &str) -> Option<Secret> {
    let meta = fs::metadata(path).ok()?;
    if !meta.is_file() {
        tracing::warn!(path = %path.display(), "the password file is not a plain file, so it is not used");
        return None;
    }
    if meta.permissions().mode() & 0o077 != 0 {
        tracing::warn!(
            path = %path.display(),
            "the password file can be read by others, so it is not used; run `chmod 0600` on it"
        );
        return None;
    }
    let text = fs::read_to_string(path).ok()?;
    find(&text, &host_name(endpoint), endpoint.port, database, user).map(Secret::new)
}

fn host_name(endpoint: &Endpoint) -> String {
    match &endpoint.host {
        Host::Unix(folder) if SOCKET_FOLDERS.iter().any(|known| Path::new(known) == folder) => "localhost".to_owned(),
        host => host.to_string(),
    }
}

fn find(text: &str, host: &str, port: u16, database: &str, user: &str) -> Option<String> {
    let port = port.to_string();
    text.lines()
        .map(|line| line.trim_end_matches('\r'))
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .find_map(|line| {
            let mut rest = line;
            for wanted in [host, &port, database, user] {
                let (field, after) = split_field(rest)?;
                if field != "*" && unescape(field) != wanted {
                    return None;
                }
                rest = after;
            }
            // The password ends at the next bare colon too, which leaves room for fields to come.
            let password = split_field(rest).map_or(rest, |(password, _)| password);
            Some(unescape(password)).filter(|password| !password.is_empty())
        })
}

/// Up to the next colon that no backslash protects.
fn split_field(text: &str) -> Option<(&str, &str)> {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ':' => return Some((&text[..at], &text[at + 1..])),
            _ => {}
        }
    }
    None
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c == '\\' { out.extend(chars.next()) } else { out.push(c) }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# comment\n\
        short:line\n\
        db.example:5432:shop:ada:first\n\
        db.example:5432:shop:ada:second\n\
        db.example:*:*:bob:with\\:colon\\\\and backslash\n\
        \\:\\:1:5432:*:ada:six\r\n\
        \\*:5432:*:star:literal\n\
        *:*:*:empty:\n\
        *:*:*:eve:any:more fields\n";

    fn lookup(host: &str, port: u16, database: &str, user: &str) -> Option<String> {
        find(FILE, host, port, database, user)
    }

    #[test]
    fn first_match_wins_and_wildcards_match() {
        assert_eq!(lookup("db.example", 5432, "shop", "ada").as_deref(), Some("first"));
        assert_eq!(lookup("db.example", 5433, "shop", "ada"), None);
        assert_eq!(lookup("db.example", 1, "x", "bob").as_deref(), Some("with:colon\\and backslash"));
        assert_eq!(lookup("anywhere", 9, "y", "eve").as_deref(), Some("any"));
        assert_eq!(lookup("anywhere", 9, "y", "empty"), None, "an empty password is none");
    }

    #[test]
    fn escapes_hold_in_every_field() {
        assert_eq!(lookup("::1", 5432, "z", "ada").as_deref(), Some("six"));
        assert_eq!(lookup("*", 5432, "z", "star").as_deref(), Some("literal"));
    }

    #[test]
    fn a_file_others_can_read_is_ignored() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("pgpass");
        fs::write(&path, "*:*:*:*:secret\n").expect("written");
        let endpoint = Endpoint { host: Host::Tcp("h".into()), address: None, port: 5432 };
        for (mode, found) in [(0o600, true), (0o640, false), (0o604, false), (0o400, true)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("own file");
            assert_eq!(look_up(&path, &endpoint, "d", "u").is_some(), found, "{mode:o}");
        }
        assert!(look_up(folder.path(), &endpoint, "d", "u").is_none(), "a folder");
        assert!(look_up(&folder.path().join("absent"), &endpoint, "d", "u").is_none());
    }
}
