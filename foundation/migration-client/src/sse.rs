//! Reads server-sent events from bytes as they come:
//! <https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation>.

/// A line that is longer than this is no event of ours.
const LONGEST_LINE: usize = 4 << 20;

/// One message: a place, an event, or both.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Message {
    pub id: Option<String>,
    pub event: Option<String>,
    pub data: String,
}

/// What has come of a message so far.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    line: Vec<u8>,
    message: Message,
    has_data: bool,
}

impl Reader {
    /// Takes what has come, and returns what is whole.
    ///
    /// # Errors
    /// A line without an end.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<Vec<Message>, &'static str> {
        let mut whole = Vec::new();
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let Some(end) = part.strip_suffix(b"\n") else {
                self.line.extend_from_slice(part);
                if self.line.len() > LONGEST_LINE {
                    return Err("a line of the event stream has no end");
                }
                break;
            };
            self.line.extend_from_slice(end);
            let line = std::mem::take(&mut self.line);
            let text = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(&line));
            whole.extend(self.take(&text));
        }
        Ok(whole)
    }

    fn take(&mut self, line: &str) -> Option<Message> {
        if line.is_empty() {
            self.has_data = false;
            let message = std::mem::take(&mut self.message);
            return Some(message).filter(|message| *message != Message::default());
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => self.message.id = Some(value.to_owned()),
            "event" => self.message.event = Some(value.to_owned()),
            "data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.message.data.push('\n');
                }
                self.message.data.push_str(value);
            }
            // Comments, `retry`, and what comes later.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = "retry: 1000\nid: 4\n\n: a comment\nid: 5\r\nevent: planned\r\ndata: {\"a\":\r\ndata: \"ñ\"}\r\n\r\nid: 6\n\n\nevent: x\n";

    fn message(id: &str, event: Option<&str>, data: &str) -> Message {
        Message { id: Some(id.to_owned()), event: event.map(str::to_owned), data: data.to_owned() }
    }

    #[test]
    fn messages_are_whole_however_they_are_cut() {
        let expected =
            [message("4", None, ""), message("5", Some("planned"), "{\"a\":\n\"ñ\"}"), message("6", None, "")];
        for size in 1..STREAM.len() {
            let mut reader = Reader::default();
            let parts = STREAM.as_bytes().chunks(size).map(|part| reader.feed(part).expect("short lines"));
            assert_eq!(parts.flatten().collect::<Vec<_>>(), expected, "in pieces of {size}");
        }
    }

    #[test]
    fn a_line_without_an_end_is_given_up() {
        let mut reader = Reader::default();
        assert!((0..5).any(|_| reader.feed(&vec![b'x'; 1 << 20]).is_err()));
    }
}
