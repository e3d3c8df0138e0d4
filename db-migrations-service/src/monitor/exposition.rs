//! Prometheus's text format, version 0.0.4: <https://prometheus.io/docs/instrumenting/exposition_formats/>.
//!
//! Of our own, since the libraries at hand either write OpenMetrics, whose counters Prometheus's own linter refuses under
//! the exporter's names, or cannot leave a metric's type open.

use std::fmt::Write as _;

/// What a value means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It only grows, from 0 when this process began.
    Counter,
    /// It goes up and down.
    Gauge,
    /// How often values of which size came.
    Histogram,
    /// Left open: for names that others gave, which do not go by the rules for their type.
    Untyped,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Untyped => "untyped",
        }
    }
}

/// The text that grows.
#[derive(Debug, Default)]
pub(super) struct Exposition(String);

impl Exposition {
    /// Begins a metric. It leaves no trace where it gets no values.
    pub(super) fn family(&mut self, name: &'static str, kind: Kind, help: &'static str) -> Family<'_> {
        Family { text: &mut self.0, name, kind, help, begun: false }
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }
}

/// A metric whose values are being written.
#[derive(Debug)]
pub(super) struct Family<'a> {
    text: &'a mut String,
    name: &'static str,
    kind: Kind,
    help: &'static str,
    begun: bool,
}

impl Family<'_> {
    /// Writes one value.
    pub(super) fn value(&mut self, labels: &[(&str, &str)], value: f64) {
        self.line("", labels, None, value);
    }

    /// Writes one value where there is one.
    pub(super) fn value_of(&mut self, labels: &[(&str, &str)], value: Option<f64>) {
        if let Some(value) = value {
            self.value(labels, value);
        }
    }

    /// Writes one histogram: how many values were at most `bounds[i]`, in all, and their sum.
    pub(super) fn histogram(
        &mut self,
        labels: &[(&str, &str)],
        up_to: impl Iterator<Item = (f64, u64)>,
        count: u64,
        sum: f64,
    ) {
        for (bound, n) in up_to {
            self.line("_bucket", labels, Some(bound), n as f64);
        }
        self.line("_bucket", labels, Some(f64::INFINITY), count as f64);
        self.line("_sum", labels, None, sum);
        self.line("_count", labels, None, count as f64);
    }

    // Writing into a String cannot fail.
    fn line(&mut self, suffix: &str, labels: &[(&str, &str)], up_to: Option<f64>, value: f64) {
        let name = self.name;
        if !self.begun {
            let _ = writeln!(self.text, "# HELP {name} {}\n# TYPE {name} {}", self.help, self.kind.word());
            self.begun = true;
        }
        let _ = write!(self.text, "{name}{suffix}");
        let mut sign = '{';
        for (label, value) in labels {
            let _ = write!(self.text, "{sign}{label}=\"");
            escape(self.text, value);
            self.text.push('"');
            sign = ',';
        }
        if let Some(bound) = up_to {
            let bound = if bound.is_infinite() { "+Inf".to_owned() } else { bound.to_string() };
            let _ = write!(self.text, "{sign}le=\"{bound}\"");
            sign = ',';
        }
        let _ = writeln!(self.text, "{} {value}", if sign == ',' { "}" } else { "" });
    }
}

fn escape(text: &mut String, value: &str) {
    for c in value.chars() {
        match c {
            '\\' => text.push_str(r"\\"),
            '"' => text.push_str(r#"\""#),
            '\n' => text.push_str(r"\n"),
            c => text.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_written_once_and_its_values_are_escaped() {
        let mut text = Exposition::default();
        let mut family = text.family("a_bytes", Kind::Gauge, "Some bytes.");
        family.value(&[], 1.5);
        family.value(&[("name", "\"a\\\nb\""), ("other", "ñ")], 0.0);
        text.family("nothing_seconds", Kind::Gauge, "Never seen.");
        assert_eq!(
            text.into_text(),
            "# HELP a_bytes Some bytes.\n# TYPE a_bytes gauge\na_bytes 1.5\na_bytes{name=\"\\\"a\\\\\\nb\\\"\",other=\"ñ\"} 0\n"
        );
    }

    #[test]
    fn a_histogram_has_its_buckets_its_sum_and_its_count() {
        let mut text = Exposition::default();
        let mut family = text.family("run_seconds", Kind::Histogram, "Runs.");
        family.histogram(&[("kind", "run")], [(0.1, 1), (60.0, 2)].into_iter(), 3, 70.25);
        assert_eq!(
            text.into_text(),
            "# HELP run_seconds Runs.\n# TYPE run_seconds histogram\n\
             run_seconds_bucket{kind=\"run\",le=\"0.1\"} 1\nrun_seconds_bucket{kind=\"run\",le=\"60\"} 2\n\
             run_seconds_bucket{kind=\"run\",le=\"+Inf\"} 3\nrun_seconds_sum{kind=\"run\"} 70.25\nrun_seconds_count{kind=\"run\"} 3\n"
        );
    }
}
