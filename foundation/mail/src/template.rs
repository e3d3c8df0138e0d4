//! What the platform writes to people.

use time::OffsetDateTime;
use time::macros::format_description;

use crate::letter::{Address, Letter};

/// One kind of letter, with what stands in it. Links and names come from the platform's own tables, and go into the text only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Template<'a> {
    /// Somebody registered with this address.
    Verify {
        /// Where to show that it is theirs.
        link: &'a str,
        /// For how long, hours.
        hours: i64,
    },
    /// Somebody registered with an address that has an account.
    AccountExists {
        /// Where to set a new password.
        link: &'a str,
        /// For how long, minutes.
        minutes: i64,
    },
    /// Somebody wants to set a new password.
    Reset {
        /// Where.
        link: &'a str,
        /// For how long, minutes.
        minutes: i64,
    },
    /// The password was changed.
    PasswordChanged {
        /// When.
        at: OffsetDateTime,
    },
    /// Somebody signed in from an address that was not seen before.
    NewSignIn {
        /// When.
        at: OffsetDateTime,
        /// From which address.
        address: &'a str,
        /// What the client calls itself.
        client: &'a str,
    },
    /// An organization invites somebody.
    Invitation {
        /// Which.
        organization: &'a str,
        /// Where to accept.
        link: &'a str,
        /// For how long, days.
        days: i64,
    },
}

impl Template<'_> {
    /// The letter in the language of this tag (BCP 47): Spanish, or English where it begins with `en`.
    pub fn letter(&self, to: Address, name: &str, language: &str) -> Letter {
        let is_english = language.split('-').next().is_some_and(|tag| tag.eq_ignore_ascii_case("en"));
        let (subject, body) = if is_english { self.english() } else { self.spanish() };
        let name = one_line(name);
        let greeting = match (is_english, name.is_empty()) {
            (true, true) => "Hello:".to_owned(),
            (true, false) => format!("Hello, {name}:"),
            (false, true) => "Hola:".to_owned(),
            (false, false) => format!("Hola, {name}:"),
        };
        Letter::new(to, &subject, format!("{greeting}\n\n{body}\n\nProfe\n"))
    }

    fn spanish(&self) -> (String, String) {
        match *self {
            Self::Verify { link, hours } => (
                "Confirma tu correo".to_owned(),
                format!(
                    "Alguien se ha registrado en Profe con esta dirección. Si has sido tú, confírmala aquí:\n\n{link}\n\n\
                     El enlace sirve una vez y durante {hours} horas. Si no has sido tú, no abras el enlace: sin él no pasa nada."
                ),
            ),
            Self::AccountExists { link, minutes } => (
                "Ya tienes una cuenta en Profe".to_owned(),
                format!(
                    "Alguien ha intentado registrarse en Profe con esta dirección, que ya tiene una cuenta. Si has sido tú, inicia \
                     sesión, o elige aquí otra contraseña:\n\n{link}\n\nEl enlace sirve una vez y durante {minutes} minutos. \
                     Si no has sido tú, no hace falta que hagas nada."
                ),
            ),
            Self::Reset { link, minutes } => (
                "Elige una contraseña nueva".to_owned(),
                format!(
                    "Alguien ha pedido una contraseña nueva para tu cuenta de Profe. Si has sido tú, elígela aquí:\n\n{link}\n\n\
                     El enlace sirve una vez y durante {minutes} minutos. Si no has sido tú, no hace falta que hagas nada: tu contraseña \
                     sigue siendo la misma."
                ),
            ),
            Self::PasswordChanged { at } => (
                "Tu contraseña ha cambiado".to_owned(),
                format!(
                    "La contraseña de tu cuenta de Profe se cambió el {} (UTC), y se cerraron las demás sesiones. Si no has sido tú, \
                     pide ahora mismo una contraseña nueva en la página de inicio de sesión y avisa a tu institución.",
                    moment(at)
                ),
            ),
            Self::NewSignIn { at, address, client } => (
                "Inicio de sesión desde un lugar nuevo".to_owned(),
                format!(
                    "Alguien ha iniciado sesión en tu cuenta de Profe el {} (UTC) desde la dirección {address} ({}). Si no has \
                     sido tú, cambia tu contraseña: eso cierra todas las demás sesiones.",
                    moment(at),
                    one_line(client)
                ),
            ),
            Self::Invitation { organization, link, days } => (
                "Te han invitado a Profe".to_owned(),
                format!(
                    "{} te invita a su espacio en Profe. Acepta aquí:\n\n{link}\n\nEl enlace sirve una vez y durante {days} días.",
                    one_line(organization)
                ),
            ),
        }
    }

    fn english(&self) -> (String, String) {
        match *self {
            Self::Verify { link, hours } => (
                "Confirm your address".to_owned(),
                format!(
                    "Somebody has registered at Profe with this address. If it was you, confirm it here:\n\n{link}\n\n\
                     The link works once and for {hours} hours. If it was not you, do not open it: nothing happens without it."
                ),
            ),
            Self::AccountExists { link, minutes } => (
                "You have an account at Profe".to_owned(),
                format!(
                    "Somebody has tried to register at Profe with this address, which has an account already. If it was you, sign in, \
                     or choose another password here:\n\n{link}\n\nThe link works once and for {minutes} minutes. If it was not \
                     you, there is nothing to do."
                ),
            ),
            Self::Reset { link, minutes } => (
                "Choose a new password".to_owned(),
                format!(
                    "Somebody has asked for a new password for your account at Profe. If it was you, choose one here:\n\n{link}\n\n\
                     The link works once and for {minutes} minutes. If it was not you, there is nothing to do: your password stays as \
                     it is."
                ),
            ),
            Self::PasswordChanged { at } => (
                "Your password has changed".to_owned(),
                format!(
                    "The password of your account at Profe was changed on {} (UTC), and all other sessions were ended. If it was not \
                     you, ask for a new password on the sign-in page now, and tell your school.",
                    moment(at)
                ),
            ),
            Self::NewSignIn { at, address, client } => (
                "Sign-in from a new place".to_owned(),
                format!(
                    "Somebody signed in to your account at Profe on {} (UTC) from the address {address} ({}). If it was not you, \
                     change your password: that ends all other sessions.",
                    moment(at),
                    one_line(client)
                ),
            ),
            Self::Invitation { organization, link, days } => (
                "You are invited to Profe".to_owned(),
                format!(
                    "{} invites you to its space at Profe. Accept here:\n\n{link}\n\nThe link works once and for {days} days.",
                    one_line(organization)
                ),
            ),
        }
    }
}

