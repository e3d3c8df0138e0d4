//! Where the secrets of a text stand.
//!
//! A value ends where nobody could go on reading it as one: at white space, a quotation mark, an ampersand. Punctuation does
//! not end it, since passwords have some: rather a bracket too much is hidden than a character of a password shown.

use super::HIDDEN;

/// What stands in the text, in bytes.
type Place = (usize, usize);

/// Names that end so hold a secret, whatever it looks like.
const SECRET_NAMES: [&str; 8] =
    ["password", "passwd", "passphrase", "secret", "secretkey", "accesskey", "apikey", "privatekey"];
/// Names that end so hold a secret where it is long: short ones are words and numbers.
const LONG_SECRET_NAMES: [&str; 3] = ["token", "signature", "sig"];
/// So long.
const LONG: usize = 16;
/// Headers whose value is a secret to its end, spaces and all.
const SECRET_HEADERS: [&str; 2] = ["authorization", "cookie"];
/// Words that go before credentials.
const SCHEMES: [&str; 6] = ["bearer ", "basic ", "digest ", "negotiate ", "auth plain ", "auth login "];
/// Credentials are so long, …
const LEAST_CREDENTIAL: usize = 8;
/// … and of small letters only where they are longer than words.
const LONGEST_WORD: usize = 20;
/// What an API token begins with; it is known by its own form, of which a part stays.
const API_TOKEN: &str = "profe_";

/// Where the first secret of the text stands.
pub(super) fn next(text: &str) -> Option<Place> {
    [
        url_password(text),
        named(text),
        credentials(text),
        api_token(text),
        age_key(text),
        private_key(text),
        jwt(text),
        scram(text),
    ]
    .into_iter()
    .flatten()
    .min_by_key(|(start, _)| *start)
}

/// `postgres://ana:secret@host`: from after the colon to before the last `@` of the authority; and the user of a web
/// address, which may be a token.
fn url_password(text: &str) -> Option<Place> {
    let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '`' | '<' | '>');
    text.match_indices("://").find_map(|(at, sign)| {
        let begin = at + sign.len();
        let word = &text[begin..];
        let word = &word[..word.find(ends).unwrap_or(word.len())];
        let end = user_end(word)?;
        let colon = word[..end].find(':');
        let is_web = text[..at].ends_with("http") || text[..at].ends_with("https");
        let start = if let Some(colon) = colon { colon + 1 } else { is_web.then_some(0)? };
        (start < end && &word[start..end] != HIDDEN).then_some((begin + start, begin + end))
    })
}

/// Before the `@` that ends user and password of what follows `://`. A password with a slash in it should be written
/// otherwise, and is not by everybody: only what looks like a host with its port is one.
fn user_end(word: &str) -> Option<usize> {
    let authority = &word[..word.find(['/', '?', '#']).unwrap_or(word.len())];
    if authority.contains('@') {
        return word[..word.find('?').unwrap_or(word.len())].rfind('@');
    }
    let (_, after) = authority.split_once(':').filter(|_| !authority.starts_with('['))?;
    let is_port = !after.is_empty() && after.bytes().all(|b| b.is_ascii_digit());
    if is_port { None } else { word.rfind('@') }
}

/// `password=secret`, `"api_key": "secret"`, `PASSWORD 'secret'`, `Authorization: Bearer secret`: by the name before it.
fn named(text: &str) -> Option<Place> {
    text.char_indices().filter(|(_, c)| matches!(c, '=' | ':' | '\'')).find_map(|(at, sign)| {
        let name = name_before(&text[..at], sign == '\'')?;
        let (is_secret, is_header) = (is_one_of(&name, &SECRET_NAMES), is_one_of(&name, &SECRET_HEADERS));
        if !(is_secret || is_header || is_one_of(&name, &LONG_SECRET_NAMES)) {
            return None;
        }
        let after = if sign == '\'' { at } else { at + sign.len_utf8() };
        // `password= and` is no value, `password = value` is one.
        if sign == '=' && text[after..].starts_with(' ') && !text[..at].ends_with(' ') {
            return None;
        }
        let start = after + skipped(&text[after..]);
        let (start, end) = value(text, start, is_header);
        let value = text.get(start..end).filter(|value| !value.is_empty())?;
        let is_one = is_secret || is_header || (value.len() >= LONG && !value.starts_with(API_TOKEN));
        (is_one && !value.starts_with(HIDDEN)).then_some((start, end))
    })
}

