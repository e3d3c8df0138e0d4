//! An answer for each database of an environment, in one that is what it was where there is one database.

use serde::Serialize;
use utoipa::ToSchema;
use web::{Json, Problem};

use crate::operations::{Spread, Unavailable};

/// A view of the first database, and of each where there are several.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answered<T> {
    /// The environment, or the database, that this is about.
    pub(super) environment: String,
    /// Of the first database.
    #[serde(flatten)]
    pub(super) view: T,
    /// Each database by itself, where the environment has several; the members above are those of the first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) databases: Vec<OfDatabase<T>>,
    /// Databases that could not be asked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) unavailable: Vec<Unavailable>,
}

/// A view of one database.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct OfDatabase<T> {
    /// Its name, as an environment is named.
    #[schema(example = "production/auth")]
    pub(super) environment: String,
    /// What it answered.
    #[serde(flatten)]
    pub(super) view: T,
}

impl<T: Clone> Answered<T> {
    /// The answer to a request.
    pub(super) fn of(spread: Spread<T>) -> Result<Json<Self>, Problem> {
        let several = spread.is_several();
        let Spread { environment, answers, unavailable } = spread;
        let (_, view) = answers.first().cloned().ok_or_else(nobody)?;
        let each = answers.into_iter().filter(|_| several);
        let databases = each.map(|(environment, view)| OfDatabase { environment, view }).collect();
        Ok(Json(Self { environment, view, databases, unavailable }))
    }
}

/// Where nobody answers, the operation itself has failed.
pub(super) fn nobody() -> Problem {
    Problem::new(web::kinds::INTERNAL)
}
