//! Bodies in JSON, in and out.

use std::time::Duration;

use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::kinds;
use crate::problem::Problem;

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
        parse(&read(request).await?).map(Self)
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
    let detail =
        if given.is_empty() { "the body has no Content-Type".to_owned() } else { format!("the body is {given:?}") };
    Err(Problem::new(kinds::UNSUPPORTED_MEDIA_TYPE).detail(detail).cure("send it with Content-Type: application/json"))
}

async fn read(request: Request) -> Result<Vec<u8>, Problem> {
    let too_large = || {
        Problem::new(kinds::BODY_TOO_LARGE)
            .detail(format!("a body may have {BODY_LIMIT} bytes"))
            .with("limit", BODY_LIMIT)
    };
    let collected = tokio::time::timeout(BODY_TIMEOUT, Limited::new(request.into_body(), BODY_LIMIT).collect()).await;
    match collected {
        Ok(Ok(body)) => Ok(body.to_bytes().into()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(Problem::new(kinds::BODY_INCOMPLETE).detail("the body broke off")),
        Err(_) => {
            Err(Problem::new(kinds::BODY_INCOMPLETE)
                .detail(format!("no whole body within {} s", BODY_TIMEOUT.as_secs())))
        }
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let read = serde_json::from_slice(bytes);
    // A derived type also reads its members from a list by their order; no client of ours may rely on an order.
    if read.is_ok() && bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(Problem::new(kinds::INVALID_BODY).detail("the body is not a JSON object at line 1 column 1"));
    }
    read.map_err(|error| {
        let kind = if error.is_data() { kinds::INVALID_BODY } else { kinds::MALFORMED_JSON };
        let text = error.to_string();
        let place = format!(" at line {} column {}", error.line(), error.column());
        let detail = text.strip_suffix(&place).unwrap_or(&text);
        Problem::new(kind)
            .detail(format!("{detail}{place}"))
            .with("line", error.line())
            .with("column", error.column())
            .with(
                "member",
                // serde names the member in backticks: unknown field `x`, missing field `x`, duplicate field `x`.
                detail.contains(" field `").then(|| detail.split('`').nth(1)).flatten(),
            )
    })
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
            ("", "malformed_json"),
            ("{\"service\": 3}", "invalid_body"),
            ("{\"servise\": \"x\"}", "invalid_body"),
            (" [null]", "invalid_body"),
            ("[null]x", "malformed_json"),
        ] {
            assert_eq!(parse::<Order>(body.as_bytes()).expect_err(body).code(), code, "{body}");
        }
        let problem = format!("{:?}", parse::<Order>(b"{\n \"servise\": 1}").expect_err("an unknown member"));
        assert!(problem.contains("servise") && problem.contains("line 2"), "{problem}");
    }
}
