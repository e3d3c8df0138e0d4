//! Follows messages through a stream of bytes, however they are cut, and says where the first one goes wrong.

use memchr::{memchr, memchr2};

/// A line longer than this is hyper's to refuse (431), and is not kept here.
const LONGEST_LINE: usize = 64 << 10;

pub(super) struct Scan {
    place: Place,
    /// The beginning of a line whose end has not come yet.
    line: Vec<u8>,
}

enum Place {
    Head(Head),
    /// So many bytes of a body are left.
    Body(u64),
    ChunkSize,
    Chunk(u64),
    /// The line end behind a chunk.
    ChunkEnd,
    Trailers,
}

/// What of a head has been seen.
#[derive(Default)]
struct Head {
    /// The request line has passed.
    begun: bool,
    is_http_10: bool,
    length: Option<u64>,
    chunked: bool,
    hosts: u8,
}

/// It goes wrong.
struct Wrong;

impl Scan {
    pub(super) fn new() -> Self {
        Self { place: Place::Head(Head::default()), line: Vec::new() }
    }

    /// Follows these bytes; where they go wrong, says from which of them on they must not be read.
    pub(super) fn pass(&mut self, bytes: &[u8]) -> Result<(), usize> {
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            if let Place::Body(left) | Place::Chunk(left) = &mut self.place {
                let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                *left -= taken as u64;
                at += taken;
                if *left == 0 {
                    let is_chunk = matches!(self.place, Place::Chunk(_));
                    self.place = if is_chunk { Place::ChunkEnd } else { Place::Head(Head::default()) };
                }
                continue;
            }
            let Some(end) = memchr(b'\n', rest) else {
                if self.line.len() + rest.len() > LONGEST_LINE || memchr(0, rest).is_some() {
                    return Err(at);
                }
                self.line.extend_from_slice(rest);
                return Ok(());
            };
            let step = if self.line.is_empty() {
                self.place.line(&rest[..end])
            } else {
                self.line.extend_from_slice(&rest[..end]);
                let step = self.place.line(&self.line);
                self.line.clear();
                step
            };
            step.map_err(|Wrong| at)?;
            at += end + 1;
        }
        Ok(())
    }
}

impl Place {
    /// A line without its line feed.
    fn line(&mut self, line: &[u8]) -> Result<(), Wrong> {
        let line = line.strip_suffix(b"\r").ok_or(Wrong)?;
        if memchr2(b'\r', 0, line).is_some() {
            return Err(Wrong);
        }
        match self {
            Self::Head(head) => {
                if let Some(next) = head.line(line)? {
                    *self = next;
                }
            }
            Self::ChunkSize => {
                let size = line.split(|b| *b == b';').next().unwrap_or_default();
                let size = hex(size).ok_or(Wrong)?;
                *self = if size == 0 { Self::Trailers } else { Self::Chunk(size) };
            }
            Self::ChunkEnd if line.is_empty() => *self = Self::ChunkSize,
            Self::ChunkEnd => return Err(Wrong),
            Self::Trailers if line.is_empty() => *self = Self::Head(Head::default()),
            Self::Trailers => drop(field(line)?),
            Self::Body(_) | Self::Chunk(_) => {}
        }
        Ok(())
    }
}

impl Head {
    /// A line of a head; what comes behind the head, where this was its end.
    fn line(&mut self, line: &[u8]) -> Result<Option<Place>, Wrong> {
        if !self.begun {
            // Empty lines in front of a request are left out (RFC 9112, 2.2).
            self.begun = !line.is_empty();
            self.is_http_10 = line.ends_with(b" HTTP/1.0");
            let is_plain = line.first() != Some(&b' ') && line.iter().all(|b| (b' '..=b'~').contains(b));
            return if is_plain { Ok(None) } else { Err(Wrong) };
        }
        if line.is_empty() {
            return self.end().map(Some);
        }
        let (name, value) = field(line)?;
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => {
                self.hosts = self.hosts.saturating_add(1);
                if self.hosts > 1 || value.is_empty() {
                    return Err(Wrong);
                }
            }
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                let length = decimal(value).ok_or(Wrong)?;
                if self.chunked || self.length.replace(length).is_some() {
                    return Err(Wrong);
                }
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                let is_ours = value.eq_ignore_ascii_case(b"chunked") && !self.chunked;
                if !is_ours || self.is_http_10 || self.length.is_some() {
                    return Err(Wrong);
                }
                self.chunked = true;
            }
            _ => {}
        }
        Ok(None)
    }

    fn end(&self) -> Result<Place, Wrong> {
        if self.hosts != 1 && !self.is_http_10 {
            return Err(Wrong);
        }
        Ok(match self.length {
            _ if self.chunked => Place::ChunkSize,
            Some(length) if length > 0 => Place::Body(length),
            _ => Place::Head(Self::default()),
        })
    }
}

