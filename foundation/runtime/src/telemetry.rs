//! Logs to stderr, for people or for machines, without the secrets that may be in them; standard output stays free for
//! what a command prints. Traces go to a collector where one is named.
//!
//! Metrics are not here.

mod redact;
mod traces;

use std::fmt;
use std::io::IsTerminal;
use std::str::FromStr;

use tracing::Metadata;
use tracing_subscriber::filter::{FilterExt as _, LevelFilter, filter_fn};
use tracing_subscriber::fmt::{MakeWriter, layer};
use tracing_subscriber::layer::Filter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use redact::Redacting;
pub use redact::{redact, redact_statement};
use traces::Exporting;
pub use traces::TraceExport;

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
    /// Nowhere to send traces to.
    #[error("traces cannot be sent: {0}; check OTEL_EXPORTER_OTLP_ENDPOINT")]
    Traces(String),
    /// Done before.
    #[error("logging was set up before; call init once")]
    Twice,
}

/// Keeps what was set up; sends the last traces when it is dropped, which must not happen on a thread of a runtime.
#[derive(Debug, Default)]
#[must_use = "what is traced is sent when it is dropped"]
pub struct Telemetry(#[expect(dead_code, reason = "dropped at the end")] Option<Exporting>);

/// Sets the process's logging up, once; not on a thread of a runtime where there are traces to send.
///
/// `level` is a level, or a comma-separated list of `module=level` with a level for all others. Of other crates than `ours`, by
/// their names in paths, nothing below `info` is logged, whatever it says: there libraries write what they send and receive,
/// headers, statements and parameters as they are, in which nobody could tell what is a secret.
///
/// # Errors
/// A level that does not exist, an endpoint for traces that cannot be used, or logging that was set up before.
pub fn init(
    level: &str,
    format: Format,
    traces: Option<&TraceExport>,
    ours: &'static [&'static str],
) -> Result<Telemetry, TelemetryError> {
    let filter = filter(level)?.and(without_wires(ours));
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    let lines = lines(format, colours, std::io::stderr);
    let registry = tracing_subscriber::registry().with(lines.with_filter(filter));
    let exporting = traces.map(Exporting::to).transpose()?;
    let result = match &exporting {
        Some(exporting) => registry.with(exporting.layer().with_filter(filter_fn(traces::is_traced))).try_init(),
        None => registry.try_init(),
    };
    result.map(|()| Telemetry(exporting)).map_err(|_| TelemetryError::Twice)
}

/// Lines in this format without their secrets.
fn lines<M>(format: Format, colours: bool, to: M) -> Box<dyn Layer<Registry> + Send + Sync>
where
    M: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let layer = layer().with_writer(Redacting(to));
    match format {
        Format::Human => layer.with_ansi(colours).boxed(),
        Format::Json => layer.json().flatten_event(true).boxed(),
    }
}

/// What libraries say below `info` is left out.
fn without_wires<S>(ours: &'static [&'static str]) -> impl Filter<S> + Send + Sync {
    let is_ours = |target: &str| ours.contains(&target.split("::").next().unwrap_or_default());
    let may_be_seen =
        move |metadata: &Metadata<'_>| *metadata.level() <= LevelFilter::INFO || is_ours(metadata.target());
    // With a hint, since two filters have one only where both have.
    filter_fn(may_be_seen).with_max_level_hint(LevelFilter::TRACE)
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
