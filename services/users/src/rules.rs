//! What may be.

use service::Fault;
use service::web::{Problem, kinds};

use crate::model::{Preferences, Profile};

/// Longer addresses are nobody's (RFC 5321), characters.
const LONGEST_EMAIL: usize = 254;
const LONGEST_NAME: usize = 100;
const LONGEST_SUBJECTS: usize = 50;
/// What the list of notices may take, bytes of JSON.
const LONGEST_NOTICES: usize = 4_096;

/// An address that letters can be sent to.
pub(crate) fn email(text: &str) -> Result<String, Fault> {
    is_email(text).ok_or_else(|| Fault::invalid("email", "is no address", "send one such as docente1@escuela.example"))
}

/// As [`email`], without a problem's words.
pub(crate) fn is_email(text: &str) -> Option<String> {
    let text = text.trim();
    // A name in front of it, or several, are no address of an account.
    let is_plain = !text.contains(['<', '>', ',', '"', ' ']) && text.chars().count() <= LONGEST_EMAIL;
    (is_plain && text.parse::<mail::Address>().is_ok()).then(|| text.to_owned())
}

/// A name that can be shown and written to.
pub(crate) fn name(member: &str, text: &str) -> Result<String, Fault> {
    is_name(text).ok_or_else(|| Fault::invalid(member, "is no name", "send 1 to 100 characters, without line breaks"))
}

/// As [`name`], without a problem's words.
pub(crate) fn is_name(text: &str) -> Option<String> {
    text_of(text, LONGEST_NAME)
}

fn text_of(text: &str, longest: usize) -> Option<String> {
    let text = text.trim();
    let fits = !text.is_empty() && text.chars().count() <= longest && !text.chars().any(char::is_control);
    fits.then(|| text.to_owned())
}

/// A short text, or none; an empty one is none.
pub(crate) fn optional(member: &str, text: Option<&str>, longest: usize) -> Result<Option<String>, Fault> {
    match text.map(str::trim).filter(|text| !text.is_empty()) {
        None => Ok(None),
        Some(text) => text_of(text, longest).map(Some).ok_or_else(|| {
            let cure = format!("send at most {longest} characters, without line breaks");
            Fault::invalid(member, "is not such a text", &cure)
        }),
    }
}

/// Names of subjects, each once.
pub(crate) fn subjects(given: &[String]) -> Result<Vec<String>, Fault> {
    let mut names: Vec<String> = Vec::new();
    for subject in given {
        let subject = name("subjects", subject)?;
        if !names.contains(&subject) {
            names.push(subject);
        }
    }
    if names.len() > LONGEST_SUBJECTS {
        return Err(Fault::invalid("subjects", "has too many", "send at most 50"));
    }
    Ok(names)
}

impl Profile {
    /// As it may be kept.
    pub(crate) fn checked(self) -> Result<Self, Fault> {
        if self.date_of_birth.is_some_and(|day| day.year() < 1) {
            return Err(Fault::invalid("dateOfBirth", "is before our era", "send a day such as 2014-05-31"));
        }
        Ok(Self {
            first_name: name("firstName", &self.first_name)?,
            last_name: name("lastName", &self.last_name)?,
            phone: optional("phone", self.phone.as_deref(), 20)?,
            gender: optional("gender", self.gender.as_deref(), 10)?,
            ..self
        })
    }
}

impl Preferences {
    /// As they may be kept.
    pub(crate) fn checked(self) -> Result<Self, Fault> {
        let is_tag = |tag: &str| {
            tag.len() <= 10
                && tag
                    .split('-')
                    .all(|part| (2..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric()))
        };
        if !is_tag(&self.language) {
            return Err(Fault::invalid("language", "is no tag of a language", "send one such as es or en-GB"));
        }
        let is_zone = |zone: &str| {
            (1..=50).contains(&zone.len()) && zone.bytes().all(|b| b.is_ascii_alphanumeric() || b"/_+-".contains(&b))
        };
        if !is_zone(&self.timezone) {
            return Err(Fault::invalid("timezone", "is no time zone", "send one such as America/Bogota"));
        }
        if !["light", "dark", "system"].contains(&self.theme.as_str()) {
            return Err(Fault::invalid("theme", "is no theme", "send light, dark or system"));
        }
        if serde_json::to_vec(&self.notification_settings).map_or(usize::MAX, |json| json.len()) > LONGEST_NOTICES {
            return Err(Fault::invalid("notificationSettings", "is too long", "send at most 4096 bytes"));
        }
        Ok(self)
    }
}

/// Where a picture may lie: in our own files, or elsewhere by TLS. Nothing that a browser would run.
pub(crate) fn avatar(address: Option<&str>) -> Result<Option<String>, Fault> {
    let Some(address) = optional("avatarUrl", address, 500)? else { return Ok(None) };
    let is_ours = address.starts_with("/api/files/") && !address.contains("..");
    let is_elsewhere = url::Url::parse(&address).is_ok_and(|url| url.scheme() == "https" && url.has_host());
    if is_ours || is_elsewhere {
        return Ok(Some(address));
    }
    Err(Fault::invalid("avatarUrl", "is no address of a picture", "send https://… or /api/files/…"))
}