fn is_one_of(name: &str, words: &[&str]) -> bool {
    words.iter().any(|word| name.ends_with(word))
}

/// The name at the end of the text, in small letters without `-` and `_`; in SQL, the word before a string.
fn name_before(text: &str, is_sql: bool) -> Option<String> {
    let text = if is_sql {
        let text = text.strip_suffix(['E', 'e']).unwrap_or(text);
        text.strip_suffix(' ')?.trim_end()
    } else {
        without_colours(text).trim_end_matches(['"', '\'', '\\', ' ', '`'])
    };
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let begin = text.rfind(|c| !is_part(c)).map_or(0, |at| at + text[at..].chars().next().map_or(1, char::len_utf8));
    let name = &text[begin..];
    (!name.is_empty())
        .then(|| name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect())
}

/// Without the escape sequence of a terminal at its end.
fn without_colours(text: &str) -> &str {
    let Some(at) = text.rfind('\u{1b}') else { return text };
    let is_sequence = |rest: &str| {
        rest.len() > 2
            && rest.ends_with('m')
            && rest[2..rest.len() - 1].bytes().all(|b| b.is_ascii_digit() || b == b';')
    };
    if is_sequence(&text[at..]) { without_colours(&text[..at]) } else { text }
}

/// How much stands between a sign and its value: spaces, colours, the names of Rust's wrappers.
fn skipped(text: &str) -> usize {
    let mut rest = text;
    loop {
        let before = rest.len();
        rest = rest.trim_start_matches([' ', '>']);
        if let Some(end) = rest.strip_prefix('\u{1b}').and_then(|sequence| sequence.find('m')) {
            rest = &rest[end + 2..];
        }
        for wrapper in ["Some(", "Ok(", "b\"", "[\""] {
            let keep = usize::from(wrapper.ends_with('"'));
            rest = rest.strip_prefix(wrapper).map_or(rest, |_| &rest[wrapper.len() - keep..]);
        }
        if rest.len() == before {
            return text.len() - rest.len();
        }
    }
}

/// The value that begins at `start`, without the quotation marks around it; that of a header has spaces.
fn value(text: &str, start: usize, is_header: bool) -> Place {
    let after_scheme = |begin: usize| if is_header { begin + scheme(&text[begin..]) } else { begin };
    // Within JSON a quotation mark has backslashes before it, as many as it is deep.
    let depth = text[start..].bytes().take_while(|b| *b == b'\\').count();
    if let Some(mark @ ('"' | '\'')) = text[start + depth..].chars().next() {
        let begin = start + depth + 1;
        if let Some(length) = quoted(&text[begin..], mark, depth) {
            return (after_scheme(begin), begin + length);
        }
    }
    let begin = after_scheme(start);
    let is_end = |(at, c): &(usize, char)| match c {
        '"' => closes(&text[begin + at + 1..]),
        '\u{1b}' | '\n' | '\r' => true,
        '&' => !is_header,
        c => !is_header && c.is_whitespace(),
    };
    let end = text[begin..].char_indices().find(is_end).map_or(text.len(), |(at, _)| begin + at);
    // A backslash before a quotation mark belongs to it.
    let value = if text[end..].starts_with('"') { text[begin..end].trim_end_matches('\\') } else { &text[begin..end] };
    (begin, begin + value.len())
}

/// Whether a quotation mark before this is the end of something, and not a sign in the middle of a password.
fn closes(after: &str) -> bool {
    after
        .chars()
        .next()
        .is_none_or(|c| c.is_whitespace() || matches!(c, ',' | ';' | ':' | ')' | ']' | '}' | '>' | '\\' | '\u{1b}'))
}

/// How long a quoted value is; `None` where nothing ends it. A mark with `depth` backslashes ends it, one with more is a part
/// of it – but for what JSON makes of a backslash that goes before it –, and so are two of SQL's.
fn quoted(text: &str, mark: char, depth: usize) -> Option<usize> {
    let mut backslashes = 0;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c == mark {
            let ends = match mark {
                '"' => backslashes < depth || backslashes % (2 * (depth + 1)) == depth,
                _ => backslashes == depth && chars.next_if(|(_, next)| *next == mark).is_none(),
            };
            if ends {
                return Some(at - backslashes.min(depth));
            }
        }
        backslashes = if c == '\\' { backslashes + 1 } else { 0 };
    }
    None
}

