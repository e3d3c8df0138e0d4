//! Bodies in JSON, in and out.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::kinds;
use crate::problem::Problem;
use crate::unreadable::{Unreadable, shown};

/// The largest body that is read, bytes.
pub const BODY_LIMIT: usize = 1 << 20;
/// A body of that size takes this long on a line of 300 kbit/s.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// A JSON body. What cannot be read becomes a problem that says where.
#[derive(Debug, Clone, Copy)]
pub struct Json<T>(pub T);

/// As [`Json`]; a request without any body counts as `{}`, so that `curl -X POST` alone does what it says.
#[derive(Debug, Clone, Copy)]
pub struct JsonOrNothing<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        check_type(&request)?;
        parse(&read_body(request.into_body()).await?).map(Self)
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonOrNothing<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let length = request.headers().get(CONTENT_LENGTH).map(http::HeaderValue::as_bytes);
        let none = matches!(length, None | Some(b"0")) && !request.headers().contains_key(TRANSFER_ENCODING);
        if none {
            parse(b"{}").map(Self)
        } else {
            Json::from_request(request, state).await.map(|Json(body)| Self(body))
        }
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

fn check_type(request: &Request) -> Result<(), Problem> {
    let given = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let json = essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"));
    if json {
        return Ok(());
    }
    let detail = if given.is_empty() {
        "the body has no Content-Type".to_owned()
    } else {
        format!("the body says that it is {given:?}")
    };
    Err(Problem::new(kinds::UNSUPPORTED_MEDIA_TYPE).detail(detail).cure("send it with Content-Type: application/json"))
}

/// Reads a whole body.
///
/// # Errors
/// One that is longer than [`BODY_LIMIT`], breaks off, or takes too long.
pub async fn read_body(body: Body) -> Result<Bytes, Problem> {
    let incomplete = |detail: String| Problem::new(kinds::BODY_INCOMPLETE).detail(detail).cure("send it again");
    match tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, BODY_LIMIT).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Problem::new(kinds::BODY_TOO_LARGE)
            .detail(format!("the body has more than {BODY_LIMIT} bytes"))
            .cure(format!("send at most {BODY_LIMIT} bytes"))
            .with("limit", BODY_LIMIT)),
        Ok(Err(_)) => Err(incomplete("the body broke off".to_owned())),
        Err(_) => Err(incomplete(format!("no whole body within {} s", BODY_TIMEOUT.as_secs()))),
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let read = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let at = error.path().to_string();
        (error.into_inner(), at)
    });
    let read = read.and_then(|value| reader.end().map(|()| value).map_err(|error| (error, String::new())));
    match read {
        // A derived type also reads its members from a list by their order; no client of ours may rely on an order.
        Ok(value) if bytes.trim_ascii_start().first() == Some(&b'{') => Ok(value),
        Ok(_) => Err(not_an_object(bytes)),
        Err((error, at)) => Err(unreadable(bytes, &error, &at)),
    }
}

fn unreadable(bytes: &[u8], error: &serde_json::Error, at: &str) -> Problem {
    if let Err(error) = std::str::from_utf8(bytes) {
        return Problem::new(kinds::MALFORMED_JSON)
            .detail(format!("the body is not in UTF-8: byte {} does not fit", error.valid_up_to() + 1))
            .cure("send it in UTF-8");
    }
    // What is expected counts only in what is JSON to its end.
    let whole = serde_json::from_slice::<Value>(bytes);
    let problem = match &whole {
        Ok(Value::Object(members)) => {
            let (name, index) = at.strip_suffix(']').and_then(|at| at.rsplit_once('[')).unwrap_or((at, ""));
            let member = members.get(name);
            let given = index.parse().map_or(member, |index: usize| member.and_then(|list| list.get(index)));
            let (text, name) = (error.to_string(), Some(at.to_owned()).filter(|_| given.is_some()));
            let said = text.strip_suffix(&place(error)).unwrap_or(&text);
            Unreadable { kind: kinds::INVALID_BODY, part: "member", name, given, said }.problem()
        }
        Ok(_) => return not_an_object(bytes),
        Err(error) => return malformed(bytes, error),
    };
    problem.with("line", error.line()).with("column", error.column())
}

fn malformed(bytes: &[u8], error: &serde_json::Error) -> Problem {
    let problem = Problem::new(kinds::MALFORMED_JSON);
    if bytes.trim_ascii().is_empty() {
        return problem.detail("the body is empty").cure("send a JSON object, such as {}");
    }
    let (text, place) = (error.to_string(), place(error));
    let detail = if error.is_eof() {
        format!("the body ends before its JSON does{place}")
    } else {
        format!("the body is not JSON{place}: {}", text.strip_suffix(&place).unwrap_or(&text))
    };
    problem
        .detail(detail)
        .cure("send one whole JSON object; in a shell, put it between single quotes")
        .with("line", error.line())
        .with("column", error.column())
}

fn not_an_object(bytes: &[u8]) -> Problem {
    let given = serde_json::from_slice(bytes).unwrap_or_default();
    Problem::new(kinds::INVALID_BODY)
        .detail(format!("the body is {}, expected an object", shown(&given)))
        .cure("put the members into an object: {\"name\": value, …}")
}

/// As serde_json ends its sentences.
fn place(error: &serde_json::Error) -> String {
    format!(" at line {} column {}", error.line(), error.column())
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Order {
        #[expect(dead_code, reason = "only its being read matters")]
        service: Option<String>,
    }

    #[test]
    fn problems_say_which_and_where() {
        for (body, code) in [
            ("{\"service\": ", "malformed_json"),
            ("{\"service\": 3", "malformed_json"),
            ("3", "invalid_body"),
            ("", "malformed_json"),
            ("{\"service\": 3}", "invalid_body"),
            ("{\"servise\": \"x\"}", "invalid_body"),
            (" [null]", "invalid_body"),
            ("[null]x", "malformed_json"),
        ] {
            assert_eq!(parse::<Order>(body.as_bytes()).expect_err(body).code(), code, "{body}");
        }
        let problem = format!("{:?}", parse::<Order>(b"{\n \"servise\": 1}").expect_err("an unknown member"));
        assert!(problem.contains("servise") && problem.contains("\"line\": Number(2)"), "{problem}");
    }
}
