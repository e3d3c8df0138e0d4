//! What can go wrong with a storage, in one sentence each that names the cure.

use std::error::Error;
use std::io;

use object_store::ObjectMeta;
use object_store::client::{HttpError, HttpErrorKind};
use time::OffsetDateTime;

/// Why a storage did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The URL names no place that can be used.
    #[error("the storage's URL cannot be used: {0}")]
    Url(String),
    /// A name that is none; see [`super::Storage`] for what names look like.
    #[error("{0:?} cannot name an object: names are letters, digits, dots, hyphens and underscores, parted by slashes")]
    Name(String),
    /// There is no such object, or no such storage.
    #[error("{}", absent(.storage, .what))]
    NotFound {
        /// The storage's URL.
        storage: String,
        /// The object's name; empty for the storage itself.
        what: String,
    },
    /// The bucket or container itself is not there.
    #[error("{storage} names a bucket that does not exist: create it, or correct the URL")]
    NoBucket {
        /// The storage's URL.
        storage: String,
    },
    /// The name is taken.
    #[error("{what} is already in {storage}: what is stored is not replaced")]
    AlreadyExists {
        /// The storage's URL.
        storage: String,
        /// The object's name.
        what: String,
    },
    /// The storage knows us not, or does not let us.
    #[error("could not {action} in {storage}: permission denied ({reason}); {cure}")]
    Denied {
        /// The storage's URL.
        storage: String,
        /// What was to be done to which object.
        action: String,
        /// The storage's own word.
        reason: String,
        /// What to do about it.
        cure: String,
    },
    /// No answer, or only answers that say to come again, until the patience was at its end.
    #[error("could not {action} in {storage}: it cannot be reached ({reason}); check its address and that it is up")]
    Unreachable {
        /// The storage's URL.
        storage: String,
        /// What was to be done to which object.
        action: String,
        /// What was seen.
        reason: String,
    },
    /// There is no room.
    #[error("could not {action} in {storage}: it is full ({reason}); make room, or raise its limit")]
    Full {
        /// The storage's URL.
        storage: String,
        /// What was to be done to which object.
        action: String,
        /// What was seen.
        reason: String,
    },
    /// The object is not what was written.
    #[error("{what} in {storage} is damaged: {found}")]
    Damaged {
        /// The storage's URL.
        storage: String,
        /// The object's name.
        what: String,
        /// What is wrong with it.
        found: String,
    },
    /// Anything else.
    #[error("could not {action} in {storage}: {reason}")]
    Failed {
        /// The storage's URL.
        storage: String,
        /// What was to be done to which object.
        action: String,
        /// What was seen.
        reason: String,
    },
}

fn absent(storage: &str, what: &str) -> String {
    if what.is_empty() {
        format!("{storage} is not there: create it, or correct the URL")
    } else {
        format!("there is no {what} in {storage}")
    }
}

impl StorageError {
    /// Whether the same request might be answered differently in a moment.
    pub(super) fn may_pass(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }
}

/// What is being done, for the error that may come of it.
#[derive(Debug, Clone)]
pub(super) struct Doing {
    pub storage: String,
    pub action: &'static str,
    pub what: String,
}

const FULL: [&str; 6] =
    ["XMinioStorageFull", "QuotaExceeded", "EntityTooLarge", "InsufficientStorage", "InsufficientCapacity", "TooLarge"];
const NO_BUCKET: [&str; 3] = ["NoSuchBucket", "ContainerNotFound", "InvalidBucketName"];
const WRONG_REGION: [&str; 3] =
    ["PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"];

impl Doing {
    pub fn damaged(&self, found: &str) -> StorageError {
        let (storage, what) = (self.storage.clone(), self.what.clone());
        StorageError::Damaged { storage, what, found: found.to_owned() }
    }

    pub fn too_large(&self, most: u64) -> StorageError {
        let reason = format!("an object has at most {most} bytes");
        StorageError::Full { storage: self.storage.clone(), action: self.action(), reason }
    }

