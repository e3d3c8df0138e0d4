//! One person of a file.

use std::collections::HashMap;

use kernel::AppRole;
use serde::Serialize;
use utoipa::ToSchema;

use super::csv::unescape;
use crate::model::Newcomer;
use crate::rules::{is_email, is_name};

/// The columns of an export: those of OneRoster 1.2's users.csv, and the roles.
pub(crate) const COLUMNS: [&str; 24] = [
    "sourcedId",
    "status",
    "dateLastModified",
    "enabledUser",
    "username",
    "userIds",
    "givenName",
    "familyName",
    "middleName",
    "identifier",
    "email",
    "sms",
    "phone",
    "agentSourcedIds",
    "grades",
    "password",
    "userMasterIdentifier",
    "resourceId",
    "preferredGivenName",
    "preferredMiddleName",
    "preferredFamilyName",
    "primaryOrgSourcedId",
    "pronouns",
    "metadata.roles",
];

/// What is wrong with a file, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Mistake {
    /// Line of the file, from 1 on.
    pub(crate) line: u32,
    /// Column, where it is about one.
    pub(crate) column: Option<String>,
    /// What is wrong, and what would be right.
    pub(crate) message: String,
}

/// Where each column stands.
#[derive(Debug)]
pub(crate) struct Header {
    places: HashMap<String, usize>,
    columns: usize,
    /// Who says no role is this.
    usual: Option<AppRole>,
    invite: bool,
}

impl Header {
    /// The first row of a file.
    pub(crate) fn read(line: u32, row: &[String], usual: Option<AppRole>, invite: bool) -> Result<Self, Mistake> {
        let wrong = |column: &str, message: String| Mistake { line, column: Some(column.to_owned()), message };
        let mut places = HashMap::new();
        for (place, name) in row.iter().enumerate() {
            if places.insert(name.trim().to_ascii_lowercase(), place).is_some() {
                return Err(wrong(name, format!("the column {name:?} is there twice; leave one out")));
            }
        }
        for needed in ["givenName", "familyName", "email"] {
            if !places.contains_key(&needed.to_ascii_lowercase()) {
                return Err(wrong(
                    needed,
                    format!("the column {needed:?} is missing; begin the file with the names of its columns"),
                ));
            }
        }
        if usual.is_none() && !["metadata.roles", "role"].iter().any(|name| places.contains_key(*name)) {
            let message = "no column says the role; add \"metadata.roles\", or ask with ?role=student".to_owned();
            return Err(wrong("metadata.roles", message));
        }
        Ok(Self { places, columns: row.len(), usual, invite })
    }

