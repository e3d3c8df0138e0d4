//! The keys that sign tokens: read, made in time, and sealed.

use std::time::Duration;

use identity::{KeySet, SigningKey};
use postgres_link::tenant::TxError;
use time::OffsetDateTime;

use crate::model::KeptKey;
use crate::rules::keys::{Step, published_until, step};
use crate::state::Auth;
use crate::store;

/// Between two looks.
const EVERY: Duration = Duration::from_mins(1);
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Keys that are published, with those that sign now or later.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    signing: Vec<(OffsetDateTime, SigningKey)>,
}

/// Why keys were not read.
#[derive(Debug, thiserror::Error)]
enum KeysError {
    #[error(transparent)]
    Database(#[from] TxError),
    #[error(
        "the key {0} was sealed with another AUTH_SERVICE_JWT_SECRET; set that one again, or, where it is lost, remove the row from \
         auth.signing_keys: everybody's tokens are refreshed then"
    )]
    OtherSecret(String),
    #[error("no key can be made: {0}")]
    NoKey(String),
}

impl Keys {
    pub(crate) fn is_empty(&self) -> bool {
        self.signing.is_empty()
    }

    /// The one that signs at `now`: of those that have begun the newest.
    pub(crate) fn signer(&self, now: OffsetDateTime) -> Option<&SigningKey> {
        self.signing.iter().filter(|(from, _)| *from <= now).max_by_key(|(from, _)| *from).map(|(_, key)| key)
    }

    /// What is published.
    pub(crate) fn published(&self) -> KeySet {
        self.signing.iter().fold(KeySet::default(), |set, (_, key)| set.and(key.public()))
    }
}

/// Reads the keys at the start, and again every minute; makes the next one in time.
pub(crate) async fn keep(auth: &Auth) {
    let mut pause = FIRST_PAUSE;
    let mut said = String::new();
    loop {
        match read(auth).await {
            Ok(keys) => {
                auth.take_keys(keys);
                pause = FIRST_PAUSE;
                said.clear();
                tokio::time::sleep(EVERY).await;
            }
            Err(error) => {
                let error = error.to_string();
                // Once, not every few seconds. What was read before stands.
                if error != said {
                    tracing::error!(%error, "the keys that sign tokens cannot be read");
                    said = error;
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

async fn read(auth: &Auth) -> Result<Keys, KeysError> {
    let (kept, now) = store::keys::published(auth.platform.work("signing-keys")).await?;
    let kept = match step(kept.iter().map(|key| key.signs_from), now) {
        Step::Nothing => kept,
        Step::Make(_) => make(auth).await?,
    };
    let mut signing = Vec::new();
    for KeptKey { id, sealed, signs_from } in kept {
        let pkcs8 = auth.seal.open(&id, &sealed).ok_or_else(|| KeysError::OtherSecret(id.clone()))?;
        let key = SigningKey::from_pkcs8(pkcs8).map_err(|error| KeysError::NoKey(error.to_string()))?;
        signing.push((signs_from, key));
    }
    Ok(Keys { signing })
}

/// Makes the key that is due, unless another copy just did.
async fn make(auth: &Auth) -> Result<Vec<KeptKey>, KeysError> {
    let mut tx = auth.platform.work("signing-keys");
    store::keys::lock(&mut tx).await?;
    let (kept, now) = store::keys::published_in(&mut tx).await?;
    if let Step::Make(from) = step(kept.iter().map(|key| key.signs_from), now) {
        let key = SigningKey::generate().map_err(|error| KeysError::NoKey(error.to_string()))?;
        let sealed = auth.seal.close(key.id(), key.pkcs8());
        let sealed = sealed.ok_or_else(|| KeysError::NoKey("it cannot be sealed".to_owned()))?;
        store::keys::succeed(&mut tx, key.id(), &sealed, from, published_until(from, auth.terms.lifetime)).await?;
        tracing::info!(key = key.id(), %from, "a new key for tokens");
    }
    let (kept, _) = store::keys::published_in(&mut tx).await?;
    tx.commit().await?;
    Ok(kept)
}
