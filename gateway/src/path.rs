//! Paths that could be read in two ways are refused (check 28), so that what was looked up in the table is what a service reads.

/// Why a path is not taken, for people.
pub(crate) fn refusal(path: &str) -> Option<&'static str> {
    let bytes = path.as_bytes();
    if bytes.first() != Some(&b'/') {
        return Some("it does not begin with a slash");
    }
    let mut before = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        match byte {
            b'/' if before == b'/' => return Some("it has an empty segment"),
            b'.' if before == b'/' && is_dots(&bytes[at..]) => return Some("it has a segment of dots"),
            b'\\' | b';' | 0..=b' ' | 0x7f.. => return Some("it holds a character that has no place in it"),
            b'%' => {
                let digit = |at: usize| bytes.get(at).and_then(|b| (*b as char).to_digit(16));
                let (Some(high), Some(low)) = (digit(at + 1), digit(at + 2)) else {
                    return Some("it has a percent sign without two hexadecimal digits");
                };
                // Slashes, dots, semicolons, percent signs and control characters stay what they are where one decodes them
                // and another does not.
                if matches!((high * 16 + low) as u8, 0..=31 | b'/' | b'\\' | b'.' | b';' | b'%' | 127) {
                    return Some("it hides a character behind a percent sign that is plain or has no place in it");
                }
            }
            _ => {}
        }
        before = byte;
    }
    None
}

/// A segment that is `.` or `..`.
fn is_dots(rest: &[u8]) -> bool {
    let end = rest.iter().position(|b| *b == b'/').unwrap_or(rest.len());
    end <= 2 && rest[..end].iter().all(|b| *b == b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_28_what_can_be_read_in_two_ways_is_refused() {
        for good in [
            "/api/users/7",
            "/api/files/a.b",
            "/api/files/.hidden",
            "/api/users/jos%C3%A9",
            "/api/x/a%20b",
            "/api/x/",
            "/",
        ] {
            assert_eq!(refusal(good), None, "{good}");
        }
        for bad in [
            "",
            "*",
            "api",
            "//api",
            "/api//users",
            "/api/../metrics",
            "/api/./users",
            "/api/users/..",
            "/api/%2e%2e/metrics",
            "/api/%2E/x",
            "/api/.%2e/x",
            "/api/users%2f..%2fmetrics",
            "/api/users;x=y/7",
            "/api/users%3bx",
            "/api/%5c",
            "/api\\x",
            "/api/%00",
            "/api/%0a",
            "/api/%7f",
            "/api/%",
            "/api/%2",
            "/api/%zz",
            "/api/%252e%252e/metrics",
            "/api/a b",
            "/api/é",
        ] {
            assert!(refusal(bad).is_some(), "{bad}");
        }
    }
}