    fn field<'a>(&self, row: &'a [String], name: &str) -> Option<&'a str> {
        let field = self.places.get(&name.to_ascii_lowercase()).and_then(|place| row.get(*place))?;
        Some(unescape(field.trim())).filter(|field| !field.is_empty())
    }

    /// A row after the first one: somebody, or what is wrong with it.
    pub(crate) fn person(&self, line: u32, row: &[String]) -> Result<Newcomer, Mistake> {
        let wrong = |column: &str, message: &str| Mistake {
            line,
            column: Some(column.to_owned()),
            message: message.to_owned(),
        };
        if row.len() > self.columns {
            let message = format!("the row has {} fields, and the first one {}", row.len(), self.columns);
            return Err(Mistake { line, column: None, message });
        }
        let name = |column: &str| {
            let given = self.field(row, column).and_then(is_name);
            given.ok_or_else(|| wrong(column, "it is no name; write 1 to 100 characters on one line"))
        };
        let email = self.field(row, "email").and_then(is_email);
        let email = email.ok_or_else(|| wrong("email", "it is no address; write one such as ana@escuela.example"))?;
        let short = |column: &str, longest: usize| match self.field(row, column) {
            Some(text) if text.chars().count() > longest || text.chars().any(char::is_control) => {
                Err(wrong(column, &format!("it is longer than {longest} characters, or has a line break")))
            }
            text => Ok(text.map(str::to_owned)),
        };
        let middle = short("middleName", 100)?;
        let given = name("givenName")?;
        let first_name = middle.map_or_else(|| given.clone(), |middle| format!("{given} {middle}"));
        let first_name = is_name(&first_name)
            .ok_or_else(|| wrong("middleName", "with it the name is longer than 100 characters"))?;
        let is_enabled = match self.field(row, "enabledUser").map(str::to_ascii_lowercase).as_deref() {
            None => None,
            Some("true") => Some(true),
            Some("false") => Some(false),
            Some(_) => return Err(wrong("enabledUser", "it is neither true nor false")),
        };
        if self.field(row, "status").is_some_and(|status| !status.eq_ignore_ascii_case("active")) {
            return Err(wrong("status", "it is not active; people are removed in the list, not by a file"));
        }
        Ok(Newcomer {
            line: i32::try_from(line).unwrap_or(i32::MAX),
            email,
            first_name,
            last_name: name("familyName")?,
            roles: self.roles(line, row)?,
            phone: match short("phone", 20)? {
                Some(phone) => Some(phone),
                None => short("sms", 20)?,
            },
            source_id: short("sourcedId", 255)?,
            subjects: None,
            is_enabled,
            invite: self.invite,
        })
    }

    fn roles(&self, line: u32, row: &[String]) -> Result<Vec<AppRole>, Mistake> {
        let wrong = |column: &str, message: String| Mistake { line, column: Some(column.to_owned()), message };
        let given =
            ["metadata.roles", "role"].into_iter().find_map(|name| self.field(row, name).map(|roles| (name, roles)));
        let Some((column, given)) = given else {
            let missing =
                || wrong("metadata.roles", "it says no role; write admin, teacher, student or parent".to_owned());
            return self.usual.map(|role| vec![role]).ok_or_else(missing);
        };
        let role = |word: &str| match word.trim().to_ascii_lowercase().as_str() {
            // As OneRoster calls them.
            "administrator" | "siteadministrator" | "principal" => Ok(AppRole::Admin),
            "guardian" | "relative" => Ok(AppRole::Parent),
            word => word.parse().map_err(|error: kernel::NoSuchRole| wrong(column, error.to_string())),
        };
        let mut roles = given.split(',').map(role).collect::<Result<Vec<AppRole>, Mistake>>()?;
        roles.sort_by_key(|role| role.as_str());
        roles.dedup();
        Ok(roles)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(fields: &[&str]) -> Vec<String> {
        fields.iter().map(|field| (*field).to_owned()).collect()
    }

    #[test]
    fn a_row_is_a_person_or_a_mistake_with_its_place() {
        let names = row(&["sourcedId", "enabledUser", "givenName", "familyName", "email", "role", "phone"]);
        let header = Header::read(1, &names, None, false).expect("a header");
        let ana = header
            .person(2, &row(&["s-1", "true", "Ana", "García", "ana@escuela.example", "student", "'+57 1"]))
            .expect("a person");
        assert_eq!(
            (ana.first_name.as_str(), ana.roles.as_slice(), ana.is_enabled),
            ("Ana", &[AppRole::Student][..], Some(true))
        );
        assert_eq!((ana.phone.as_deref(), ana.source_id.as_deref(), ana.line), (Some("+57 1"), Some("s-1"), 2));
        let parent = header
            .person(3, &row(&["", "", "Eva", "Gil", "eva@escuela.example", "guardian,teacher"]))
            .expect("a person");
        assert_eq!(parent.roles, [AppRole::Parent, AppRole::Teacher]);
        for (fields, column) in [
            (["s", "x", "Ana", "G", "a@b.example", "student", ""], "enabledUser"),
            (["s", "", "", "G", "a@b.example", "student", ""], "givenName"),
            (["s", "", "Ana", "G", "nobody", "student", ""], "email"),
            (["s", "", "Ana", "G", "a@b.example", "janitor", ""], "role"),
            (["s", "", "Ana", "G", "a@b.example", "", ""], "metadata.roles"),
        ] {
            let mistake = header.person(9, &row(&fields)).expect_err("a mistake");
            assert_eq!((mistake.line, mistake.column.as_deref()), (9, Some(column)), "{mistake:?}");
        }
        assert!(header.person(4, &row(&["x"; 8])).is_err());
    }

    #[test]
    fn a_header_has_what_is_needed() {
        assert!(Header::read(1, &row(&["givenName", "familyName"]), Some(AppRole::Student), false).is_err());
        assert!(Header::read(1, &row(&["givenName", "familyName", "email"]), None, false).is_err());
        assert!(Header::read(1, &row(&["givenName", "familyName", "email"]), Some(AppRole::Student), false).is_ok());
        assert!(
            Header::read(1, &row(&["email", "Email", "givenName", "familyName"]), Some(AppRole::Student), false)
                .is_err()
        );
    }
}
