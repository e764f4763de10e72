//! The environment of results: the machine, the compiler and the commit.

use std::{fmt, fs, process::Command, thread::available_parallelism};

use serde::Serialize;

/// The environment of results. A value that cannot be determined is "unknown".
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Machine {
    cores: usize,
    processor: String,
    memory: String,
    kernel: String,
    load_average: String,
    rustc: String,
    commit: String,
}

impl Machine {
    pub(crate) fn here() -> Self {
        Self {
            cores: available_parallelism().map_or(0, usize::from),
            processor: member("/proc/cpuinfo", "model name"),
            memory: member("/proc/meminfo", "MemTotal"),
            kernel: output("uname", &["-sr"]),
            load_average: fs::read_to_string("/proc/loadavg").unwrap_or_else(|_| unknown()).trim().to_owned(),
            rustc: output("rustc", &["--version"]),
            commit: output("git", &["describe", "--always", "--dirty"]),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cores, processor, memory, kernel, load_average, rustc, commit } = self;
        writeln!(f, "{cores} cores of {processor}, {memory}, {kernel}, load {load_average}")?;
        write!(f, "{rustc}, commit {commit}")
    }
}

fn unknown() -> String {
    "unknown".to_owned()
}

fn member(file: &str, name: &str) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix(':'));
    line.map_or_else(unknown, |value| value.trim().to_owned())
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().ok().filter(|output| output.status.success());
    output.map_or_else(unknown, |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
