//! `/api/database`.

pub(super) mod connections;
pub(super) mod health;
pub(super) mod history;
pub(super) mod performance;
pub(super) mod size;

use serde::Deserialize;
use utoipa::IntoParams;
use web::Problem;

use crate::operations::DatabaseOrder;

/// Lists are for reading; more is for `psql`.
const LONGEST_LIST: u32 = 500;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct DatabaseQuery {
    /// An environment of the catalogue, each of its databases. Default: the default environment.
    environment: Option<String>,
    /// Only this service's schemas, in the database that it lives in.
    service: Option<String>,
    /// Only this schema.
    schema: Option<String>,
    /// Entries in each list, 1 to 500. Default: as the list says.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
}

impl DatabaseQuery {
    fn order(self) -> Result<DatabaseOrder, Problem> {
        if let Some(limit) = self.limit.filter(|limit| !(1..=LONGEST_LIST).contains(limit)) {
            return Err(Problem::new(web::kinds::INVALID_QUERY)
                .detail(format!("the parameter \"limit\" is {limit}, expected 1 to {LONGEST_LIST}"))
                .cure("ask for less at once, or for one service or schema")
                .with("parameter", "limit"));
        }
        Ok(DatabaseOrder {
            environment: self.environment,
            service: self.service,
            schema: self.schema,
            limit: self.limit,
        })
    }
}
