//! Runs this program under callgrind, and reads the counts.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context as _;

use crate::scenario::Scenario;

/// Instructions for one operation, by the scenario's name.
pub(crate) type Counts = BTreeMap<String, u64>;

/// The name of [`count_instructions`], without its path.
const COUNTED: &str = "*count_instructions";

/// Keeps the C library from choosing its copies and comparisons of memory by the processor, which changes counts by up to
/// 2.3 %.
const SAME_ON_EVERY_PROCESSOR: &str = "glibc.cpu.hwcaps=-AVX2,-AVX,-AVX_Fast_Unaligned_Load,-BMI2,-ERMS,-FSRM";

/// Does the work of the scenarios. Callgrind counts the instructions of a call of this function, apart from those of any
/// other call.
#[inline(never)]
pub(crate) fn count_instructions(work: &mut dyn FnMut() -> usize) -> usize {
    work()
}

/// Counts the instructions for one operation of each scenario.
///
/// # Errors
/// If valgrind is missing or fails, or its output is not as expected. The profiles stay beside this program, for
/// `callgrind_annotate`.
pub(crate) fn count(scenarios: &[Scenario]) -> anyhow::Result<Counts> {
    let program = env::current_exe()?;
    let profile = program.with_extension("callgrind");
    for (_, previous) in profiles(&profile)? {
        fs::remove_file(previous)?;
    }
    let output = Command::new("valgrind")
        .args(["--quiet", "--tool=callgrind", &format!("--callgrind-out-file={}", profile.display())])
        .args([format!("--zero-before={COUNTED}"), format!("--dump-after={COUNTED}")])
        .arg(&program)
        .arg("--run")
        .env("GLIBC_TUNABLES", SAME_ON_EVERY_PROCESSOR)
        .output()
        .context("cannot run valgrind, which is a package of Debian")?;
    anyhow::ensure!(
        output.status.success(),
        "valgrind ended with {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    let profiles = profiles(&profile)?;
    anyhow::ensure!(
        profiles.len() == scenarios.len(),
        "callgrind made {} profiles of {} scenarios",
        profiles.len(),
        scenarios.len()
    );
    scenarios
        .iter()
        .zip(profiles)
        .map(|(scenario, (_, profile))| {
            let total =
                total(&fs::read_to_string(&profile)?).with_context(|| format!("no count in {}", profile.display()))?;
            Ok((scenario.name.clone(), total / scenario.operations()))
        })
        .collect()
}

/// The profiles of the calls, in order. Callgrind appends the number of the call to the name. The profile of the rest of
/// the program has no number.
fn profiles(profile: &Path) -> anyhow::Result<Vec<(u32, PathBuf)>> {
    let directory = profile.parent().context("the program has no directory")?;
    let name = profile.file_name().and_then(|name| name.to_str()).context("the program's name is not Unicode")?;
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let number =
            entry.file_name().to_str().and_then(|file| file.strip_prefix(name)?.strip_prefix('.')?.parse().ok());
        found.extend(number.map(|number| (number, entry.path())));
    }
    found.sort();
    Ok(found)
}

/// The instructions of a profile.
fn total(profile: &str) -> Option<u64> {
    profile.lines().find_map(|line| line.strip_prefix("summary:"))?.trim().parse().ok()
}
