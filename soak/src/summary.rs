//! What a tired person reads at the end.

use std::fmt;
use std::time::Duration;

use crate::verdict::Finding;

/// Deviations of one kind that are told.
const TOLD: usize = 12;

/// How it went.
pub struct Summary {
    /// What everything was drawn from.
    pub seed: u64,
    /// How much was drawn.
    pub steps: usize,
    /// From the first step to the healing.
    pub length: Duration,
    /// From the healing to the verdict.
    pub mending: Duration,
    /// Part by part.
    pub findings: Vec<Finding>,
}

impl Summary {
    /// Whether nothing is wrong.
    pub fn is_well(&self) -> bool {
        self.findings.iter().all(|finding| finding.deviations.is_empty())
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            let mark = if finding.deviations.is_empty() { "✓" } else { "✗" };
            writeln!(f, "{mark} {}", finding.what)?;
            for deviation in finding.deviations.iter().take(TOLD) {
                writeln!(f, "    {deviation}")?;
            }
            if finding.deviations.len() > TOLD {
                writeln!(f, "    and {} more", finding.deviations.len() - TOLD)?;
            }
        }
        let (length, mending) = (self.length.as_secs(), self.mending.as_secs());
        write!(f, "Seed {}: {} steps in {length} s, mended and looked over in {mending} s.", self.seed, self.steps)?;
        match self.findings.iter().flat_map(|finding| &finding.deviations).next() {
            None => write!(f, " All is well."),
            Some(first) => write!(f, "\nNOT WELL: {first}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_thing_wrong_is_the_last_thing_said() {
        let finding = |deviations: &[&str]| Finding {
            what: "targets: 3".to_owned(),
            deviations: deviations.iter().map(|text| (*text).to_owned()).collect(),
        };
        let (length, mending) = (Duration::from_mins(1), Duration::from_secs(2));
        let of = |findings| Summary { seed: 7, steps: 9, length, mending, findings };
        let well = of(vec![finding(&[])]);
        assert!(well.is_well() && well.to_string().ends_with("All is well."), "{well}");
        let wrong = of(vec![finding(&[]), finding(&["a is left", "b is left"])]);
        assert!(!wrong.is_well() && wrong.to_string().ends_with("NOT WELL: a is left"), "{wrong}");
        assert!(wrong.to_string().contains("✗ targets: 3\n    a is left\n    b is left\n"), "{wrong}");
    }
}