fn moment(at: OffsetDateTime) -> String {
    at.format(format_description!("[year]-[month]-[day] [hour]:[minute]")).unwrap_or_else(|_| at.to_string())
}

/// What people call themselves and their clients: a line of a letter at most, and nothing to click on.
fn one_line(text: &str) -> String {
    let plain: String = text.chars().filter(|c| !c.is_control()).take(120).collect();
    plain.replace("://", ": //").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_is_in_the_persons_language() {
        let to: Address = "ana@escuela.example".parse().expect("an address");
        let template = Template::Reset { link: "https://profe.example.org/reset-password#token=x", minutes: 10 };
        let letter = template.letter(to.clone(), "Ana", "es-CO");
        assert!(letter.text().starts_with("Hola, Ana:") && letter.text().contains("#token=x"), "{}", letter.text());
        assert_eq!(template.letter(to.clone(), "", "en-GB").subject(), "Choose a new password");
        assert_eq!(template.letter(to, "", "qu").subject(), "Elige una contraseña nueva");
    }

    #[test]
    fn a_name_brings_no_link_and_no_line() {
        let to: Address = "ana@escuela.example".parse().expect("an address");
        let name = "Ana\r\n\r\nhttps://malo.example pulsa aquí";
        let text = Template::Verify { link: "L", hours: 24 }.letter(to, name, "es").text().to_owned();
        assert!(text.starts_with("Hola, Anahttps: //malo.example pulsa aquí:\n\n"), "{text}");
    }
}
