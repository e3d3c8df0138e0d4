//! What the databases of an environment answered to one question.
//!
//! They are asked side by side, and one that is away keeps no other from answering: it is named, with why and what to do.

use futures_util::{StreamExt as _, stream};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Caller, OperationError, Operations};

/// So many databases are asked at a time; some questions replay a history.
const AT_ONCE: usize = 8;

/// The answers of the databases that a request is about; there is at least one.
#[derive(Debug, Clone)]
pub struct Spread<T> {
    /// The environment, or the one database that was asked.
    pub environment: String,
    /// By database, in the catalogue's order.
    pub answers: Vec<(String, T)>,
    /// Those that could not be asked.
    pub unavailable: Vec<Unavailable>,
}

/// A database that could not be asked.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Unavailable {
    /// Its name, as an environment is named.
    #[schema(example = "production/auth")]
    pub environment: String,
    /// Why, as a stable code.
    #[schema(example = "database_unavailable")]
    pub code: String,
    /// Why, one sentence.
    pub message: String,
    /// What to do now.
    pub cure: Option<String>,
}

impl Unavailable {
    /// Says of a database why it did not answer.
    pub fn new(environment: &str, error: &OperationError) -> Self {
        Self {
            environment: environment.to_owned(),
            code: error.code(),
            message: error.to_string(),
            cure: error.cure().map(str::to_owned),
        }
    }
}

impl<T> Spread<T> {
    /// Whether more than one database was asked.
    pub fn is_several(&self) -> bool {
        self.answers.len() + self.unavailable.len() > 1
    }
}

impl Operations {
    /// Asks each of `databases`; `questions` are those to them, in their order.
    ///
    /// # Errors
    /// That of the first one, where none of them answers.
    pub(crate) async fn spread<T>(
        &self,
        databases: &[String],
        questions: Vec<impl Future<Output = Result<T, OperationError>>>,
    ) -> Result<Spread<T>, OperationError> {
        let answered: Vec<_> = stream::iter(questions).buffered(AT_ONCE).collect().await;
        let environment = match databases {
            [only] => only.as_str(),
            several => several.first().map_or("", |name| self.catalogue().whole_of(name)),
        };
        let mut spread = Spread { environment: environment.to_owned(), answers: Vec::new(), unavailable: Vec::new() };
        let mut first = None;
        for (name, answer) in databases.iter().zip(answered) {
            match answer {
                Ok(answer) => spread.answers.push((name.clone(), answer)),
                Err(error) => {
                    spread.unavailable.push(Unavailable::new(name, &error));
                    first.get_or_insert(error);
                }
            }
        }
        match first {
            Some(error) if spread.answers.is_empty() => Err(error),
            _ => Ok(spread),
        }
    }

    /// As [`databases_of`](Self::databases_of), without those in which nothing is the caller's; all of them, where that would
    /// be none.
    ///
    /// # Errors
    /// As there.
    pub fn databases_for(
        &self,
        environment: Option<&str>,
        service: Option<&str>,
        caller: &Caller,
    ) -> Result<Vec<String>, OperationError> {
        let all = self.databases_of(environment, service)?;
        let Some(allowed) = &caller.services else { return Ok(all) };
        let environments = &self.catalogue().environments;
        let houses = |name: &String| {
            environments.get(name).is_some_and(|entry| allowed.iter().any(|service| entry.houses(service)))
        };
        let own: Vec<String> = all.iter().filter(|name| houses(name)).cloned().collect();
        Ok(if own.is_empty() { all } else { own })
    }

    /// What a list of one environment has: the rows of all its databases. `None` is every environment.
    ///
    /// # Errors
    /// A name that the catalogue does not have.
    pub(crate) fn listed_databases(&self, environment: Option<&str>) -> Result<Option<Vec<String>>, OperationError> {
        environment.map(|name| self.every_database(name)).transpose()
    }

    /// All databases of an environment, the main one also where no service lives in it: its records stay.
    fn every_database(&self, environment: &str) -> Result<Vec<String>, OperationError> {
        let mut all = self.databases_of(Some(environment), None)?;
        let main = &self.environment(Some(environment))?.environment;
        if !all.contains(main) {
            all.insert(0, main.clone());
        }
        Ok(all)
    }
}