    pub fn not_found(&self) -> StorageError {
        StorageError::NotFound { storage: self.storage.clone(), what: self.what.clone() }
    }

    /// The error of a folder.
    pub fn io(&self, error: &io::Error) -> StorageError {
        use io::ErrorKind as Kind;
        let (storage, action, reason) = (self.storage.clone(), self.action(), error.to_string());
        match error.kind() {
            Kind::NotFound => self.not_found(),
            Kind::AlreadyExists => StorageError::AlreadyExists { storage, what: self.what.clone() },
            Kind::StorageFull | Kind::QuotaExceeded | Kind::FileTooLarge => {
                StorageError::Full { storage, action, reason }
            }
            Kind::PermissionDenied | Kind::ReadOnlyFilesystem => {
                let cure = "let the user that runs this write there".to_owned();
                StorageError::Denied { storage, action, reason, cure }
            }
            _ => StorageError::Failed { storage, action, reason },
        }
    }

    /// The error of a store. Its own texts are not passed on whole: they repeat addresses, which may be signed.
    pub fn store(&self, error: &object_store::Error) -> StorageError {
        let seen = Seen::of(error);
        let (storage, action, reason) = (self.storage.clone(), self.action(), seen.reason());
        if let (Some((kind, text)), None) = (&seen.io, seen.http) {
            return self.io(&io::Error::new(*kind, text.as_str()));
        }
        if seen.asked_the_machine {
            let cure = format!("set {}", identity(&storage));
            return StorageError::Denied { storage, action, reason: "no credentials are set".to_owned(), cure };
        }
        if reason.contains(NO_ACCOUNT) {
            let cure = format!("set {}", identity(&storage));
            return StorageError::Denied { storage, action, reason: "no account is named".to_owned(), cure };
        }
        if reason.contains(NO_AUTHORITIES) {
            let reason = format!("{reason}: install ca-certificates, or name a file of them in SSL_CERT_FILE");
            return StorageError::Failed { storage, action, reason };
        }
        let code = seen.code.as_str();
        if NO_BUCKET.contains(&code) {
            return StorageError::NoBucket { storage };
        }
        if FULL.contains(&code) || matches!(seen.status, Some(507 | 413)) {
            return StorageError::Full { storage, action, reason };
        }
        if WRONG_REGION.contains(&code) || seen.status == Some(301) || reason.contains("redirect without LOCATION") {
            let reason = format!("{reason}; it is in another region: name that in the URL (region=…) or in AWS_REGION");
            return StorageError::Failed { storage, action, reason };
        }
        if matches!(seen.status, Some(401 | 403)) || code.contains("Token") {
            return StorageError::Denied { storage, action, reason, cure: cure(code, &seen.message).to_owned() };
        }
        match (error, seen.status) {
            (object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }, _) => {
                StorageError::AlreadyExists { storage, what: self.what.clone() }
            }
            (object_store::Error::NotFound { .. }, _) | (_, Some(404)) => self.not_found(),
            (_, Some(408 | 429 | 500..)) => StorageError::Unreachable { storage, action, reason },
            _ if seen.http.is_some() => StorageError::Unreachable { storage, action, reason },
            _ => StorageError::Failed { storage, action, reason },
        }
    }

    fn action(&self) -> String {
        if self.what.is_empty() { self.action.to_owned() } else { format!("{} {}", self.action, self.what) }
    }
}

/// The variables that say who is asking.
fn identity(storage: &str) -> &'static str {
    match storage.split_once("://") {
        Some(("az", _)) => "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
        Some(("gs", _)) => "GOOGLE_APPLICATION_CREDENTIALS to the file of a service account's key",
        _ => "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    }
}

