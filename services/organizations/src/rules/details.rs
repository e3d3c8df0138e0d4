//! What a school may say of itself.

use service::Fault;

use crate::model::Details;

/// The details as they are kept: trimmed, and what is empty absent.
///
/// # Errors
/// The first member that cannot be kept.
pub fn clean(details: Details) -> Result<Details, Fault> {
    let Details { name, description, logo_url, website, email, phone, address } = details;
    let name = text("name", Some(name), 255)?;
    let name = name.ok_or_else(|| Fault::invalid("name", "is empty", "give the school a name"))?;
    Ok(Details {
        name,
        description: text("description", description, 4_000)?,
        logo_url: link("logoUrl", logo_url, 500)?,
        website: link("website", website, 255)?,
        email: mail_address(email)?,
        phone: telephone(phone)?,
        address: text("address", address, 1_000)?,
    })
}

fn text(member: &str, value: Option<String>, longest: usize) -> Result<Option<String>, Fault> {
    let Some(value) = value.map(|value| value.trim().to_owned()).filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    let length = value.chars().count();
    if length > longest {
        let why = format!("has {length} characters");
        return Err(Fault::invalid(member, &why, &format!("use at most {longest}")));
    }
    // PostgreSQL keeps no NUL, and a line of a log or a mail is not to be forged by a name. Texts may have several lines.
    if value.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        return Err(Fault::invalid(member, "has control characters", "leave them out"));
    }
    Ok(Some(value))
}

/// Something that a page may link to: never `javascript:`.
fn link(member: &str, value: Option<String>, longest: usize) -> Result<Option<String>, Fault> {
    let value = text(member, value, longest)?;
    let is_link = |value: &str| {
        let uri = value.parse::<http::Uri>().ok();
        uri.is_some_and(|uri| {
            matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some_and(|h| !h.is_empty())
        })
    };
    if value.as_deref().is_some_and(|value| !is_link(value)) {
        return Err(Fault::invalid(member, "is no web address", "give it as https://escuela.example"));
    }
    Ok(value)
}

fn mail_address(value: Option<String>) -> Result<Option<String>, Fault> {
    let value = text("email", value, 255)?;
    let is_address = |value: &str| {
        let parts = value.split_once('@');
        parts.is_some_and(|(local, domain)| {
            !local.is_empty() && !domain.is_empty() && !domain.contains('@') && !value.contains(char::is_whitespace)
        })
    };
    if value.as_deref().is_some_and(|value| !is_address(value)) {
        return Err(Fault::invalid("email", "is no e-mail address", "give it as contacto@escuela.example"));
    }
    Ok(value)
}

fn telephone(value: Option<String>) -> Result<Option<String>, Fault> {
    let value = text("phone", value, 20)?;
    let is_number = |value: &str| {
        value.chars().any(|c| c.is_ascii_digit()) && value.chars().all(|c| c.is_ascii_digit() || "+()-. ".contains(c))
    };
    if value.as_deref().is_some_and(|value| !is_number(value)) {
        return Err(Fault::invalid("phone", "is no telephone number", "use digits, spaces and + ( ) - ."));
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn details() -> Details {
        Details {
            name: "Escuela".to_owned(),
            description: None,
            logo_url: None,
            website: None,
            email: None,
            phone: None,
            address: None,
        }
    }

    #[expect(clippy::unnecessary_wraps, reason = "a member that is there")]
    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn what_is_empty_is_absent() {
        let said =
            Details { name: "  Escuela ".to_owned(), website: some(" "), phone: some("+57 601 555 0100"), ..details() };
        let kept = clean(said).expect("fine");
        assert_eq!((kept.name.as_str(), kept.website, kept.phone), ("Escuela", None, some("+57 601 555 0100")));
    }

    #[test]
    fn what_cannot_be_kept_is_refused() {
        for bad in [
            Details { name: " ".to_owned(), ..details() },
            Details { name: "x".repeat(256), ..details() },
            Details { name: "Escuela\0".to_owned(), ..details() },
            Details { website: some("javascript:alert(1)"), ..details() },
            Details { website: some("escuela.example"), ..details() },
            Details { logo_url: some("data:image/png;base64,AAAA"), ..details() },
            Details { email: some("a b@c"), ..details() },
            Details { email: some("a@b@c"), ..details() },
            Details { phone: some("call me"), ..details() },
            Details { phone: some("()"), ..details() },
        ] {
            let text = format!("{bad:?}");
            assert_eq!(clean(bad).map_err(|fault| fault.code()), Err("invalid_value"), "{text}");
        }
    }
}
