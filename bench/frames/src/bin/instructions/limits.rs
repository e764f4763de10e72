//! The limits in the repository, and the comparison with them.

use std::{env::consts::ARCH, fmt, fs, process::Command};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::callgrind::Counts;

/// The file of the limits.
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/limits.json");
/// A count this many percent above its limit is too high.
const TOLERANCE: u64 = 3;
/// A count this many percent below its limit calls for a lower limit.
const SLACK: u64 = 15;

/// The instructions that one operation of each scenario may take.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Limits {
    /// The processor architecture.
    architecture: String,
    /// The compiler, as `rustc --version` prints it.
    compiler: String,
    instructions: Counts,
}

/// The counts beside their limits, one row for each scenario.
#[derive(Debug)]
pub(crate) struct Comparison(Vec<Row>);

#[derive(Debug)]
struct Row {
    scenario: String,
    count: Option<u64>,
    limit: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Verdict {
    Kept,
    /// Far below the limit.
    Low,
    TooHigh,
    /// No scenario has this name.
    Unused,
    /// The file has no such scenario.
    Unlimited,
}

/// The compiler, as `rustc --version` prints it.
pub(crate) fn compiler() -> anyhow::Result<String> {
    let output = Command::new("rustc").arg("--version").output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

impl Limits {
    /// Makes the counts of this machine and compiler limits.
    pub(crate) fn of(instructions: Counts) -> anyhow::Result<Self> {
        Ok(Self { architecture: ARCH.to_owned(), compiler: compiler()?, instructions })
    }

    /// Reads the file.
    pub(crate) fn read() -> anyhow::Result<Self> {
        let text = fs::read_to_string(FILE).with_context(|| format!("cannot read {FILE}"))?;
        serde_json::from_str(&text).with_context(|| format!("{FILE} is malformed"))
    }

    /// Writes the file.
    pub(crate) fn write(&self) -> anyhow::Result<()> {
        Ok(fs::write(FILE, serde_json::to_string_pretty(self)? + "\n")?)
    }

    pub(crate) fn architecture(&self) -> &str {
        &self.architecture
    }

    pub(crate) fn compiler(&self) -> &str {
        &self.compiler
    }

    pub(crate) fn are_for_this_architecture(&self) -> bool {
        self.architecture == ARCH
    }

    pub(crate) fn compare(&self, counts: &Counts) -> Comparison {
        let row = |scenario: &String| Row {
            scenario: scenario.clone(),
            count: counts.get(scenario).copied(),
            limit: self.instructions.get(scenario).copied(),
        };
        let unused = self.instructions.keys().filter(|scenario| !counts.contains_key(*scenario));
        Comparison(counts.keys().chain(unused).map(row).collect())
    }
}

impl Row {
    /// How far the count is above its limit, in percent.
    fn above(&self) -> Option<f64> {
        Some((self.count? as f64 / self.limit? as f64 - 1.0) * 100.0)
    }

    fn verdict(&self) -> Verdict {
        match (self.count, self.limit) {
            (Some(count), Some(limit)) if count * 100 > limit * (100 + TOLERANCE) => Verdict::TooHigh,
            (Some(count), Some(limit)) if count * 100 < limit * (100 - SLACK) => Verdict::Low,
            (Some(_), Some(_)) => Verdict::Kept,
            (Some(_), None) => Verdict::Unlimited,
            (None, _) => Verdict::Unused,
        }
    }
}

impl Comparison {
    /// Whether a count is too high, or the scenarios and the limits differ.
    pub(crate) fn fails(&self) -> bool {
        self.0.iter().any(|row| !matches!(row.verdict(), Verdict::Kept | Verdict::Low))
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<40} {:>12} {:>9}", "instructions for one operation", "count", "limit")?;
        for row in &self.0 {
            let number = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
            write!(f, "\n{:<40} {:>12} {:>9}", row.scenario, number(row.count), number(row.limit))?;
            if let Some(above) = row.above() {
                write!(f, " {above:>+6.1} %")?;
            }
            f.write_str(match row.verdict() {
                Verdict::Kept => "",
                Verdict::Low => "  far below: lower the limit with `bench/frames/instructions --write`",
                Verdict::TooHigh => "  TOO HIGH",
                Verdict::Unlimited => "  HAS NO LIMIT: add one with `bench/frames/instructions --write`",
                Verdict::Unused => "  NO SUCH SCENARIO: remove the limit with `bench/frames/instructions --write`",
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scenario;

    fn verdict(count: Option<u64>, limit: Option<u64>) -> (Verdict, bool) {
        let counts = |number: Option<u64>| number.into_iter().map(|number| ("a".to_owned(), number)).collect();
        let limits = Limits { architecture: ARCH.to_owned(), compiler: String::new(), instructions: counts(limit) };
        let comparison = limits.compare(&counts(count));
        (comparison.0[0].verdict(), comparison.fails())
    }

    #[test]
    fn a_count_fails_above_three_percent_of_its_limit() {
        assert_eq!(verdict(Some(10_000), Some(10_000)), (Verdict::Kept, false));
        assert_eq!(verdict(Some(10_300), Some(10_000)), (Verdict::Kept, false));
        assert_eq!(verdict(Some(10_301), Some(10_000)), (Verdict::TooHigh, true));
    }

    #[test]
    fn a_count_far_below_its_limit_calls_for_a_lower_limit() {
        assert_eq!(verdict(Some(8_500), Some(10_000)), (Verdict::Kept, false));
        assert_eq!(verdict(Some(8_499), Some(10_000)), (Verdict::Low, false));
    }

    #[test]
    fn scenarios_and_limits_must_match() {
        assert_eq!(verdict(Some(1), None), (Verdict::Unlimited, true));
        assert_eq!(verdict(None, Some(1)), (Verdict::Unused, true));
    }

    #[test]
    fn every_scenario_has_a_limit() {
        let limits = Limits::read().unwrap();
        let mut names: Vec<String> = Scenario::all().into_iter().map(|scenario| scenario.name).collect();
        names.sort();
        assert_eq!(limits.instructions.into_keys().collect::<Vec<_>>(), names);
    }
}