/// How long a scheme of credentials at the beginning is: it tells something, and is no secret.
fn scheme(text: &str) -> usize {
    SCHEMES.iter().find(|word| starts_with_word(text, word)).map_or(0, |word| word.len())
}

fn starts_with_word(text: &str, word: &str) -> bool {
    text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
}

/// `Bearer secret`, wherever it stands.
fn credentials(text: &str) -> Option<Place> {
    let is_credential = |c: char| is_token(c) || matches!(c, '.' | '~' | '+' | '/' | '=');
    text.char_indices().filter(|(_, c)| c.is_ascii_alphabetic()).find_map(|(at, _)| {
        let length = Some(scheme(&text[at..])).filter(|length| *length > 0)?;
        let start = at + length;
        let credential = &text[start..start + word_end(&text[start..], |c| !is_credential(c))];
        let is_word = credential.len() < LONGEST_WORD && credential.bytes().all(|b| b.is_ascii_lowercase());
        (credential.len() >= LEAST_CREDENTIAL && !is_word).then_some((start, start + credential.len()))
    })
}

/// `profe_<id>_<secret>`: the id names it and stays.
fn api_token(text: &str) -> Option<Place> {
    const ID: usize = 8;
    const SECRET: usize = 32;
    text.match_indices(API_TOKEN).find_map(|(at, sign)| {
        let id = at + sign.len();
        let start = id + ID + 1;
        let is_id = text.get(id..id + ID)?.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        let secret = text.get(start - 1..)?.strip_prefix('_')?;
        let length = word_end(secret, |c| !is_token(c));
        (is_id && length >= SECRET).then_some((start, start + length))
    })
}

fn age_key(text: &str) -> Option<Place> {
    const SIGN: &str = "AGE-SECRET-KEY-";
    text.match_indices(SIGN).find_map(|(at, _)| {
        let start = at + SIGN.len();
        let length = word_end(&text[start..], |c| !is_token(c));
        (length > 0).then_some((start, start + length))
    })
}

/// What is between `-----BEGIN … PRIVATE KEY-----` and its end, or the end of what there is.
fn private_key(text: &str) -> Option<Place> {
    const SIGN: &str = "PRIVATE KEY-----";
    text.match_indices(SIGN).find_map(|(at, _)| {
        let start = at + SIGN.len();
        let is_begin = text[..at].rfind("-----").is_some_and(|dashes| text[dashes..].starts_with("-----BEGIN "));
        let end = start + text[start..].find("-----").unwrap_or(text.len() - start);
        (is_begin && start < end && &text[start..end] != HIDDEN).then_some((start, end))
    })
}

/// `eyJ….….…`: a signed token is a key for whoever has it. Its header stays.
fn jwt(text: &str) -> Option<Place> {
    text.match_indices("eyJ").find_map(|(at, _)| {
        let part = |from: usize| word_end(&text[from..], |c| !is_token(c));
        let first = at + part(at);
        let second =
            first + 1 + text[first..].strip_prefix('.').map(|_| part(first + 1)).filter(|length| *length > 0)?;
        let third =
            second + 1 + text[second..].strip_prefix('.').map(|_| part(second + 1)).filter(|length| *length > 0)?;
        Some((first + 1, third))
    })
}

/// What a password is checked against, which is worth as much for some ends.
fn scram(text: &str) -> Option<Place> {
    const SIGN: &str = "SCRAM-SHA-256$";
    text.match_indices(SIGN).find_map(|(at, _)| {
        let start = at + SIGN.len();
        let length = word_end(&text[start..], |c| !is_token(c) && !matches!(c, ':' | '$' | '+' | '/' | '='));
        (length > 0).then_some((start, start + length))
    })
}

fn word_end(text: &str, ends: impl Fn(char) -> bool) -> usize {
    text.find(|c: char| c.is_whitespace() || ends(c)).unwrap_or(text.len())
}

fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_')
}
