//! The worker that mails invitations.
//!
//! Each is taken by one copy, for a minute; who dies over it lets go. The token is made when the letter is, so that none lies in a
//! table, and a letter that comes twice has made the first one's link void.

use std::time::Duration;

use mail::{Address, Template};
use service::LinkToken;

use crate::state::Users;
use crate::store::invitations::{self, Due};

/// Longer than any mail server is waited for.
const LEASE: Duration = Duration::from_mins(1);
/// For what other copies were told, and what was put off.
const EVERY: Duration = Duration::from_secs(5);
/// After the first failure; it doubles with each.
const PAUSE: Duration = Duration::from_secs(5);
/// With the pauses between them, half a day. An administrator may then have it mailed again.
const MOST_ATTEMPTS: i32 = 14;
const LIFE_DAYS: i64 = 14;
/// Of letters where neither the person nor the school has chosen one.
const USUAL_LANGUAGE: &str = "es";
/// How long an invitation can be accepted.
const LIFE: Duration = Duration::from_hours(24 * LIFE_DAYS as u64);

/// Mails what is due, and waits for more.
pub(crate) async fn run(users: &Users) {
    loop {
        let Ok(token) = LinkToken::new() else {
            tokio::time::sleep(EVERY).await;
            continue;
        };
        match invitations::take(users.platform.work("invitations"), LEASE, &token.hash(), LIFE).await {
            Ok(Some(due)) => attend(users, &due, &token).await,
            Ok(None) => {
                let _ = tokio::time::timeout(EVERY, users.letters.notified()).await;
            }
            Err(error) => {
                tracing::warn!(%error, "no invitation can be taken");
                tokio::time::sleep(EVERY).await;
            }
        }
    }
}

async fn attend(users: &Users, due: &Due, token: &LinkToken) {
    let work = || users.platform.work("invitations");
    let kept = match send(users, due, token).await {
        Ok(()) => invitations::over(work(), due.member, due.attempts).await,
        Err(error) if due.attempts >= MOST_ATTEMPTS => {
            tracing::error!(%error, "an invitation is given up; have it sent again once mail works");
            invitations::over(work(), due.member, due.attempts).await
        }
        Err(error) => {
            let pause = PAUSE * 2_u32.pow(due.attempts.clamp(1, MOST_ATTEMPTS).unsigned_abs() - 1);
            tracing::warn!(%error, attempts = due.attempts, again_in = ?pause, "an invitation was not mailed");
            invitations::put_off(work(), due.member, due.attempts, pause).await
        }
    };
    if let Err(error) = kept {
        // It comes again when its lease is over.
        tracing::warn!(%error, "what came of an invitation was not written down");
    }
}

async fn send(users: &Users, due: &Due, token: &LinkToken) -> Result<(), String> {
    let address: Address = due.email.parse().map_err(|_| "it has no address".to_owned())?;
    // Behind the #, so that it stands in no server's log.
    let mut link = users.web_url.clone();
    link.set_path("/invitation");
    link.set_fragment(Some(&format!("token={}", token.text())));
    let template = Template::Invitation { organization: &due.organization, link: link.as_str(), days: LIFE_DAYS };
    let letter = template.letter(address, due.name.trim(), due.language.as_deref().unwrap_or(USUAL_LANGUAGE));
    users.mailer.send(&letter).await.map(drop).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_known_by_its_hash() {
        let token = LinkToken::new().expect("randomness");
        let again = LinkToken::parse(&token.text()).expect("one of ours");
        assert_eq!(again.hash(), token.hash());
        assert_ne!(token.hash(), token.text());
        for other in ["", "x", &"%".repeat(43), &token.text()[1..]] {
            assert!(LinkToken::parse(other).is_none(), "{other}");
        }
    }
}
