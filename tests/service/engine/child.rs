//! Tests that need a second process: the test's own program again, which knows its part by a variable.

use std::{
    env,
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
    process::{ChildStdout, Command, Stdio},
};

use crate::running::process::OwnedChild;

const DIRECTORY: &str = "TERTULIA_TEST_DIRECTORY";

/// A second process; it does not outlive the test.
pub(crate) struct Child {
    process: OwnedChild,
    output: BufReader<ChildStdout>,
}

/// In the second process, the directory that it was started with.
pub(crate) fn directory() -> Option<PathBuf> {
    env::var_os(DIRECTORY).map(PathBuf::from)
}

impl Child {
    /// Runs `test` in a process of its own, where [`directory`] is `directory`.
    pub(crate) fn start(test: &str, directory: &Path) -> Self {
        // A file that grows over the process's limit is an error there and not the end of it.
        let mut command = Command::new("sh");
        command
            .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
            .arg(env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture"])
            .env(DIRECTORY, directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut process = OwnedChild::start(&mut command);
        let output = BufReader::new(process.stdout.take().unwrap());
        Self { process, output }
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// The rest of the next line that begins with `name`; `None` if the process has ended.
    pub(crate) fn told(&mut self, name: &str) -> Option<String> {
        // The last line may have been cut off.
        self.output.by_ref().lines().map_while(Result::ok).find_map(|line| Some(line.strip_prefix(name)?.to_owned()))
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}