fn cure(code: &str, message: &str) -> &'static str {
    match code {
        "AuthenticationFailed" | "AuthorizationFailure" if message.contains("failed to authenticate") => {
            "the key does not fit the account: check AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY"
        }
        "InvalidAccessKeyId" | "NotSignedUp" => "the access key is unknown there: check AWS_ACCESS_KEY_ID",
        "SignatureDoesNotMatch" => "the secret does not fit the access key: check AWS_SECRET_ACCESS_KEY",
        "ExpiredToken" | "InvalidToken" | "TokenRefreshRequired" => "renew the session's token and keys",
        "RequestTimeTooSkewed" => "this machine's clock differs from the storage's: set it",
        _ => "let these credentials list, read, write and delete there",
    }
}

/// What can be learned from the chain of causes. The library does not let its types be named, so the answer's status
/// and body are read from the text of the one cause that has them, and nothing else of its texts is used.
#[derive(Default)]
struct Seen {
    /// Of the answer, where there was one.
    status: Option<u16>,
    /// S3's own name for what is wrong, in the answer's body.
    code: String,
    message: String,
    http: Option<HttpErrorKind>,
    io: Option<(io::ErrorKind, String)>,
    /// The innermost cause.
    root: String,
    asked_the_machine: bool,
}

const ANSWERED: [&str; 2] = ["Server returned non-2xx status code: ", "Server returned error response: "];
/// What TLS says on a machine without trusted certificates.
const NO_AUTHORITIES: &str = "No CA certificates were loaded";
/// What the library says where no variable names Azure's account.
const NO_ACCOUNT: &str = "Account must be specified";
/// Where a machine at a provider's tells its own credentials; asked where the variables name none.
const MACHINE: &str = "//169.254.169.254/";

impl Seen {
    fn of(error: &object_store::Error) -> Self {
        let mut seen = Self::default();
        let mut next: Option<&(dyn Error + 'static)> = Some(error);
        while let Some(cause) = next {
            let text = cause.to_string();
            seen.asked_the_machine |= text.contains(MACHINE);
            if let Some(io) = cause.downcast_ref::<io::Error>() {
                seen.io = Some((io.kind(), text.clone()));
            }
            if let Some(http) = cause.downcast_ref::<HttpError>() {
                seen.http = Some(http.kind());
            }
            if let Some(answer) = ANSWERED.iter().find_map(|start| text.strip_prefix(start)) {
                // Without a status it is a success whose body says that it is none.
                seen.status = Some(answer.get(..3).and_then(|digits| digits.parse().ok()).unwrap_or(500));
                seen.code = element(answer, "Code");
                seen.message = element(answer, "Message");
            }
            seen.root = text;
            next = cause.source();
        }
        seen
    }

    /// The storage's own word where it answered, the innermost cause where it did not.
    fn reason(&self) -> String {
        let Some(status) = self.status else { return self.root.clone() };
        // Azure goes on with the request's number and the time.
        let message = self.message.lines().next().unwrap_or_default();
        let words = [status.to_string(), self.code.clone(), message.trim_end_matches('.').to_owned()];
        let words: Vec<String> = words.into_iter().filter(|word| !word.is_empty()).collect();
        words.join(" ").chars().take(300).collect()
    }
}

/// The text of the first element of that name; nothing where there is none.
fn element(xml: &str, name: &str) -> String {
    let text = xml.split_once(&format!("<{name}>")).and_then(|(_, rest)| rest.split_once("</"));
    text.map_or("", |(text, _)| text).to_owned()
}

/// When an object was written.
pub(super) fn instant(meta: &ObjectMeta) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(meta.last_modified.timestamp()).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_absent_is_named() {
        let said =
            |what: &str| StorageError::NotFound { storage: "/backups".to_owned(), what: what.to_owned() }.to_string();
        assert_eq!(said("a/data-1.000"), "there is no a/data-1.000 in /backups");
        assert_eq!(said(""), "/backups is not there: create it, or correct the URL");
    }
}
