//! What there is.

use kernel::AppRole;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use time::{Date, OffsetDateTime};
use utoipa::ToSchema;
use uuid::Uuid;

/// A person as a school knows them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct User {
    /// Id of the account.
    pub(crate) id: Uuid,
    /// The school.
    pub(crate) organization_id: Uuid,
    /// Given names.
    pub(crate) first_name: String,
    /// Family names.
    pub(crate) last_name: String,
    /// Address; null for all but administrators and the person.
    pub(crate) email: Option<String>,
    /// What they are in the school: `admin`, `teacher`, `student`, `parent`.
    pub(crate) roles: Vec<String>,
    /// `active`, `invited` (has not accepted, or not chosen a password yet), `inactive` or `deleted`.
    pub(crate) status: String,
    /// Number in the school's own register.
    pub(crate) source_id: Option<String>,
    /// Since when the school has them.
    #[serde(with = "time::serde::rfc3339::option")]
    pub(crate) created_at: Option<OffsetDateTime>,
    /// When anything of it last changed.
    #[serde(with = "time::serde::rfc3339::option")]
    pub(crate) updated_at: Option<OffsetDateTime>,
}

/// A teacher as the web client's administration shows them.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Teacher {
    /// Id of the account.
    pub(crate) id: Uuid,
    /// Given names.
    pub(crate) first_name: String,
    /// Family names.
    pub(crate) last_name: String,
    /// Address.
    pub(crate) email: String,
    /// Telephone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) phone: Option<String>,
    /// The school.
    pub(crate) organization_id: Uuid,
    /// Names of the subjects they teach.
    pub(crate) subjects: Vec<String>,
    /// Whether the school lets them in; true also while they have not accepted yet.
    pub(crate) is_active: bool,
    /// Since when the school has them.
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) created_at: OffsetDateTime,
    /// When anything of it last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) updated_at: OffsetDateTime,
}

/// A role that somebody holds in the school.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HeldRole {
    /// Its id.
    pub(crate) id: Uuid,
    /// Which.
    pub(crate) role: String,
    /// Where.
    pub(crate) organization_id: Uuid,
    /// Whether it counts: not while it is suspended, or only offered.
    pub(crate) is_active: bool,
    /// Since when; null while it is only offered.
    #[serde(with = "time::serde::rfc3339::option")]
    pub(crate) created_at: Option<OffsetDateTime>,
}

/// The person behind an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Profile {
    /// Given names.
    #[schema(max_length = 100)]
    pub(crate) first_name: String,
    /// Family names.
    #[schema(max_length = 100)]
    pub(crate) last_name: String,
    /// Telephone.
    #[serde(default)]
    #[schema(max_length = 20)]
    pub(crate) phone: Option<String>,
    /// Date of birth, `YYYY-MM-DD`.
    #[serde(default, with = "day")]
    #[schema(value_type = Option<String>, format = Date)]
    pub(crate) date_of_birth: Option<Date>,
    /// Gender as the person states it.
    #[serde(default)]
    #[schema(max_length = 10)]
    pub(crate) gender: Option<String>,
    /// Address of the picture. It is changed by PATCH …/avatar: who sends back what they were given changes nothing of it here.
    #[serde(default, deserialize_with = "unread")]
    #[schema(read_only)]
    pub(crate) avatar_url: Option<String>,
}

fn unread<'de, D: serde::Deserializer<'de>>(given: D) -> Result<Option<String>, D::Error> {
    serde::de::IgnoredAny::deserialize(given).map(|_| None)
}

time::serde::format_description!(pub(crate) day_format, Date, "[year]-[month]-[day]");

/// A date, or none.
mod day {
    pub(super) use super::day_format::option::*;
}

/// How somebody wants the platform to look and speak.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Preferences {
    /// Language, a BCP 47 tag.
    #[schema(example = "es", max_length = 10, pattern = "^[A-Za-z0-9]{2,8}(-[A-Za-z0-9]{2,8})*$")]
    pub(crate) language: String,
    /// Time zone, a name of the IANA database.
    #[schema(example = "America/Bogota", max_length = 50, pattern = "^[A-Za-z0-9/_+-]+$")]
    pub(crate) timezone: String,
    /// Which notices, by which channel.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub(crate) notification_settings: Map<String, Value>,
    /// `light`, `dark` or `system`.
    #[schema(example = "light", pattern = "^(light|dark|system)$")]
    pub(crate) theme: String,
}

impl Default for Preferences {
    /// What the table has for who has said nothing.
    fn default() -> Self {
        Self {
            language: "es".to_owned(),
            timezone: "America/Bogota".to_owned(),
            notification_settings: Map::new(),
            theme: "light".to_owned(),
        }
    }
}

/// Somebody who follows a student, or a student whom somebody follows.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Relative {
    /// The other person.
    pub(crate) id: Uuid,
    /// Given names; null where the caller does not see them.
    pub(crate) first_name: Option<String>,
    /// Family names, likewise.
    pub(crate) last_name: Option<String>,
    /// What the guardian is to the student: `mother`, `father`, `guardian` or `other`.
    pub(crate) relationship: String,
    /// False once the guardian may no longer follow the student.
    pub(crate) is_active: bool,
    /// Since when.
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) created_at: OffsetDateTime,
}

/// Somebody who is to be added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Newcomer {
    /// Where in a file they stand; 1 without one.
    pub(crate) line: i32,
    pub(crate) email: String,
    pub(crate) first_name: String,
    pub(crate) last_name: String,
    pub(crate) roles: Vec<AppRole>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) phone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) source_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) subjects: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) is_enabled: Option<bool>,
    /// Whether they are written to.
    pub(crate) invite: bool,
}

/// What the database's functions say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is done.
    Done,
    /// Nobody of the school.
    NoSuch,
    /// It was about the caller.
    OneSelf,
    /// It is there already.
    Exists,
    /// It is the person's own.
    NotOurs,
    /// It has another version.
    Changed,
}

impl Outcome {
    /// A word that is none means that nothing was done.
    pub(crate) fn of(word: &str) -> Self {
        match word {
            "done" | "created" | "updated" => Self::Done,
            "self" => Self::OneSelf,
            "exists" => Self::Exists,
            "not_ours" => Self::NotOurs,
            "changed" => Self::Changed,
            _ => Self::NoSuch,
        }
    }
}
