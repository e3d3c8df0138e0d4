//! Spanish or English, as the caller prefers.

use http::HeaderMap;
use http::header::ACCEPT_LANGUAGE;

/// The languages that messages exist in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    /// The platform's own.
    #[default]
    Spanish,
    /// Where it is preferred.
    English,
}

impl Language {
    /// What `Accept-Language` prefers (RFC 9110, 12.5.4); Spanish where it says nothing or likes both the same.
    pub fn of(headers: &HeaderMap) -> Self {
        let text = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let quality = |language: &str| {
            let ranges = text.split(',').filter_map(|range| {
                let (tag, parameters) = range.split_once(';').unwrap_or((range, ""));
                let q = parameters.trim().strip_prefix("q=").map_or(Some(1.0), |q| q.trim().parse::<f32>().ok())?;
                Some((tag.trim().to_ascii_lowercase(), q))
            });
            let named = |(tag, q): (String, f32)| (tag.split('-').next() == Some(language)).then_some(q);
            let any = |(tag, q): (String, f32)| (tag == "*").then_some(q);
            ranges
                .clone()
                .filter_map(named)
                .reduce(f32::max)
                .or_else(|| ranges.filter_map(any).reduce(f32::max))
                .unwrap_or(0.0)
        };
        if quality("en") > quality("es") { Self::English } else { Self::Spanish }
    }

    /// The one of two texts that is in this language.
    pub fn pick<'a>(self, spanish: &'a str, english: &'a str) -> &'a str {
        match self {
            Self::Spanish => spanish,
            Self::English => english,
        }
    }

    /// Its tag.
    pub fn tag(self) -> &'static str {
        self.pick("es", "en")
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_preferred_one_is_taken() {
        for (header, expected) in [
            ("", Language::Spanish),
            ("es-ES,es;q=0.9,en;q=0.8", Language::Spanish),
            ("en-GB,en;q=0.9,es;q=0.8", Language::English),
            ("de,en;q=0.7,es;q=0.3", Language::English),
            ("de", Language::Spanish),
            ("*", Language::Spanish),
            ("es;q=0,*", Language::English),
            ("en;q=zero", Language::Spanish),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_LANGUAGE, HeaderValue::from_str(header).expect("a header"));
            assert_eq!(Language::of(&headers), expected, "{header}");
        }
    }
}
