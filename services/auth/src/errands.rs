//! The worker that does what requests have promised: makes accounts, sends letters.
//!
//! Each errand is taken by one copy, for a minute; who dies over it lets go. A letter whose sending was interrupted comes
//! again, with a new token: rather twice than never.

use std::time::Duration;

use kernel::UserId;
use mail::{Address, Template};
use postgres_link::tenant::TxError;
use serde_json::{Value, json};
use service::LinkToken;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::model::{Origin, Outcome};
use crate::rules::limits::LETTER_ACCOUNT;
use crate::rules::membership::split_name;
use crate::state::Auth;
use crate::store::errands::Errand;
use crate::store::{accounts, errands, events, limits, links, people};

/// Longer than any mail server is waited for.
const LEASE: Duration = Duration::from_mins(1);
/// For what other copies were told, and what was put off.
const EVERY: Duration = Duration::from_secs(5);
/// After the first failure; it doubles up to the longest.
const PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_mins(30);
/// Then nobody waits for it any more.
const GIVES_UP_AFTER_S: f64 = 48.0 * 3_600.0;

/// What is to be done, as it stands in a row.
pub(crate) mod kind {
    pub(crate) const REGISTER: &str = "register";
    pub(crate) const VERIFY: &str = "verify";
    pub(crate) const RESET: &str = "reset";
    pub(crate) const PASSWORD_CHANGED: &str = "password_changed";
    pub(crate) const NEW_SIGN_IN: &str = "new_sign_in";
}

/// Why an errand was not done.
#[derive(Debug, thiserror::Error)]
enum Undone {
    #[error(transparent)]
    Database(#[from] TxError),
    #[error(transparent)]
    Mail(#[from] mail::MailError),
    #[error("there is no randomness for a link")]
    NoRandomness,
    #[error("it is not what it must be")]
    Malformed,
}

/// Whether an errand is over.
enum Done {
    /// Its row can go.
    Over,
    /// Its row has become another one.
    GoesOn,
}

/// Does what is due, and waits for more.
pub(crate) async fn run(auth: &Auth) {
    loop {
        match errands::take(auth.platform.work("errands"), LEASE).await {
            Ok(Some(errand)) => attend(auth, errand).await,
            Ok(None) => {
                let _ = tokio::time::timeout(EVERY, auth.errands.notified()).await;
            }
            Err(error) => {
                tracing::warn!(%error, "no errand can be taken");
                tokio::time::sleep(EVERY).await;
            }
        }
    }
}

async fn attend(auth: &Auth, errand: Errand) {
    let kept = match perform(auth, &errand).await {
        Ok(Done::Over) => errands::remove(auth.platform.work("errands"), errand.id).await,
        Ok(Done::GoesOn) => Ok(()),
        Err(error) if errand.age_s > GIVES_UP_AFTER_S || matches!(error, Undone::Malformed) => {
            tracing::error!(%error, kind = errand.kind, attempts = errand.attempts, "an errand is given up");
            errands::remove(auth.platform.work("errands"), errand.id).await
        }
        Err(error) => {
            let doublings = errand.attempts.clamp(1, 16).unsigned_abs() - 1;
            let pause = (PAUSE * 2_u32.pow(doublings)).min(LONGEST_PAUSE);
            tracing::warn!(%error, kind = errand.kind, attempts = errand.attempts, again_in = ?pause, "an errand was not done");
            errands::put_off(auth.platform.work("errands"), errand.id, pause, &error.to_string()).await
        }
    };
    if let Err(error) = kept {
        // It comes again when its lease is over.
        tracing::warn!(%error, "what came of an errand was not written down");
    }
}

async fn perform(auth: &Auth, errand: &Errand) -> Result<Done, Undone> {
    match errand.kind.as_str() {
        kind::REGISTER => register(auth, errand).await,
        kind::VERIFY => verify(auth, errand).await,
        kind::RESET => reset(auth, errand).await,
        kind::PASSWORD_CHANGED | kind::NEW_SIGN_IN => notice(auth, errand).await,
        _ => Err(Undone::Malformed),
    }
}

fn text<'a>(errand: &'a Errand, name: &str) -> Result<&'a str, Undone> {
    errand.details.get(name).and_then(Value::as_str).ok_or(Undone::Malformed)
}

fn address(text: &str) -> Result<Address, Undone> {
    text.parse().map_err(|_| Undone::Malformed)
}

