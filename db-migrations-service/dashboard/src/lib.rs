//! The page at `/`: hand-written modules and styles, held by the binary and served compressed, so that it needs no
//! build step and no request to anywhere else.
//!
//! It knows nothing of migrations: what it shows comes from the HTTP API, through the browser of whoever looks.
//!
//! All files stand below `/assets/<version>/`, where the version is a hash of all of them: they may be kept for ever,
//! and a page never meets a module of another version. Only the page itself is asked for each time.

use axum::Router;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY};
use http::{HeaderMap, HeaderName, StatusCode};
use web::{Problem, kinds};

/// What is embedded of one file.
struct File {
    /// Below `assets/`, with `/`.
    path: &'static str,
    plain: &'static [u8],
    /// With gzip.
    packed: &'static [u8],
}

include!(concat!(env!("OUT_DIR"), "/files.rs"));

const PAGE: &str = "index.html";

/// Nothing from elsewhere, no script but our files, no text that becomes markup.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
                      require-trusted-types-for 'script'; trusted-types 'none'";

/// `/` and what it is made of. Nobody has to be signed in for it: it is the same for everybody.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().route("/", get(page)).route("/assets/{version}/{*path}", get(asset))
}

async fn page(headers: HeaderMap) -> Response {
    let etag = format!("\"{VERSION}\"");
    let known = headers
        .get(IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|tags| tags.split(',').any(|tag| tag.trim().trim_start_matches("W/") == etag));
    let lasting = [
        (ETAG, etag.as_str()),
        (CACHE_CONTROL, "no-cache"),
        (HeaderName::from_static("content-security-policy"), POLICY),
    ];
    if known {
        return (StatusCode::NOT_MODIFIED, lasting).into_response();
    }
    match find(PAGE) {
        Some(file) => (lasting, file.answer(&headers)).into_response(),
        None => Problem::new(kinds::INTERNAL).into_response(),
    }
}

async fn asset(Path((version, path)): Path<(String, String)>, headers: HeaderMap) -> Response {
    match find(&path).filter(|_| version == VERSION) {
        Some(file) => ([(CACHE_CONTROL, "public, max-age=31536000, immutable")], file.answer(&headers)).into_response(),
        None => Problem::new(kinds::NOT_FOUND)
            .detail("this version of the service has no such file")
            .cure("load the page anew")
            .into_response(),
    }
}

fn find(path: &str) -> Option<&'static File> {
    FILES.binary_search_by(|file| file.path.cmp(path)).ok().map(|index| &FILES[index])
}

impl File {
    /// The file, compressed where the caller reads that.
    fn answer(&self, headers: &HeaderMap) -> Response {
        let kind = [(CONTENT_TYPE, self.content_type()), (VARY, "accept-encoding")];
        let accepted = headers.get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if reads_gzip(accepted) {
            (kind, [(CONTENT_ENCODING, "gzip")], self.packed).into_response()
        } else {
            (kind, self.plain).into_response()
        }
    }

    fn content_type(&self) -> &'static str {
        match self.path.rsplit_once('.').map_or("", |(_, extension)| extension) {
            "html" => "text/html; charset=utf-8",
            "js" => "text/javascript; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            "svg" => "image/svg+xml",
            _ => "application/octet-stream",
        }
    }
}

/// Whether an Accept-Encoding has gzip, and not with the weight 0.
fn reads_gzip(accepted: &str) -> bool {
    accepted.split(',').any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let never = weight.trim().strip_prefix("q=").is_some_and(|q| q.trim().parse() == Ok(0.0_f32));
        name.trim().eq_ignore_ascii_case("gzip") && !never
    })
}

#[cfg(test)]
mod tests;
