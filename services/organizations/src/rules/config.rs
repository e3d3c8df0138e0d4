//! How a school can be set up. The types here are the schema: they are checked, and published in the OpenAPI document.

use kernel::AppRole;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use service::Fault;
use utoipa::ToSchema;

/// How a school is set up. What is left out has its usual value.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The year that is taught now.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^[0-9]{4}(-[0-9]{4})?$", example = "2026")]
    pub academic_year: Option<String>,
    /// Between what results lie, and from where on one has passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grading_scale: Option<GradingScale>,
    /// As what people may join by registering alone, without an administrator.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<String>>, example = json!(["student"]))]
    pub self_registration: Option<Vec<AppRole>>,
    /// The language in which the school is written to, where somebody has said nothing else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
    /// Its time zone, of the IANA's names.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "America/Bogota", max_length = 50)]
    pub timezone: Option<String>,
    /// Domains of which addresses may be invited; any, where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_items = 50, example = json!(["escuela.example"]))]
    pub email_domains: Option<Vec<String>>,
}

/// Its members, in the order of their names.
pub const CONFIG_KEYS: [&str; 6] =
    ["academic_year", "email_domains", "grading_scale", "language", "self_registration", "timezone"];

/// Between what results lie.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GradingScale {
    /// The worst.
    pub min: f64,
    /// The best.
    pub max: f64,
    /// From here on one has passed.
    pub passing: f64,
}

/// A language of the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// Spanish.
    Es,
    /// English.
    En,
}

/// What of these settings is to be kept, key by key.
///
/// # Errors
/// The first member that is unknown or not what it has to be.
pub fn check(settings: &Map<String, Value>) -> Result<(), Fault> {
    known(settings.keys())?;
    let read = serde_path_to_error::deserialize::<_, Config>(Value::Object(settings.clone()));
    let config = read.map_err(|error| {
        let member = error.path().to_string();
        let key = member.split(['.', '[']).next().unwrap_or_default().to_owned();
        Fault::invalid(&member, "is not what it has to be", shape(&key))
    })?;
    if let Some(year) = &config.academic_year
        && !is_year(year)
    {
        return Err(Fault::invalid("academic_year", "is no year", shape("academic_year")));
    }
    if let Some(GradingScale { min, max, passing }) = config.grading_scale
        && !(min < max && (min..=max).contains(&passing))
    {
        return Err(Fault::invalid(
            "grading_scale",
            "does not rise from min to max with passing between",
            shape("grading_scale"),
        ));
    }
    if config.self_registration.is_some_and(|roles| roles.contains(&AppRole::Admin)) {
        return Err(Fault::invalid("self_registration", "names administrators", shape("self_registration")));
    }
    if config.timezone.is_some_and(|zone| !is_zone(&zone)) {
        return Err(Fault::invalid("timezone", "is no time zone", shape("timezone")));
    }
    if config.email_domains.is_some_and(|domains| domains.len() > 50 || !domains.iter().all(|domain| is_domain(domain)))
    {
        return Err(Fault::invalid("email_domains", "has something that is no domain", shape("email_domains")));
    }
    Ok(())
}

/// Whether these are settings.
///
/// # Errors
/// The first that is none.
pub fn known<'a>(mut keys: impl Iterator<Item = &'a String>) -> Result<(), Fault> {
    let Some(unknown) = keys.find(|key| !CONFIG_KEYS.contains(&key.as_str())) else { return Ok(()) };
    let cure = format!("use one of: {}", CONFIG_KEYS.join(", "));
    Err(Fault::invalid(unknown, "is no setting of a school", &cure))
}

/// What to send instead.
fn shape(key: &str) -> &'static str {
    match key {
        "academic_year" => "give it as \"2026\" or \"2026-2027\"",
        "grading_scale" => "give it as {\"min\": 0, \"max\": 100, \"passing\": 60}",
        "self_registration" => {
            "give a list of teacher, student and parent; nobody becomes an administrator by registering"
        }
        "language" => "give \"es\" or \"en\"",
        "timezone" => "give a name of the IANA's, such as \"America/Bogota\"",
        "email_domains" => "give a list of at most 50 domains, such as [\"escuela.example\"]",
        _ => "look it up in /openapi.json",
    }
}

fn is_year(text: &str) -> bool {
    let year = |text: &str| Some(text).filter(|text| text.len() == 4).and_then(|text| text.parse::<u16>().ok());
    match text.split_once('-') {
        None => year(text).is_some(),
        Some((first, second)) => year(first).zip(year(second)).is_some_and(|(first, second)| second == first + 1),
    }
}

/// By its form: whether there is such a zone, PostgreSQL and browsers know, and their lists differ.
fn is_zone(text: &str) -> bool {
    let word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+-".contains(&b));
    text.len() <= 50 && text.split('/').all(word) && text.starts_with(|c: char| c.is_ascii_uppercase())
}

fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.contains('.') && text.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn checked(settings: &Value) -> Result<(), &'static str> {
        check(settings.as_object().expect("an object")).map_err(|fault| fault.code())
    }

    #[test]
    fn the_keys_are_those_of_the_type() {
        let all = Config {
            academic_year: Some(String::new()),
            grading_scale: Some(GradingScale { min: 0.0, max: 1.0, passing: 0.5 }),
            self_registration: Some(Vec::new()),
            language: Some(Language::Es),
            timezone: Some(String::new()),
            email_domains: Some(Vec::new()),
        };
        let written = serde_json::to_value(all).expect("JSON");
        let mut keys: Vec<_> = written.as_object().expect("an object").keys().map(String::as_str).collect();
        keys.sort_unstable();
        assert_eq!(keys, CONFIG_KEYS);
    }

    #[test]
    fn what_a_school_can_be_set_to() {
        let all = json!({
            "academic_year": "2026-2027", "grading_scale": { "min": 1.0, "max": 5.0, "passing": 3.0 },
            "self_registration": ["student", "parent"], "language": "en", "timezone": "America/Argentina/Buenos_Aires",
            "email_domains": ["escuela.example", "alumnos.escuela.example"]
        });
        assert_eq!(checked(&all), Ok(()));
        assert_eq!(checked(&json!({})), Ok(()));
        for bad in [
            json!({ "academic_years": "2026" }),
            json!({ "academic_year": 2026 }),
            json!({ "academic_year": "2026-2028" }),
            json!({ "grading_scale": { "min": 5, "max": 1, "passing": 3 } }),
            json!({ "grading_scale": { "min": 1, "max": 5, "passing": 6 } }),
            json!({ "grading_scale": { "min": 1, "max": 5 } }),
            json!({ "grading_scale": { "min": 1, "max": 5, "passing": 3, "step": 1 } }),
            json!({ "self_registration": ["admin"] }),
            json!({ "self_registration": "student" }),
            json!({ "language": "de" }),
            json!({ "timezone": "../../etc/passwd" }),
            json!({ "timezone": "" }),
            json!({ "email_domains": ["*.example"] }),
            json!({ "email_domains": ["a@escuela.example"] }),
        ] {
            assert_eq!(checked(&bad), Err("invalid_value"), "{bad}");
        }
    }
}
