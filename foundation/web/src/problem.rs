//! Errors as RFC 9457 problem documents.
//!
//! Two readers are served: programs switch on `code`, which never changes; people read `message`, in their language.
//! `detail` stays technical and English. What a problem says never includes secrets or the server's paths: whoever
//! makes one sees to that.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{ACCEPT_LANGUAGE, CONTENT_LANGUAGE, CONTENT_TYPE, VARY};
use http::request::Parts as RequestParts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use kernel::RequestId;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::language::Language;

/// The media type of a problem.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// One kind of problem; each service lists its own as constants, in one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// What programs switch on.
    pub code: &'static str,
    /// The status that it is sent with.
    pub status: StatusCode,
    /// A short name, English, the same every time.
    pub title: &'static str,
    /// A sentence for a person, Spanish.
    pub es: &'static str,
    /// The same in English.
    pub en: &'static str,
}

/// A problem on its way to the caller. A pointer, so that results that hold one stay small.
#[derive(Debug, Clone)]
pub struct Problem(Box<Parts>);

#[derive(Debug, Clone)]
struct Parts {
    kind: Kind,
    detail: Option<String>,
    members: Map<String, Value>,
    headers: HeaderMap,
}

/// How a problem looks, for the OpenAPI document.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProblemDocument {
    /// `urn:profe:problem:` and the code.
    #[serde(rename = "type")]
    #[schema(example = "urn:profe:problem:not_found")]
    pub type_uri: String,
    /// A short name, the same every time.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened this time.
    pub detail: Option<String>,
    /// The path that was asked for.
    pub instance: String,
    /// What programs switch on; stable.
    #[schema(example = "not_found")]
    pub code: String,
    /// A sentence for a person, in Spanish or, where `Accept-Language` prefers it, in English.
    pub message: String,
    /// What to do now.
    pub cure: Option<String>,
    /// The request's id, as in the log.
    #[serde(rename = "requestId")]
    pub request_id: Option<String>,
}

impl Problem {
    /// A problem of this kind, without particulars.
    pub fn new(kind: Kind) -> Self {
        Self(Box::new(Parts { kind, detail: None, members: Map::new(), headers: HeaderMap::new() }))
    }

    /// What happened this time, technical and in English.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// An extension member. One that is null is left out.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Serialize) -> Self {
        match serde_json::to_value(value) {
            Ok(Value::Null) | Err(_) => {}
            Ok(value) => {
                self.0.members.insert(name.to_owned(), value);
            }
        }
        self
    }

    /// What to do now, one sentence.
    #[must_use]
    pub fn cure(self, cure: impl Into<String>) -> Self {
        self.with("cure", cure.into())
    }

    /// A header of the answer. A value that no header can hold is left out.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.0.headers.insert(name, value);
        }
        self
    }

    /// The same problem with another status, for the rare kind whose status depends on the case.
    #[must_use]
    pub fn status(mut self, status: StatusCode) -> Self {
        self.0.kind.status = status;
        self
    }

    /// Its code.
    pub fn code(&self) -> &'static str {
        self.0.kind.code
    }

    fn render(&self, language: Language, instance: Option<&str>, request_id: Option<&str>) -> Response {
        let mut document = Map::new();
        let mut put = |name: &str, value: Value| drop(document.insert(name.to_owned(), value));
        put("type", format!("urn:profe:problem:{}", self.0.kind.code).into());
        put("title", self.0.kind.title.into());
        put("status", self.0.kind.status.as_u16().into());
        if let Some(detail) = &self.0.detail {
            put("detail", detail.clone().into());
        }
        if let Some(instance) = instance {
            put("instance", instance.into());
        }
        put("code", self.0.kind.code.into());
        put("message", language.pick(self.0.kind.es, self.0.kind.en).into());
        if let Some(request_id) = request_id {
            put("requestId", request_id.into());
        }
        for (name, value) in &self.0.members {
            document.entry(name).or_insert_with(|| value.clone());
        }
        let body = Value::Object(document).to_string();
        let mut response = (self.0.kind.status, [(CONTENT_TYPE, PROBLEM_JSON)], body).into_response();
        response.headers_mut().insert(CONTENT_LANGUAGE, HeaderValue::from_static(language.tag()));
        response.headers_mut().insert(VARY, HeaderValue::from_name(ACCEPT_LANGUAGE));
        response.headers_mut().extend(self.0.headers.clone());
        response
    }
}

/// Without knowing the request, so in Spanish; [`Asked::word`] renders it again where the shell stands around it.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.render(Language::default(), None, None);
        response.extensions_mut().insert(self);
        response
    }
}

/// Who asked for what: what the wording of a problem depends on.
#[derive(Debug, Clone)]
pub struct Asked {
    language: Language,
    path: String,
    id: Option<RequestId>,
}

impl Asked {
    /// Of this request.
    pub fn of(request: &RequestParts) -> Self {
        Self {
            language: Language::of(&request.headers),
            path: request.uri.path().to_owned(),
            id: request.extensions.get::<RequestId>().cloned(),
        }
    }

    /// Words a problem for who asked; any other answer stays as it is.
    pub fn word(&self, mut response: Response) -> Response {
        let Some(problem) = response.extensions_mut().remove::<Problem>() else { return response };
        let mut rendered = problem.render(self.language, Some(&self.path), self.id.as_ref().map(RequestId::as_str));
        // What layers in between have added stays.
        for (name, value) in response.headers() {
            if !rendered.headers().contains_key(name) && name != http::header::CONTENT_LENGTH {
                rendered.headers_mut().append(name.clone(), value.clone());
            }
        }
        rendered.extensions_mut().extend(std::mem::take(response.extensions_mut()));
        rendered.extensions_mut().insert(Code(problem.code()));
        rendered
    }
}

/// Renders problems in the caller's language, with the path and the request's id.
pub(crate) async fn localise(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let asked = Asked::of(&parts);
    asked.word(next.run(Request::from_parts(parts, body)).await)
}

/// The code of the problem that was sent, for the access log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Code(pub(crate) &'static str);
