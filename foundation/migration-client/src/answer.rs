//! What the migration service answers. Members that this client does not know are passed over.

use serde::Deserialize;

/// Whether a release fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It does.
    Compatible,
    /// It will, when what is pending is applied.
    Wait,
    /// It does not, and waiting does not change that.
    Incompatible,
}

/// How a release fits.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Compatibility {
    /// The environment that was looked at.
    pub environment: String,
    /// All schemas together.
    pub verdict: Verdict,
    /// Why it does not fit.
    pub reason: Option<String>,
    /// What to do.
    pub cure: Option<String>,
    /// Schema by schema.
    #[serde(default)]
    pub schemas: Vec<SchemaCompatibility>,
}

/// How one schema fits.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SchemaCompatibility {
    /// Which.
    pub schema: String,
    /// The newest migration that is applied.
    pub at: Option<String>,
    /// Whether it fits.
    pub verdict: Verdict,
    /// Why it does not.
    pub reason: Option<String>,
}

/// A problem document, as far as somebody wants to read it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Problem {
    pub code: String,
    pub detail: String,
    pub cure: Option<String>,
}
