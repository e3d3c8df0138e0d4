//! What the tools keep of a file, to see later whether it is still the same.

use std::hash::{Hash, Hasher};

use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384};
use siphasher::sip::SipHasher13;

/// sqlx: SHA-384 of the text.
pub(crate) fn sqlx(text: &str) -> String {
    hex(&Sha384::digest(text.as_bytes()))
}

/// Prisma: SHA-256 of the text.
pub(crate) fn prisma(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

/// Sqitch: SHA-1 of the deploy script.
pub(crate) fn sqitch(text: &str) -> String {
    hex(&Sha1::digest(text.as_bytes()))
}

/// Flyway: CRC-32 over the lines without their ends, as a signed number.
pub(crate) fn flyway(text: &str) -> String {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut crc = u32::MAX;
    for line in text.replace("\r\n", "\n").replace('\r', "\n").lines() {
        for byte in line.bytes() {
            crc ^= u32::from(byte);
            for _ in 0..8 {
                crc = if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
            }
        }
    }
    (!crc).cast_signed().to_string()
}

/// refinery: SipHash-1-3 of name, version and text; the version has 64 bits where it was built so.
pub(crate) fn refinery(name: &str, version: i64, text: &str) -> [String; 2] {
    let with = |hash_version: &dyn Fn(&mut SipHasher13)| {
        let mut hasher = SipHasher13::new();
        name.hash(&mut hasher);
        hash_version(&mut hasher);
        text.hash(&mut hasher);
        hasher.finish().to_string()
    };
    let short = i32::try_from(version).unwrap_or_default();
    [with(&|hasher| short.hash(hasher)), with(&|hasher| version.hash(hasher))]
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|b| [DIGITS[usize::from(b >> 4)], DIGITS[usize::from(b & 15)]]).map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flyway_counts_lines_without_their_ends() {
        // The check value of CRC-32 is 0xCBF43926.
        assert_eq!(flyway("123456789"), 0xCBF4_3926_u32.cast_signed().to_string());
        assert_eq!(flyway("12345\r\n6789\n"), flyway("123456789"));
        assert_eq!(flyway("\u{feff}123456789"), flyway("123456789"));
    }
}
