//! Letters by mail: to a server by SMTP, or, where none is named, into a folder in which a developer reads them.
//!
//! [`Mailer`] sends one [`Letter`] and says what became of it; [`Template`] is what the platform writes to people, in Spanish and
//! English. It keeps nothing and repeats nothing: whoever must not lose a letter keeps it until [`Mailer::send`] has
//! returned.
//!
//! What people have typed gets into texts only. Addresses are parsed, and subjects lose what could begin another header.

mod folder;
mod letter;
mod settings;
mod smtp;
mod template;

use kernel::cause;

pub use letter::{Address, Letter, NoAddress};
pub use settings::MailSettings;
pub use smtp::{Smtp, SmtpVariables, is_address, is_server, shows_password};
pub use template::Template;

/// Where letters go. A copy is the same.
#[derive(Debug, Clone)]
pub struct Mailer {
    from: Address,
    way: Way,
}

#[derive(Debug, Clone)]
enum Way {
    Smtp(Smtp),
    Folder(std::path::PathBuf),
}

/// Why a letter was not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MailError {
    /// It can be sent by nobody.
    #[error("the letter cannot be written: {0}")]
    Unwritable(String),
    /// The server took it not, or not in time; the same again may succeed.
    #[error("the mail server did not take the letter: {0}")]
    NotTaken(String),
    /// The folder took it not.
    #[error("the letter cannot be put into {folder}: {reason}")]
    Folder {
        /// Which.
        folder: String,
        /// Why.
        reason: String,
    },
}

impl Mailer {
    /// As these settings say.
    pub fn new(settings: MailSettings) -> Self {
        let way = settings.smtp.map_or(Way::Folder(settings.folder), Way::Smtp);
        Self { from: settings.from, way }
    }

    /// Sends one letter; what is returned says what the server answered, or which file it is.
    ///
    /// # Errors
    /// It was not sent, or nobody knows: then it may come twice where it is sent again.
    pub async fn send(&self, letter: &Letter) -> Result<String, MailError> {
        let message = letter.message(&self.from).map_err(|error| MailError::Unwritable(cause(&error)))?;
        match &self.way {
            Way::Smtp(smtp) => smtp.send(message).await.map_err(MailError::NotTaken),
            Way::Folder(folder) => {
                let (folder, bytes) = (folder.clone(), message.formatted());
                let failed = |reason: String| MailError::Folder { folder: self.folder_name(), reason };
                match tokio::task::spawn_blocking(move || folder::put(&folder, &bytes)).await {
                    Ok(written) => written.map_err(|error| failed(error.to_string())),
                    Err(error) => Err(failed(error.to_string())),
                }
            }
        }
    }

    fn folder_name(&self) -> String {
        match &self.way {
            Way::Smtp(_) => String::new(),
            Way::Folder(folder) => folder.display().to_string(),
        }
    }
}
