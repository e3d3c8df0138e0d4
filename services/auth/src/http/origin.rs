//! Where a request comes from.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::header::USER_AGENT;
use http::request::Parts;
use service::ClientAddress;

use crate::model::Origin;
use crate::state::Auth;

/// As the table keeps it, characters.
const LONGEST: usize = 400;

impl FromRequestParts<Auth> for Origin {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, auth: &Auth) -> Result<Self, Infallible> {
        let ClientAddress(address) = ClientAddress::from_request_parts(parts, auth).await?;
        let said = parts.headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
        let user_agent = said.map(|text| text.chars().filter(|c| !c.is_control()).take(LONGEST).collect());
        Ok(Self { address, user_agent })
    }
}