/// Name and value of a field. A line that begins with a blank would be the last one's (obs-fold), a blank before the colon is
/// read in two ways.
fn field(line: &[u8]) -> Result<(&[u8], &[u8]), Wrong> {
    let colon = memchr(b':', line).filter(|at| *at > 0).ok_or(Wrong)?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    let is_token = |b: &u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(b);
    if name.iter().all(is_token) { Ok((name, value.trim_ascii())) } else { Err(Wrong) }
}

fn decimal(text: &[u8]) -> Option<u64> {
    let plain = !text.is_empty() && text.len() <= 18 && text.iter().all(u8::is_ascii_digit);
    plain.then(|| text.iter().fold(0, |n, b| n * 10 + u64::from(b - b'0')))
}

fn hex(text: &[u8]) -> Option<u64> {
    let plain = !text.is_empty() && text.len() <= 15 && text.iter().all(u8::is_ascii_hexdigit);
    let digit = |b: u8| u64::from((b as char).to_digit(16).unwrap_or_default());
    plain.then(|| text.iter().fold(0, |n, b| n * 16 + digit(*b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the bytes pass, whole and cut into single ones.
    fn passes(text: &str) -> bool {
        let whole = Scan::new().pass(text.as_bytes()).is_ok();
        let mut scan = Scan::new();
        let cut = text.as_bytes().iter().all(|b| scan.pass(std::slice::from_ref(b)).is_ok());
        assert_eq!(whole, cut, "{text:?}");
        whole
    }

    const HEAD: &str = "POST / HTTP/1.1\r\nhost: a\r\n";

    #[test]
    fn messages_are_followed() {
        let next = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        for good in [
            format!("{next}{next}"),
            format!("\r\n{next}"),
            format!("{HEAD}content-length: 5\r\n\r\na\n\0\rb{next}"),
            format!("{HEAD}Content-Length: 0\r\n\r\n{next}"),
            format!(
                "{HEAD}transfer-encoding: chunked\r\n\r\n5\r\na\n\0\rb\r\nA;x=y\r\n0123456789\r\n0\r\nx: y\r\n\r\n{next}"
            ),
            "GET / HTTP/1.0\r\n\r\n".to_owned(),
        ] {
            assert!(passes(&good), "{good:?}");
        }
    }

    #[test]
    fn check_27_what_can_be_read_in_two_ways_is_refused() {
        for bad in [
            format!("{HEAD}content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n"),
            format!("{HEAD}transfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n"),
            format!("{HEAD}content-length: 4\r\ncontent-length: 4\r\n\r\n"),
            format!("{HEAD}content-length: 4, 4\r\n\r\n"),
            format!("{HEAD}content-length: +4\r\n\r\n"),
            format!("{HEAD}content-length:\r\n\r\n"),
            format!("{HEAD}content-length : 4\r\n\r\n"),
            format!("{HEAD}transfer-encoding: gzip, chunked\r\n\r\n"),
            format!("{HEAD}transfer-encoding: xchunked\r\n\r\n"),
            format!("{HEAD}transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n"),
            format!("{HEAD}transfer-encoding:\u{b}chunked\r\n\r\n"),
            "POST / HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n".to_owned(),
            format!("{HEAD}x: y\n\r\n"),
            format!("{HEAD}x: y\r\n z\r\n\r\n"),
            format!("{HEAD}x: y\r\n\tz\r\n\r\n"),
            format!("{HEAD}x: a\rb\r\n\r\n"),
            format!("{HEAD}x: a\0b\r\n\r\n"),
            format!("{HEAD}: y\r\n\r\n"),
            format!("{HEAD}xy\r\n\r\n"),
            format!("{HEAD}host: b\r\n\r\n"),
            "GET / HTTP/1.1\r\n\r\n".to_owned(),
            "GET / HTTP/1.1\nhost: a\n\n".to_owned(),
            "GET /\tx HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(),
            format!("{HEAD}transfer-encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n"),
            format!("{HEAD}transfer-encoding: chunked\r\n\r\n5\r\nhelloX\r\n0\r\n\r\n"),
            format!("{HEAD}transfer-encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n"),
            format!("{HEAD}transfer-encoding: chunked\r\n\r\n-1\r\n\r\n"),
            format!("{HEAD}transfer-encoding: chunked\r\n\r\nffffffffffffffff1\r\n\r\n"),
            format!("{HEAD}transfer-encoding: chunked\r\n\r\n0\r\nx: y\n\r\n"),
        ] {
            assert!(!passes(&bad), "{bad:?}");
        }
    }
}
