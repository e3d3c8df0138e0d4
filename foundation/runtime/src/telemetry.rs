//! Logs to stderr, for people or for machines. Standard output stays free for what a command prints.
//!
//! Traces and metrics are not here.

use std::fmt;
use std::io::IsTerminal;
use std::str::FromStr;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// Text, coloured on a terminal.
    #[default]
    Human,
    /// One JSON object a line.
    Json,
}

impl FromStr for Format {
    type Err = TelemetryError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "human" => Ok(Self::Human),
            "json" => Ok(Self::Json),
            _ => Err(TelemetryError::Format(text.to_owned())),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Human => "human",
            Self::Json => "json",
        })
    }
}

/// Why logging was not set up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TelemetryError {
    /// Not a level.
    #[error(
        "`{0}` is not a log level; write off, error, warn, info, debug or trace, or a list such as `info,tokio_postgres=warn`"
    )]
    Level(String),
    /// Not a format.
    #[error("`{0}` is not a log format; write human or json")]
    Format(String),
    /// Done before.
    #[error("logging was set up before; call init once")]
    Twice,
}

/// Sets the process's logging up, once.
///
/// `level` is a level, or a comma-separated list of `module=level` with a level for all others.
///
/// # Errors
/// A level that does not exist, or logging that was set up before.
pub fn init(level: &str, format: Format) -> Result<(), TelemetryError> {
    let filter = filter(level)?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let result = match format {
        Format::Human => {
            let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
            lines.with_ansi(colours).try_init()
        }
        Format::Json => lines.json().flatten_event(true).try_init(),
    };
    result.map_err(|_| TelemetryError::Twice)
}

/// The filter's own parser takes `inof` for the name of a module and then logs everything of it, so levels are looked
/// at here first.
fn filter(level: &str) -> Result<EnvFilter, TelemetryError> {
    let parts = level.split(',').map(str::trim).filter(|part| !part.is_empty());
    for part in parts.clone() {
        let word = part.rsplit_once('=').map_or(part, |(_, word)| word);
        // An empty word would be the level `error`.
        if word.is_empty() || LevelFilter::from_str(word).is_err() {
            return Err(TelemetryError::Level(part.to_owned()));
        }
    }
    let all = parts.collect::<Vec<_>>().join(",");
    if all.is_empty() {
        return Err(TelemetryError::Level(level.to_owned()));
    }
    EnvFilter::builder().parse(&all).map_err(|_| TelemetryError::Level(level.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_checked() {
        for good in ["info", "OFF", "warn,tokio_postgres=debug", " info , a::b=trace "] {
            assert!(filter(good).is_ok(), "{good}");
        }
        for bad in ["", "inof", "info,x=loud", "x="] {
            assert!(filter(bad).is_err(), "{bad}");
        }
        assert!(filter("inof").expect_err("a typo").to_string().contains("`inof` is not a log level"));
    }

    #[test]
    fn formats_are_words() {
        assert_eq!("json".parse(), Ok(Format::Json));
        assert_eq!(Format::default().to_string().parse(), Ok(Format::Human));
        assert!("xml".parse::<Format>().is_err());
    }
}
