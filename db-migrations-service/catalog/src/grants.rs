//! Access control lists as words, one property for each grantee.
//!
//! The catalog's text is read here and not exploded by the server: tens of thousands of lists make hundreds of
//! thousands of rows.

use crate::object::{Properties, quoted};

/// The grantee that is the owner, under a name that no quoted role can have.
pub(crate) const OWNER: &str = "its owner";

/// In the order in which people name them.
const PRIVILEGES: [(char, &str); 11] = [
    ('r', "SELECT"),
    ('a', "INSERT"),
    ('w', "UPDATE"),
    ('d', "DELETE"),
    ('D', "TRUNCATE"),
    ('x', "REFERENCES"),
    ('t', "TRIGGER"),
    ('m', "MAINTAIN"),
    ('X', "EXECUTE"),
    ('U', "USAGE"),
    ('C', "CREATE"),
];

/// Adds `grant <grantee>` for every entry of `list`, which has one aclitem per line.
pub(crate) fn add(properties: &mut Properties, list: &str, owner: &str, server_version_num: u32) {
    for item in list.lines() {
        let (grantee, rest) = role(item);
        let Some((letters, grantor)) = rest.strip_prefix('=').and_then(|rest| rest.split_once('/')) else { continue };
        let grantee = match grantee.as_str() {
            "" => "PUBLIC".to_owned(),
            name if name == owner => OWNER.to_owned(),
            name => quoted(name),
        };
        let mut words = words(letters, server_version_num);
        let (grantor, _) = role(grantor);
        if grantor != owner {
            words = format!("{words} by {}", quoted(&grantor));
        }
        let granted = properties.entry(format!("grant {grantee}")).or_default();
        if !granted.is_empty() {
            granted.push_str("; ");
        }
        granted.push_str(&words);
    }
}

/// A role's name at the start of `text`, quoted by the server where it holds more than letters, and what follows.
fn role(text: &str) -> (String, &str) {
    let Some(mut rest) = text.strip_prefix('"') else {
        let end = text.find(['=', '/']).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut name = String::new();
    while let Some(end) = rest.find('"') {
        name.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        let Some(escaped) = rest.strip_prefix('"') else { break };
        name.push('"');
        rest = escaped;
    }
    (name, rest)
}

/// `arw*` is `SELECT, INSERT, UPDATE WITH GRANT OPTION`. All that a table has is ALL, with MAINTAIN where the server
/// knows it: PostgreSQL 17 gives it to whoever had all before.
fn words(letters: &str, server_version_num: u32) -> String {
    let has = |letter: char| letters.contains(letter);
    let everything = if server_version_num >= 170_000 { "rawdDxtm" } else { "rawdDxt" };
    if everything.chars().all(has) && everything.len() == letters.len() {
        return "ALL".to_owned();
    }
    if everything.chars().all(has) && letters.matches('*').count() == everything.len() {
        return "ALL WITH GRANT OPTION".to_owned();
    }
    let granted = PRIVILEGES.iter().filter(|(letter, _)| has(*letter));
    let words: Vec<String> = granted
        .map(|(letter, word)| {
            let with_option = letters.contains(&format!("{letter}*"));
            if with_option { format!("{word} WITH GRANT OPTION") } else { (*word).to_owned() }
        })
        .collect();
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(list: &str, server: u32) -> Vec<String> {
        let mut properties = Properties::new();
        add(&mut properties, list, "owner", server);
        properties.into_iter().map(|(name, value)| format!("{name}: {value}")).collect()
    }

    #[test]
    fn lists_are_read() {
        assert_eq!(
            read("owner=arwdDxt/owner\n=r/owner\n\"odd \"\"=/ name\"=r*a/other", 150_000),
            [
                "grant \"odd \"\"=/ name\": SELECT WITH GRANT OPTION, INSERT by other",
                "grant PUBLIC: SELECT",
                "grant its owner: ALL",
            ]
        );
        assert_eq!(read("owner=arwdDxtm/owner", 170_000), ["grant its owner: ALL"]);
        assert_eq!(
            read("x=a*r*w*d*D*x*t*/owner\nx=r/y", 140_000),
            ["grant x: ALL WITH GRANT OPTION; SELECT by y"],
            "two grantors"
        );
        assert_eq!(
            read("x=arwdDxt/owner", 170_000),
            ["grant x: SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER"],
            "without MAINTAIN it is not all"
        );
        assert!(read("", 170_000).is_empty());
    }
}
