//! A Postgres server of our own, for the demo and for tests: in a temporary directory, on loopback, gone afterwards.

use std::{
    fs, io,
    net::TcpListener,
    os::unix::{
        fs::chown,
        process::{CommandExt as _, ExitStatusExt as _},
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;

/// Where Debian installs the servers, each version in its own directory.
const INSTALLED: &str = "/usr/lib/postgresql";
/// The oldest version that works.
const OLDEST: u32 = 15;
/// How long the server may take to start or to end.
const WITHIN: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(20);
const USER: &str = "tertulia";

/// Why no server could be started.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// There is no server, or only an older one.
    #[error("no Postgres {OLDEST} or newer was found; install one, for example with `apt-get install postgresql`")]
    Missing,
    /// The system refused an operation.
    #[error("cannot {operation}")]
    System {
        /// The operation.
        operation: &'static str,
        /// The system's error.
        source: io::Error,
    },
    /// A program of the server failed.
    #[error("{program} failed: {output}")]
    Failed {
        /// The program.
        program: &'static str,
        /// The end of its output.
        output: String,
    },
}

fn system(operation: &'static str) -> impl FnOnce(io::Error) -> PostgresError {
    move |source| PostgresError::System { operation, source }
}

/// A running server with an empty database. Dropping it stops the server and deletes its data.
#[derive(Debug)]
pub struct TemporaryPostgres {
    programs: PathBuf,
    directory: TempDir,
    /// Whom the server runs as, if this process is root: Postgres refuses to run as root.
    user: Option<Account>,
    port: u16,
    password: String,
    server: Option<Child>,
}

#[derive(Clone, Copy, Debug)]
struct Account {
    user: u32,
    group: u32,
}

impl TemporaryPostgres {
    /// Starts a server and waits until it accepts sessions. Blocks.
    ///
    /// # Errors
    /// [`PostgresError`].
    pub fn start() -> Result<Self, PostgresError> {
        let programs = programs().ok_or(PostgresError::Missing)?;
        let directory = tempfile::Builder::new().prefix("tertulia-postgres-").tempdir();
        let directory = directory.map_err(system("make a temporary directory"))?;
        let user = if geteuid().is_root() { Some(account()?) } else { None };
        if let Some(Account { user, group }) = user {
            chown(directory.path(), Some(user), Some(group)).map_err(system("give the directory to the server"))?;
        }
        let listener = TcpListener::bind("127.0.0.1:0").map_err(system("find a free port"))?;
        let port = listener.local_addr().map_err(system("find a free port"))?.port();
        drop(listener);
        let password = format!("{:032x}", rand::random::<u128>());
        let mut postgres = Self { programs, directory, user, port, password, server: None };
        postgres.initialize()?;
        postgres.restart()?;
        Ok(postgres)
    }

    /// The address of the database, with its user and password.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://{USER}:{}@127.0.0.1:{}/postgres", self.password, self.port)
    }

    /// The port that the server listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Kills the server as a crash of its machine would, without a chance to write anything.
    pub fn kill(&mut self) {
        let Some(mut server) = self.server.take() else { return };
        // The server's processes end by themselves when the first one is gone.
        let _ = server.kill();
        let _ = server.wait();
    }

    /// Starts the server again after [`Self::kill`], and waits until it accepts sessions.
    ///
    /// # Errors
    /// [`PostgresError`].
    pub fn restart(&mut self) -> Result<(), PostgresError> {
        self.stop();
        let log = fs::File::create(self.log()).map_err(system("make the log of the server"))?;
        let deadline = Instant::now() + WITHIN;
        loop {
            let mut command = self.command("postgres");
            command.arg("-D").arg(self.data()).arg("-k").arg(self.directory.path());
            let port = format!("port={}", self.port);
            for setting in
                ["listen_addresses=127.0.0.1", &port, "fsync=on", "max_connections=200", "shared_buffers=64MB"]
            {
                command.args(["-c", setting]);
            }
            let again = || log.try_clone().map_err(system("make the log of the server"));
            command.stdin(Stdio::null()).stdout(again()?).stderr(again()?);
            let mut server = command.spawn().map_err(system("start postgres"))?;
            while Instant::now() < deadline {
                if self.is_ready(&server) {
                    self.server = Some(server);
                    return Ok(());
                }
                if let Some(status) = server.try_wait().map_err(system("wait for postgres"))? {
                    tracing::debug!(?status, signal = ?status.signal(), "postgres ended at once");
                    break;
                }
                thread::sleep(LOOK_EVERY);
            }
            if Instant::now() >= deadline {
                let _ = server.kill();
                let _ = server.wait();
                return Err(PostgresError::Failed { program: "postgres", output: self.end_of_log() });
            }
            // Processes of a killed server may hold its memory for a moment; a new one refuses to start until then.
            thread::sleep(LOOK_EVERY);
        }
    }

    fn initialize(&self) -> Result<(), PostgresError> {
        let file = self.directory.path().join("password");
        fs::write(&file, &self.password).map_err(system("write the password"))?;
        if let Some(Account { user, group }) = self.user {
            chown(&file, Some(user), Some(group)).map_err(system("write the password"))?;
        }
        let mut command = self.command("initdb");
        command.arg("-D").arg(self.data()).args(["-U", USER, "--auth=scram-sha-256", "--locale=C", "--encoding=UTF8"]);
        command.arg("--no-sync").arg(format!("--pwfile={}", file.display()));
        let output = command.stdin(Stdio::null()).output().map_err(system("run initdb"))?;
        if output.status.success() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(PostgresError::Failed { program: "initdb", output: text })
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        // A working directory that the server's user may not read makes its programs complain.
        command.current_dir(self.directory.path()).env("TZ", "UTC").process_group(0);
        if let Some(Account { user, group }) = self.user {
            command.uid(user).gid(group);
        }
        command
    }

    /// The server writes its state into the eighth line of its file.
    fn is_ready(&self, server: &Child) -> bool {
        let text = fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
        let is_its = text.lines().next().is_some_and(|line| line.trim() == server.id().to_string());
        is_its && text.lines().nth(7).is_some_and(|line| line.trim() == "ready")
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn log(&self) -> PathBuf {
        self.directory.path().join("log")
    }

    fn end_of_log(&self) -> String {
        let text = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(5)..].join("; ")
    }

    /// Stops the server: open sessions are ended.
    fn stop(&mut self) {
        let Some(mut server) = self.server.take() else { return };
        let id = i32::try_from(server.id()).ok().and_then(Pid::from_raw);
        // SIGINT is the server's fast shutdown.
        let asked = id.is_some_and(|id| kill_process(id, Signal::INT).is_ok());
        let deadline = Instant::now() + WITHIN;
        while asked && Instant::now() < deadline {
            if !matches!(server.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(LOOK_EVERY);
        }
        let _ = server.kill();
        let _ = server.wait();
    }
}

impl Drop for TemporaryPostgres {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The directory with the programs of the newest server.
fn programs() -> Option<PathBuf> {
    let installed = fs::read_dir(INSTALLED).into_iter().flatten().flatten();
    let version = |entry: &fs::DirEntry| entry.file_name().to_str()?.parse::<u32>().ok();
    let versions = installed.filter_map(|entry| Some((version(&entry)?, entry.path().join("bin"))));
    let usable = versions.filter(|(version, programs)| *version >= OLDEST && has_programs(programs));
    if let Some((_, programs)) = usable.max_by_key(|(version, _)| *version) {
        return Some(programs);
    }
    // Elsewhere the programs of one version are on the path.
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).find(|programs| has_programs(programs))
}

fn has_programs(directory: &Path) -> bool {
    ["initdb", "postgres"].iter().all(|program| directory.join(program).is_file())
}

/// The account of the server, from the system's list of users.
fn account() -> Result<Account, PostgresError> {
    let users = fs::read_to_string("/etc/passwd").map_err(system("read the list of users"))?;
    let find = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some(Account { user: fields.next()?.parse().ok()?, group: fields.next()?.parse().ok()? })
    };
    let missing =
        || PostgresError::Failed { program: "postgres", output: "there is no user `postgres` or `nobody`".into() };
    find("postgres").or_else(|| find("nobody")).ok_or_else(missing)
}
