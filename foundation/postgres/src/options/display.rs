//! Options for people: without the password.

use std::fmt::{self, Write as _};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{ConnectOptions, Host, RootCertificate};

/// RFC 3986 "unreserved" stays readable.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

impl ConnectOptions {
    /// A URL without the password, for logs and terminals. It connects again where the password comes from the
    /// environment or a password file.
    pub fn redacted(&self) -> String {
        let hosts: Vec<String> = self
            .endpoints
            .iter()
            .map(|endpoint| match &endpoint.host {
                Host::Unix(folder) => format!("{}:{}", escape(&folder.to_string_lossy()), endpoint.port),
                Host::Tcp(_) => endpoint.to_string(),
            })
            .collect();
        let mut url = format!(
            "postgresql://{}@{}/{}?sslmode={}",
            escape(&self.user),
            hosts.join(","),
            escape(&self.database),
            self.sslmode.as_str()
        );
        let mut add = |name: &str, value: &str| {
            // Writing to a String cannot fail.
            let _ = write!(url, "&{name}={}", escape(value));
        };
        match &self.sslrootcert {
            RootCertificate::System { .. } => add("sslrootcert", "system"),
            RootCertificate::File(path) => add("sslrootcert", &path.to_string_lossy()),
            RootCertificate::Default(_) => {}
        }
        if let Some(name) = &self.application_name {
            add("application_name", name);
        }
        url
    }

    /// `host:port`, several separated by commas: which server this is about, and nothing else.
    pub fn host_summary(&self) -> String {
        self.endpoints.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
    }
}

fn escape(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

impl fmt::Debug for ConnectOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `options` may hold settings that are secrets (`-c app.key=…`), so only its presence is shown.
        f.debug_struct("ConnectOptions")
            .field("url", &self.redacted())
            .field("password", &self.password.as_ref().map(|_| "***"))
            .field("options", &if self.options.is_empty() { "" } else { "***" })
            .field("connect_timeout", &self.connect_timeout)
            .field("target_session", &self.target_session)
            .finish_non_exhaustive()
    }
}
