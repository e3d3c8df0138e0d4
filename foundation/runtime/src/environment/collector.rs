//! Reading a whole section, so that one run shows everything that has to be corrected.

use std::fmt::Display;
use std::str::FromStr;

use super::{ConfigError, ConfigErrors, Environment};

/// Remembers what was bad; [`finish`](Self::finish) reports it.
///
/// ```
/// # use runtime::Environment;
/// # let environment = Environment::of([("PORT", "8080"), ("NAME", "profe")]);
/// let mut values = environment.collector();
/// let port: u16 = values.or("PORT", 3000);
/// let name: Option<String> = values.required("NAME", "what this deployment is called");
/// let (port, name) = values.finish(|| Some((port, name?)))?;
/// # assert_eq!((port, name.as_str()), (8080, "profe"));
/// # Ok::<(), runtime::ConfigErrors>(())
/// ```
#[must_use = "bad values are only reported by `finish`"]
pub struct Collector<'a> {
    environment: &'a Environment,
    errors: Vec<ConfigError>,
}

impl<'a> Collector<'a> {
    pub(super) fn new(environment: &'a Environment) -> Self {
        Self { environment, errors: Vec::new() }
    }

    /// The value, or nothing when it is not set – or bad, which is remembered.
    pub fn optional<T>(&mut self, name: &str) -> Option<T>
    where
        T: FromStr,
        T::Err: Display,
    {
        self.environment.parse(name).unwrap_or_else(|error| {
            self.errors.push(error);
            None
        })
    }

    /// The value, or `default` when it is not set or bad.
    pub fn or<T>(&mut self, name: &str, default: T) -> T
    where
        T: FromStr,
        T::Err: Display,
    {
        self.optional(name).unwrap_or(default)
    }

    /// The value; when it is not set, that is remembered with `hint`, which says what belongs there.
    pub fn required<T>(&mut self, name: &str, hint: &str) -> Option<T>
    where
        T: FromStr,
        T::Err: Display,
    {
        let before = self.errors.len();
        let value = self.optional(name);
        if value.is_none() && self.errors.len() == before {
            self.errors.push(ConfigError::Missing { name: name.to_owned(), hint: hint.to_owned() });
        }
        value
    }

    /// Remembers that a value is bad for a reason that only shows beside others.
    pub fn reject(&mut self, name: &str, reason: &str) {
        let value = self.environment.get(name).ok().flatten().unwrap_or_default();
        self.errors.push(ConfigError::invalid(name, &value, reason));
    }

    /// What `build` makes of the values, unless something was bad.
    ///
    /// # Errors
    /// All bad values. With none, `build` returning nothing is an error too: it asked for a value it did not require.
    pub fn finish<T>(self, build: impl FnOnce() -> Option<T>) -> Result<T, ConfigErrors> {
        if !self.errors.is_empty() {
            return Err(ConfigErrors(self.errors));
        }
        build().ok_or_else(|| {
            ConfigErrors(vec![ConfigError::Missing {
                name: "a value".to_owned(),
                hint: "the configuration was read as optional and used as required".to_owned(),
            }])
        })
    }
}
