//! Whether a role may be let near requests.

use std::fmt;

use super::error::TxError;
use crate::AdminConn;
use crate::connect::full_text;

const FAULTS: &str = include_str!("login.sql");

/// The role that a service signs in as could do more than serve requests, or cannot serve them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnfitLogin {
    /// The role.
    pub login: String,
    /// What is wrong, each with the statement that cures it.
    pub faults: Vec<(String, String)>,
}

impl fmt::Display for UnfitLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the service must not sign in to the database as {}: ", self.login)?;
        for (index, (fault, cure)) in self.faults.iter().enumerate() {
            let comma = if index == 0 { "" } else { "; " };
            write!(f, "{comma}{fault} (cure: {cure})")?;
        }
        f.write_str(
            ". Sign in as the service's own role of the catalogue, which `profe migrate run` makes as it has to be",
        )
    }
}

impl std::error::Error for UnfitLogin {}

/// Why a role did not pass.
#[derive(Debug)]
pub enum CheckError {
    /// It is unfit.
    Unfit(UnfitLogin),
    /// Nobody could be asked.
    Unasked(tokio_postgres::Error),
}

impl CheckError {
    pub(super) fn into_tx(self) -> TxError {
        match self {
            Self::Unfit(unfit) => unfit.into(),
            Self::Unasked(error) => error.into(),
        }
    }
}

impl fmt::Display for CheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unfit(unfit) => unfit.fmt(f),
            Self::Unasked(error) => write!(f, "the roles of the server could not be looked at: {}", full_text(error)),
        }
    }
}

impl std::error::Error for CheckError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unfit(_) => None,
            Self::Unasked(error) => Some(error),
        }
    }
}

/// Looks at everything that `login` could do in the database of `session`, whoever that is: it has to be no superuser, not
/// bypass row level security, inherit nothing, own nothing, empty no table, become no owner, and become `users`, the role of
/// signed-in users, of which the same is asked.
///
/// # Errors
/// [`CheckError::Unfit`] names all that is wrong.
pub async fn check_login(session: &AdminConn, login: &str, users: &str) -> Result<(), CheckError> {
    let rows = session.client().query(FAULTS, &[&login, &users]).await.map_err(CheckError::Unasked)?;
    if rows.is_empty() {
        return Ok(());
    }
    let faults = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    Err(CheckError::Unfit(UnfitLogin { login: login.to_owned(), faults }))
}