/// What a search looks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Whether it is the beginning of an address.
    pub(crate) is_email: bool,
    /// The beginning of a word of the name, or of the address: the longest one, which leaves the fewest rows …
    pub(crate) from: String,
    /// … that come before this.
    pub(crate) before: String,
    /// For LIKE ALL: the other words, each the beginning of one.
    pub(crate) others: Vec<String>,
    /// All words, likewise.
    pub(crate) all: Vec<String>,
}

/// The words of a search.
///
/// # Errors
/// 400 where there is nothing to look for.
pub(crate) fn wanted(q: &str) -> Result<Wanted, Fault> {
    let words = fold(q);
    let longest = words.split(' ').max_by_key(|word| word.chars().count()).unwrap_or_default().to_owned();
    if longest.is_empty() || q.chars().count() > 200 {
        let problem =
            Problem::new(kinds::INVALID_QUERY).detail("the parameter \"q\" holds nothing to look for, or too much");
        return Err(problem.cure("send the beginning of a name or of an address").with("parameter", "q").into());
    }
    let is_email = q.contains('@');
    let from = if is_email { q.trim().to_lowercase() } else { longest };
    let pattern = |word: &str| format!("% {word}%");
    let all = words.split(' ').map(pattern).collect();
    // A comparison less, and the server knows that the first rows of the index will do.
    let others =
        if is_email { Vec::new() } else { words.split(' ').filter(|word| *word != from).map(pattern).collect() };
    Ok(Wanted { is_email, before: format!("{from}{}", char::MAX), from, others, all })
}

/// As `users.fold()` of the database.
pub(crate) fn fold(words: &str) -> String {
    let plain = |c: char| match c {
        'á' | 'à' | 'ä' | 'â' | 'ã' | 'å' => 'a',
        'é' | 'è' | 'ë' | 'ê' => 'e',
        'í' | 'ì' | 'ï' | 'î' => 'i',
        'ó' | 'ò' | 'ö' | 'ô' | 'õ' => 'o',
        'ú' | 'ù' | 'ü' | 'û' => 'u',
        'ñ' => 'n',
        'ç' => 'c',
        c => c,
    };
    let words: String = words.to_lowercase().chars().map(plain).collect();
    words
        .split(|c: char| c.is_whitespace() || c.is_ascii_punctuation() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_goes_by_its_longest_word() {
        let wanted = wanted(" Ana GARCÍA-m ").expect("words");
        assert_eq!((wanted.from.as_str(), wanted.is_email), ("garcia", false));
        assert_eq!((wanted.others.as_slice(), wanted.all.len()), (&["% ana%".to_owned(), "% m%".to_owned()][..], 3));
        assert!(wanted.before.as_str() > "garciazzz");
        let address = super::wanted("Docente1@esc").expect("an address");
        assert_eq!((address.from.as_str(), address.is_email, address.others.len()), ("docente1@esc", true, 0));
        for nothing in ["", "  ", "-%_", &"a".repeat(300)] {
            assert!(super::wanted(nothing).is_err(), "{nothing:.5}");
        }
        assert_eq!(fold("100%_x"), "100 x", "nothing that LIKE would take for a wildcard");
    }

    #[test]
    fn a_picture_is_one_that_no_browser_runs() {
        for good in ["https://escuela.example/a.png", "/api/files/7/download"] {
            assert!(avatar(Some(good)).is_ok_and(|kept| kept.as_deref() == Some(good)), "{good}");
        }
        assert!(avatar(Some("")).is_ok_and(|kept| kept.is_none()) && avatar(None).is_ok_and(|kept| kept.is_none()));
        for bad in
            ["javascript:alert(1)", "http://escuela.example/a.png", "data:text/html,x", "/api/files/../users", "a.png"]
        {
            assert!(avatar(Some(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_address_is_one_address_and_a_name_one_line() {
        assert_eq!(email(" Ana@escuela.example ").ok().as_deref(), Some("Ana@escuela.example"));
        for bad in ["", "ana", "Ana <ana@escuela.example>", "a@b.example,c@d.example", "a\n@b.example"] {
            assert!(email(bad).is_err(), "{bad:?}");
        }
        assert_eq!(is_name(" Ana María ").as_deref(), Some("Ana María"));
        for bad in ["", " ", "a\r\nBcc: x", &"a".repeat(101)] {
            assert!(is_name(bad).is_none(), "{bad:?}");
        }
        assert!(subjects(&["Álgebra".into(), " Álgebra".into()]).is_ok_and(|names| names == ["Álgebra"]));
        assert!(subjects(&[String::new()]).is_err());
    }
}
