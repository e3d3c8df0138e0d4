//! Which names objects may have: the one place where a name from outside is judged.

use super::StorageError;

/// The longest name. Stores allow 1,024 bytes including the URL's prefix; folders 255 per segment.
const LONGEST: usize = 512;
const LONGEST_SEGMENT: usize = 128;

/// `path`, if it is a name that means the same in every storage: segments of letters, digits, `.`, `_`, `-`, none of
/// which begins with a dot. This leaves no way upward, nothing absolute, nothing hidden, nothing to be quoted, and no
/// `#`, which marks temporaries.
pub(super) fn checked(path: &str) -> Result<&str, StorageError> {
    if is_ours(path) { Ok(path) } else { Err(StorageError::Name(shorten(path))) }
}

/// Whether [`checked`] lets it pass.
pub(super) fn is_ours(path: &str) -> bool {
    path.len() <= LONGEST && path.split('/').all(is_segment)
}

fn is_segment(segment: &str) -> bool {
    !segment.is_empty()
        && segment.len() <= LONGEST_SEGMENT
        && !segment.starts_with('.')
        && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

fn shorten(path: &str) -> String {
    path.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_mean_the_same_everywhere_pass() {
        for name in ["a", "manifest.json", "b-1/data-1", "B_2/x/y.z", &"n".repeat(LONGEST_SEGMENT)] {
            assert_eq!(checked(name).expect(name), name);
        }
    }

    #[test]
    fn path_tricks_are_refused() {
        let long = "a/".repeat(LONGEST / 2) + "a";
        let long_segment = "n".repeat(LONGEST_SEGMENT + 1);
        let tricks = [
            "",
            "/",
            "/etc/passwd",
            "..",
            "../a",
            "a/..",
            "a/../b",
            "a/./b",
            ".",
            ".hidden",
            "a/.hidden",
            "a//b",
            "a/",
            "a\\b",
            "a\0b",
            "a\nb",
            "a b",
            "a%2e%2e",
            "a#1",
            "a?b",
            "ñ",
            "C:",
            "~",
            "\u{202e}a",
            &long,
            &long_segment,
        ];
        for trick in tricks {
            assert!(matches!(checked(trick), Err(StorageError::Name(_))), "{trick:?} passed");
        }
    }
}
