//! What keeps a folder or a history from being taken over.

/// What kind of thing is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// A file is not named as the tool names its files.
    Misnamed,
    /// Two files claim one version.
    Duplicate,
    /// Half of a pair.
    Unpaired,
    /// A mark or a plan that cannot be read.
    Malformed,
    /// The tool can do it and the engine cannot.
    Unsupported,
    /// The tool's history says that something is unfinished, gone or changed.
    History,
}

/// One sentence of what is wrong, one of what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// What kind.
    pub kind: FaultKind,
    /// What is wrong, with names.
    pub message: String,
    /// What to do now.
    pub cure: String,
}

impl Fault {
    pub(crate) fn new(kind: FaultKind, message: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { kind, message: message.into(), cure: cure.into() }
    }

    pub(crate) fn misnamed(path: &str, wanted: &str) -> Self {
        Self::new(FaultKind::Misnamed, format!("{path} is not named as a migration"), format!("name it {wanted}"))
    }

    pub(crate) fn unsupported(message: impl Into<String>, cure: impl Into<String>) -> Self {
        Self::new(FaultKind::Unsupported, message, cure)
    }

    pub(crate) fn history(message: impl Into<String>, cure: impl Into<String>) -> Self {
        Self::new(FaultKind::History, message, cure)
    }
}
