//! Whether the tokens of those who stay are still good: asked once for all who have shown the same one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use kernel::Secret;
use sha2::{Digest as _, Sha256};

/// Ends when a token is no longer good.
type Look = BoxFuture<'static, ()>;

/// The looks that somebody waits for, by the hash of the token.
#[derive(Clone, Default)]
pub(super) struct Stays(Arc<Mutex<HashMap<[u8; 32], WeakShared<Look>>>>);

impl Stays {
    /// The look for this token that goes on, or a new one; it ends with the last who waits for it.
    pub(super) fn join(&self, token: &Secret, look: impl FnOnce() -> Look) -> Shared<Look> {
        let mut looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = Sha256::digest(token.reveal()).into();
        if let Some(under_way) = looks.get(&key).and_then(WeakShared::upgrade) {
            return under_way;
        }
        looks.retain(|_, look| look.upgrade().is_some());
        let look = look().shared();
        if let Some(weak) = look.downgrade() {
            looks.insert(key, weak);
        }
        look
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn one_look_for_all_who_have_shown_the_same_token_and_none_when_they_are_gone() {
        let (stays, begun, revoked) = (Stays::default(), Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let join = |token: &str| {
            let (begun, revoked) = (Arc::clone(&begun), Arc::clone(&revoked));
            stays.join(&Secret::new(token), || {
                begun.fetch_add(1, Ordering::SeqCst);
                async move { revoked.notified().await }.boxed()
            })
        };
        let (one, other, stranger) = (join("a"), join("a"), join("b"));
        assert_eq!(begun.load(Ordering::SeqCst), 2);
        drop(stranger);
        revoked.notify_one();
        one.await;
        other.await;
        drop(join("b"));
        assert_eq!(begun.load(Ordering::SeqCst), 3, "whoever waited for it was gone");
        assert_eq!(
            stays.0.lock().unwrap_or_else(PoisonError::into_inner).len(),
            1,
            "looks that are over are forgotten"
        );
    }
}
