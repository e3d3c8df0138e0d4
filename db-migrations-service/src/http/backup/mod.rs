//! `/api/backup`: its routes are there, what they do is not yet.

pub(super) mod create;
pub(super) mod delete;
pub(super) mod list;
pub(super) mod restore;

use web::Problem;

use super::codes;

/// Says which capability is missing, and what to use meanwhile.
pub(super) fn not_available(capability: &str, meanwhile: &str) -> Problem {
    Problem::new(codes::NOT_AVAILABLE_YET)
        .detail(format!("this version of the service has no {capability} yet; nothing was done"))
        .with("capability", capability)
        .cure(meanwhile)
}

fn backups() -> Problem {
    not_available("backups", "use pg_dump and pg_restore until then")
}
