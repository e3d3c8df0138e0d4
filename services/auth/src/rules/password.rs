//! Which passwords are taken (NIST SP 800-63B, ASVS 6.2): by length and by whether others would guess them, not by which kinds of
//! characters they have. They are taken as they are typed: nothing is trimmed, folded or cut off.

use std::collections::HashSet;
use std::sync::LazyLock;

use service::Fault;
use service::web::Problem;

use crate::error::WEAK_PASSWORD;

/// Characters.
pub(crate) const SHORTEST: usize = 8;
/// Characters.
pub(crate) const LONGEST: usize = 1_024;
/// Each may have four in UTF-8, so this refuses nothing that the other limit takes. What is longer is not even hashed.
pub(crate) const LONGEST_BYTES: usize = 4 * LONGEST;

/// Of what is left beside the words of the context, so many letters and digits make a password of one's own.
const OWN: usize = 4;

/// More than 3,000 of those that are guessed first and are long enough to be taken, in lower case. From the frequency list of zxcvbn
/// (MIT; Copyright (c) 2012–2016 Dan Wheeler and Dropbox, Inc.; (c) 2016 Daniel Wolf), and Spanish ones of our own.
static COMMON: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| include_str!("common-passwords.txt").lines().collect());

/// Why a password is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weak {
    TooShort,
    TooLong,
    Common,
    /// The platform's, the organization's or the person's name and little else.
    Context,
    /// Known from a breach: see [`crate::breached`].
    Breached,
}

/// Looks at a new password; `context` holds what an attacker would try first: names and addresses.
pub(crate) fn check(password: &str, context: &[&str]) -> Result<(), Weak> {
    let length = password.chars().count();
    if length < SHORTEST {
        return Err(Weak::TooShort);
    }
    if length > LONGEST {
        return Err(Weak::TooLong);
    }
    let lower = password.to_lowercase();
    if COMMON.contains(lower.as_str()) || of_one_character(&lower) {
        return Err(Weak::Common);
    }
    if without(&lower, context).chars().filter(|c| c.is_alphabetic()).count() < OWN && has_any(&lower, context) {
        return Err(Weak::Context);
    }
    Ok(())
}

fn of_one_character(text: &str) -> bool {
    let mut characters = text.chars();
    let first = characters.next();
    characters.all(|c| Some(c) == first)
}

/// The words of the context that are long enough to be meant.
fn words(context: &[&str]) -> Vec<String> {
    let texts = context.iter().flat_map(|text| text.split(|c: char| !c.is_alphanumeric()));
    let mut words: Vec<_> =
        texts.map(str::to_lowercase).chain(["profe".to_owned()]).filter(|word| word.chars().count() >= 3).collect();
    // The longest first, so that none hides in another one's remains.
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    words
}

fn has_any(text: &str, context: &[&str]) -> bool {
    words(context).iter().any(|word| text.contains(word.as_str()))
}

fn without(text: &str, context: &[&str]) -> String {
    words(context).iter().fold(text.to_owned(), |text, word| text.replace(word.as_str(), " "))
}

impl From<Weak> for Fault {
    fn from(weak: Weak) -> Self {
        let (reason, cure) = match weak {
            Weak::TooShort => ("too_short", format!("use {SHORTEST} characters or more")),
            Weak::TooLong => ("too_long", format!("use at most {LONGEST} characters")),
            Weak::Common => ("common", "choose one that is not among the passwords that are guessed first".to_owned()),
            Weak::Context => {
                ("context", "choose one that is more than the name of the platform, the school or yourself".to_owned())
            }
            Weak::Breached => {
                ("breached", "choose one that was never used anywhere: this one is known from a breach".to_owned())
            }
        };
        let problem = Problem::new(WEAK_PASSWORD).detail(format!("the password is refused: {reason}"));
        problem.cure(cure).with("reason", reason).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_2_length_alone_counts() {
        assert_eq!(check("sietete", &[]), Err(Weak::TooShort));
        for good in [
            "lluvia y",
            "        x        ",
            "ñandúñandú x",
            "🦜🦜🦜🦜🦜🦜🦜🐢",
            "solo letras minusculas",
            &"azul y verde ".repeat(6),
        ] {
            assert_eq!(check(good, &[]), Ok(()), "{good:?}");
        }
        let long: String = "ab".repeat(LONGEST / 2);
        assert_eq!(check(&long, &[]), Ok(()));
        assert_eq!(check(&(long + "c"), &[]), Err(Weak::TooLong));
        assert!("🦜".repeat(LONGEST).len() <= LONGEST_BYTES);
    }

    #[test]
    fn check_3_what_is_guessed_first_is_refused() {
        assert!(COMMON.len() >= 3_000, "{}", COMMON.len());
        assert!(COMMON.iter().all(|word| word.chars().count() >= SHORTEST), "shorter ones are refused anyway");
        for common in ["password", "PassWord", "12345678", "contraseña", "Colombia2026", "zzzzzzzzzz"] {
            assert_eq!(check(common, &[]), Err(Weak::Common), "{common}");
        }
        let context = ["docente.uno@escuela.example", "Colegio San Bartolomé"];
        for of_context in ["profe-2026!", "Bartolomé#2026", "docenteuno1", "escuela-profe-1", "ColegioSan99"] {
            assert_eq!(check(of_context, &context), Err(Weak::Context), "{of_context}");
        }
        for own in ["profe-desarrollo", "bartolomé come peras", "12345678901x"] {
            assert_eq!(check(own, &context), Ok(()), "{own}");
        }
    }
}