/// Makes the account, and goes on with its letter. Who has one already is told so, and nothing of it is changed: whoever
/// registers with another's address gains nothing.
async fn register(auth: &Auth, errand: &Errand) -> Result<Done, Undone> {
    let (email, language) = (text(errand, "email")?, text(errand, "language")?);
    let (first_name, last_name) = split_name(text(errand, "name")?);
    let organization = errand.details["organizationId"].as_str().and_then(|id| id.parse::<Uuid>().ok());
    let origin = Origin {
        address: text(errand, "address")?.parse().map_err(|_| Undone::Malformed)?,
        user_agent: errand.details["userAgent"].as_str().map(str::to_owned),
    };
    let mut tx = auth.platform.work("register");
    match accounts::create(&mut tx, email, text(errand, "passwordHash")?).await? {
        Some(user) => {
            let names = (first_name.as_str(), last_name.as_str());
            people::register(&mut tx, user, names, language, organization, errand.details["role"].as_str()).await?;
            events::note(&mut tx, Some(user), None, Outcome::Registered, &origin).await?;
            errands::become_another(&mut tx, errand.id, kind::VERIFY, &json!({ "email": email })).await?;
        }
        None => {
            errands::become_another(&mut tx, errand.id, kind::RESET, &json!({ "email": email, "exists": true }))
                .await?;
        }
    }
    tx.commit().await?;
    Ok(Done::GoesOn)
}

/// Mails a link that shows the address to be somebody's, where that is not shown yet.
async fn verify(auth: &Auth, errand: &Errand) -> Result<Done, Undone> {
    let mut tx = auth.platform.work("verify");
    let Some((user, email, false)) = accounts::by_email(&mut tx, text(errand, "email")?).await? else {
        return Ok(Done::Over);
    };
    if errand.attempts == 1 && limits::admit_in(&mut tx, &LETTER_ACCOUNT, &LETTER_ACCOUNT.of(&email)).await?.is_some() {
        return Ok(Done::Over);
    }
    let token = LinkToken::new().map_err(|_| Undone::NoRandomness)?;
    let life = auth.lifetimes.verification;
    links::add_verification(&mut tx, user, &email, &token.hash(), life).await?;
    let person = people::who(&mut tx, user).await?;
    tx.commit().await?;
    let mut link = auth.public_url.clone();
    link.set_path(&format!("/api/auth/verify-email/{}", token.text()));
    let template = Template::Verify { link: link.as_str(), hours: (life.as_secs() / 3_600) as i64 };
    auth.mailer.send(&template.letter(address(&email)?, &person.name, &person.language)).await?;
    Ok(Done::Over)
}

/// Mails a link to set a new password, where there is an account.
async fn reset(auth: &Auth, errand: &Errand) -> Result<Done, Undone> {
    let mut tx = auth.platform.work("reset");
    let Some((user, email, _)) = accounts::by_email(&mut tx, text(errand, "email")?).await? else {
        return Ok(Done::Over);
    };
    if errand.attempts == 1 && limits::admit_in(&mut tx, &LETTER_ACCOUNT, &LETTER_ACCOUNT.of(&email)).await?.is_some() {
        return Ok(Done::Over);
    }
    let token = LinkToken::new().map_err(|_| Undone::NoRandomness)?;
    let life = auth.lifetimes.reset;
    links::add_reset(&mut tx, user, &email, &token.hash(), life).await?;
    let person = people::who(&mut tx, user).await?;
    tx.commit().await?;
    // Behind the #, so that it stands in no server's log.
    let mut link = auth.web_url.clone();
    link.set_path("/reset-password");
    link.set_fragment(Some(&format!("token={}", token.text())));
    let (link, minutes) = (link.as_str(), (life.as_secs() / 60) as i64);
    let exists = errand.details["exists"].as_bool() == Some(true);
    let template = if exists { Template::AccountExists { link, minutes } } else { Template::Reset { link, minutes } };
    auth.mailer.send(&template.letter(address(&email)?, &person.name, &person.language)).await?;
    Ok(Done::Over)
}

/// Tells somebody what happened to their account.
async fn notice(auth: &Auth, errand: &Errand) -> Result<Done, Undone> {
    let user = text(errand, "userId")?.parse::<UserId>().map_err(|_| Undone::Malformed)?;
    let mut tx = auth.platform.work("notice");
    let email = accounts::email(&mut tx, user).await?;
    let person = people::who(&mut tx, user).await?;
    tx.commit().await?;
    let Some(email) = email else { return Ok(Done::Over) };
    let at = errand.details["at"]
        .as_i64()
        .and_then(|at| OffsetDateTime::from_unix_timestamp(at).ok())
        .ok_or(Undone::Malformed)?;
    let template = if errand.kind == kind::PASSWORD_CHANGED {
        Template::PasswordChanged { at }
    } else {
        let client = errand.details["userAgent"].as_str().unwrap_or_default();
        Template::NewSignIn { at, address: text(errand, "address")?, client }
    };
    auth.mailer.send(&template.letter(address(&email)?, &person.name, &person.language)).await?;
    Ok(Done::Over)
}
