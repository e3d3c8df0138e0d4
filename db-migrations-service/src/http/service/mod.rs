//! `/api/migrations/service/{name}`: the same as without a service, for one.

pub(super) mod get;
pub(super) mod rollback;
pub(super) mod run;
pub(super) mod status;

use web::Problem;

use super::codes;

/// A body may repeat the service of the path, but not name another.
pub(super) fn settle(path: String, body: &mut Option<String>) -> Result<(), Problem> {
    match body {
        Some(other) if *other != path => Err(Problem::new(codes::INVALID_REQUEST)
            .detail(format!("the path names the service {path:?}, the body {other:?}"))
            .cure("leave the service out of the body")),
        _ => {
            *body = Some(path);
            Ok(())
        }
    }
}
