//! The same connection for PostgreSQL's own programs.

use std::path::Path;

use super::{ChannelBinding, ConnectOptions, Host, RootCertificate};

/// Variables of libpq; a program that is started with some must not inherit others.
const ALL: [&str; 22] = [
    "PGHOST",
    "PGHOSTADDR",
    "PGPORT",
    "PGDATABASE",
    "PGUSER",
    "PGPASSWORD",
    "PGPASSFILE",
    "PGSERVICE",
    "PGSERVICEFILE",
    "PGOPTIONS",
    "PGAPPNAME",
    "PGSSLMODE",
    "PGSSLROOTCERT",
    "PGSSLCERT",
    "PGSSLKEY",
    "PGSSLCRL",
    "PGREQUIRESSL",
    "PGCHANNELBINDING",
    "PGCONNECT_TIMEOUT",
    "PGTARGETSESSIONATTRS",
    "PGREQUIREPEER",
    "PGCLIENTENCODING",
];

impl ConnectOptions {
    /// What `pg_dump` and its like have to find in their environment to connect as this does: variables and their values,
    /// `None` where one must not be set. The password goes this way and not by an argument, which everybody could read.
    pub fn program_environment(&self) -> Vec<(&'static str, Option<String>)> {
        let each = |f: &dyn Fn(&super::Endpoint) -> String| {
            Some(self.endpoints.iter().map(f).collect::<Vec<_>>().join(",")).filter(|list| !list.is_empty())
        };
        let path = |path: &Path| path.display().to_string();
        let addresses = self.endpoints.iter().any(|endpoint| endpoint.address.is_some());
        let root = match &self.sslrootcert {
            // libpq knows the word since version 16; a bundle of the same authorities serves all.
            RootCertificate::System { bundle } => Some(bundle.as_deref().map_or("system".to_owned(), path)),
            RootCertificate::File(file) => Some(path(file)),
            RootCertificate::Default(_) => None,
        };
        let value = |name: &str| match name {
            "PGHOST" => each(&|endpoint| match &endpoint.host {
                Host::Tcp(host) => host.clone(),
                Host::Unix(folder) => path(folder),
            }),
            "PGHOSTADDR" if addresses => {
                each(&|endpoint| endpoint.address.map(|address| address.to_string()).unwrap_or_default())
            }
            "PGPORT" => each(&|endpoint| endpoint.port.to_string()),
            "PGDATABASE" => Some(self.database.clone()),
            "PGUSER" => Some(self.user.clone()),
            "PGPASSWORD" => self.password.as_ref().map(|password| password.reveal().to_owned()),
            "PGPASSFILE" => self.passfile.as_deref().map(path),
            "PGOPTIONS" => Some(self.options.clone()).filter(|options| !options.is_empty()),
            "PGAPPNAME" => self.application_name.clone(),
            "PGSSLMODE" => Some(self.sslmode.as_str().to_owned()),
            "PGSSLROOTCERT" => root.clone(),
            "PGSSLCERT" => self.sslcert.as_deref().map(path),
            "PGSSLKEY" => self.sslkey.as_deref().map(path),
            "PGCHANNELBINDING" => Some(
                match self.channel_binding {
                    ChannelBinding::Disable => "disable",
                    ChannelBinding::Prefer => "prefer",
                    ChannelBinding::Require => "require",
                }
                .to_owned(),
            ),
            "PGCONNECT_TIMEOUT" => self.connect_timeout.map(|timeout| timeout.as_secs().max(2).to_string()),
            "PGTARGETSESSIONATTRS" => Some(self.target_session.as_str().to_owned()),
            _ => None,
        };
        ALL.iter().map(|&name| (name, value(name))).collect()
    }
}
