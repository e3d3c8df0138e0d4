//! `/health/database` and `/health/master-database`: for operators, so with credentials. `/health` and `/ready` are
//! [`web::health_routes`].

pub(super) mod database;
pub(super) mod master_database;
pub(super) mod redis;
