//! `postgresql://user:password@host1:5432,host2/database?sslmode=require`.

use percent_encoding::percent_decode_str;

use super::{Given, OptionsError, keyword};

/// The part after `postgres://`, or nothing if the text is not a URL. A URL of something else is refused by name.
pub(super) fn without_scheme(text: &str) -> Result<Option<&str>, OptionsError> {
    match text.split_once("://") {
        Some(("postgresql" | "postgres", rest)) => Ok(Some(rest)),
        Some((scheme, _)) if !scheme.is_empty() && scheme.bytes().all(is_of_scheme) => {
            Err(OptionsError::Syntax(format!("it begins with {scheme}:// and only postgresql:// is understood")))
        }
        _ => Ok(None),
    }
}

/// RFC 3986, 3.1. A `key=value` string has a `=` before any `://`.
fn is_of_scheme(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')
}

pub(super) fn parse(rest: &str) -> Result<Given, OptionsError> {
    let mut given = Given::default();
    let (rest, query) = rest.split_once('?').map_or((rest, ""), |(rest, query)| (rest, query));
    // The last `@` before the path: one in a password that was not escaped does no harm then.
    let (authority, database) = rest.split_once('/').map_or((rest, ""), |(a, d)| (a, d));
    let (who, hosts) = authority.rsplit_once('@').map_or(("", authority), |(w, h)| (w, h));

    let (user, password) = who.split_once(':').map_or((who, None), |(user, password)| (user, Some(password)));
    if !user.is_empty() {
        keyword::set(&mut given, "user", &decode("user", user)?)?;
    }
    if let Some(password) = password.filter(|p| !p.is_empty()) {
        keyword::set(&mut given, "password", &decode("password", password)?)?;
    }
    set_hosts(&mut given, hosts)?;
    if !database.is_empty() {
        keyword::set(&mut given, "dbname", &decode("dbname", database)?)?;
    }
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) =
            pair.split_once('=').ok_or_else(|| OptionsError::Syntax("a parameter after `?` has no `=`".to_owned()))?;
        let name = decode("parameter name", name)?;
        let value = decode(&name, value)?;
        match (name.as_str(), value.as_str()) {
            // JDBC's word, which libpq takes in URLs too.
            ("ssl", "true") => keyword::set(&mut given, "sslmode", "require")?,
            _ => keyword::set(&mut given, &name, &value)?,
        }
    }
    Ok(given)
}

/// Hosts and ports become two lists of equal length, as `host=` and `port=` are in a `key=value` string.
fn set_hosts(given: &mut Given, hosts: &str) -> Result<(), OptionsError> {
    if hosts.is_empty() {
        return Ok(());
    }
    let mut names = Vec::new();
    let mut ports = Vec::new();
    for one in hosts.split(',') {
        let (name, port) = if let Some(inside) = one.strip_prefix('[') {
            let (name, after) = inside
                .split_once(']')
                .ok_or_else(|| OptionsError::Syntax("the `[` of an IPv6 address is not closed".to_owned()))?;
            (name, after.strip_prefix(':').unwrap_or(after))
        } else {
            one.split_once(':').unwrap_or((one, ""))
        };
        names.push(decode("host", name)?);
        ports.push(decode("port", port)?);
    }
    keyword::set(given, "host", &names.join(","))?;
    if ports.iter().any(|port| !port.is_empty()) {
        // A `/` or `?` in a password cuts the URL there, and what looks like a port is a part of it: not repeated.
        keyword::set(given, "port", &ports.join(",")).map_err(|_| {
            OptionsError::Syntax(
                "the port is not a number from 1 to 65535; if the password holds `/`, `?`, `#` or `@`, write %2F, %3F, %23 or %40".to_owned(),
            )
        })?;
    }
    Ok(())
}

fn decode(name: &str, text: &str) -> Result<String, OptionsError> {
    let broken = text
        .split('%')
        .skip(1)
        .any(|after| !after.get(..2).is_some_and(|two| two.bytes().all(|b| b.is_ascii_hexdigit())));
    let text = percent_decode_str(text).decode_utf8();
    match text {
        Ok(text) if !broken && !text.contains('\0') => Ok(text.into_owned()),
        _ => Err(OptionsError::Syntax(format!(
            "the {name} has a broken percent-encoding; write a literal `%` as `%25`, `@` as `%40`, `/` as `%2F`"
        ))),
    }
}
