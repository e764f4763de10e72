//! A Postgres server for a demo or a test: in a temporary directory, on loopback, and gone with its owner.

use std::{
    collections::BTreeSet,
    env, fs, io,
    io::Write as _,
    net::{Ipv4Addr, TcpListener},
    os::unix::{fs::chown, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, geteuid, kill_process};
use uuid::Uuid;

/// The oldest version that has everything the engine uses.
const OLDEST: u32 = 15;
/// Where packages put the programs, one directory for each version.
const PACKAGED: [(&str, &str); 2] = [("/usr/lib/postgresql", ""), ("/usr", "pgsql-")];
/// The users that may run the server for root, in this order: Postgres refuses to run as root.
const USERS: [&str; 2] = ["postgres", "nobody"];
/// How long a server may take until it accepts sessions, also after it must repair its files.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How long a server may take to stop before it is killed.
const STOPPED_WITHIN: Duration = Duration::from_secs(10);
/// The interval between looks at the state of the server.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How many ports are tried: another program may take a free port before the server does.
const PORTS: u32 = 5;

/// Ends the server and removes its directory if the program dies without doing so: the program then holds the other end
/// of the standard input no more. A line on the standard input says that the program does both by itself.
const SCRIPT: &str = r#"
exec 3<&0 </dev/null
( trap '' INT QUIT TERM
  read -r _ <&3 && exit 0
  kill -QUIT $$
  while kill -0 $$ 2>/dev/null; do sleep 0.1; done
  rm -rf "$0" ) &
exec "$@" 3<&-
"#;

/// Why there is no server.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// The programs are not installed.
    #[error(
        "Postgres {OLDEST} or newer is not installed: install the package postgresql, or put initdb and postgres on PATH"
    )]
    Missing,
    /// Root has no user that may run the server.
    #[error("Postgres does not run as root, and neither the user postgres nor the user nobody exists")]
    NoUser,
    /// A file or a process of the server failed.
    #[error("cannot {action}: {source}")]
    System {
        /// What failed.
        action: &'static str,
        /// The reason.
        source: io::Error,
    },
    /// A program of Postgres failed.
    #[error("{program} failed: {output}")]
    Failed {
        /// The program.
        program: &'static str,
        /// The end of its output.
        output: String,
    },
}

/// A Postgres server of version 15 or newer in a temporary directory. It listens on loopback only, demands a random
/// password, and makes commits durable (`fsync = on`). Dropping it stops the server and removes the directory. Also a
/// program that is killed leaves no server behind.
///
/// All calls block.
#[derive(Debug)]
pub struct TemporaryPostgres {
    directory: tempfile::TempDir,
    programs: PathBuf,
    user: Option<User>,
    password: String,
    port: u16,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    server: Child,
    /// Its end makes the script stop the server.
    owner: ChildStdin,
}

/// A user that runs the server in the place of root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct User {
    id: u32,
    group: u32,
}

impl TemporaryPostgres {
    /// Starts a server in the system's directory for temporary files, and waits until the server accepts sessions.
    ///
    /// # Errors
    /// [`PostgresError`].
    pub fn start() -> Result<Self, PostgresError> {
        Self::start_in(&env::temp_dir())
    }

    /// Starts a server in a new directory inside `parent`, and waits until the server accepts sessions.
    ///
    /// # Errors
    /// [`PostgresError`].
    pub fn start_in(parent: &Path) -> Result<Self, PostgresError> {
        let programs = programs().ok_or(PostgresError::Missing)?;
        let user = if geteuid().is_root() { Some(user()?) } else { None };
        let directory = tempfile::Builder::new()
            .prefix("tertulia-postgres-")
            .tempdir_in(parent)
            .map_err(failed("make a directory for Postgres"))?;
        let password = Uuid::new_v4().simple().to_string();
        let mut postgres = Self { directory, programs, user, password, port: 0, running: None };
        postgres.make_files()?;
        for attempt in 1.. {
            postgres.port = free_port()?;
            match postgres.run() {
                Err(_) if attempt < PORTS && !is_free(postgres.port) => {}
                outcome => return outcome.map(|()| postgres),
            }
        }
        unreachable!("the last attempt returns")
    }

    /// The address with the user and the password, as `[engine] url` has it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://postgres:{}@{}:{}/postgres?sslmode=disable", self.password, Ipv4Addr::LOCALHOST, self.port)
    }

    /// The port on loopback, which stays the same after a restart.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Kills the server and its sessions (SIGKILL), as a failure of the machine would. Returns when all of them are gone.
    /// Does nothing if the server does not run.
    pub fn kill(&mut self) {
        let Some(Running { mut server, mut owner }) = self.running.take() else { return };
        // The script must not touch the directory. It may be gone already.
        let _ = writeln!(owner);
        let sessions = kill_with_children(&server);
        let _ = server.wait();
        wait_until(STOPPED_WITHIN, || sessions.iter().all(|id| !exists(*id)));
    }

    /// Starts the server again at the same port, after [`Self::kill`] or instead of it, and waits until the server
    /// accepts sessions.
    ///
    /// # Errors
    /// [`PostgresError`].
    pub fn restart(&mut self) -> Result<(), PostgresError> {
        self.kill();
        self.run()
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn log(&self) -> PathBuf {
        self.directory.path().join("log")
    }

    fn make_files(&self) -> Result<(), PostgresError> {
        let secret = self.directory.path().join("password");
        fs::write(&secret, &self.password).map_err(failed("write the password of Postgres"))?;
        if let Some(User { id, group }) = self.user {
            for path in [self.directory.path(), &secret] {
                chown(path, Some(id), Some(group)).map_err(failed("give the directory to the user of Postgres"))?;
            }
        }
        let mut initdb = self.command(self.programs.join("initdb"));
        initdb.args(["--username=postgres", "--auth=scram-sha-256", "--encoding=UTF8", "--no-locale", "--no-sync"]);
        initdb.arg("--pgdata").arg(self.data()).arg("--pwfile").arg(&secret);
        let Output { status, stdout, stderr } = initdb.output().map_err(failed("run initdb"))?;
        if status.success() {
            return Ok(());
        }
        let output = [String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr)].concat();
        Err(PostgresError::Failed { program: "initdb", output: last_lines(&output) })
    }

    fn run(&mut self) -> Result<(), PostgresError> {
        let log = fs::File::create(self.log()).map_err(failed("write the log of Postgres"))?;
        let errors = log.try_clone().map_err(failed("write the log of Postgres"))?;
        // A server that was killed leaves the file, which says that it is ready.
        let state = self.data().join("postmaster.pid");
        match fs::remove_file(&state) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed("remove the state of the previous server")(error));
            }
            _ => {}
        }
        let mut command = self.command("/bin/sh");
        command.args(["-c", SCRIPT]).arg(self.directory.path()).arg(self.programs.join("postgres"));
        command.arg("-D").arg(self.data()).arg("-p").arg(self.port.to_string());
        for setting in [
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "fsync=on",
            "synchronous_commit=on",
            "max_connections=300",
            "restart_after_crash=on",
        ] {
            command.arg("-c").arg(setting);
        }
        // A group of its own: an interrupt at the terminal is for the program, which stops the server at the end.
        command.process_group(0).stdin(Stdio::piped()).stdout(log).stderr(errors);
        let mut server = command.spawn().map_err(failed("run postgres"))?;
        let Some(owner) = server.stdin.take() else {
            return Err(failed("run postgres")(io::ErrorKind::BrokenPipe.into()));
        };
        let running = self.running.insert(Running { server, owner });
        let mut ended = None;
        let decided = wait_until(READY_WITHIN, || {
            ended = running.server.try_wait().ok().flatten();
            ended.is_some() || is_ready(&state)
        });
        if decided && ended.is_none() {
            return Ok(());
        }
        self.kill();
        let output = fs::read_to_string(self.log()).unwrap_or_default();
        Err(PostgresError::Failed { program: "postgres", output: last_lines(&output) })
    }

    /// A command that runs as the user of the server, in a directory which that user may read.
    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.directory.path()).env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C");
        command.stdin(Stdio::null());
        if let Some(User { id, group }) = self.user {
            command.uid(id).gid(group);
        }
        command
    }
}

impl Drop for TemporaryPostgres {
    fn drop(&mut self) {
        let Some(Running { mut server, mut owner }) = self.running.take() else { return };
        let _ = writeln!(owner);
        // Sessions end at once, and nothing is written: the files are removed anyway.
        signal(server.id(), Signal::QUIT);
        if !wait_until(STOPPED_WITHIN, || !matches!(server.try_wait(), Ok(None))) {
            kill_with_children(&server);
            let _ = server.wait();
        }
    }
}

/// The directory with the programs of the newest version.
fn programs() -> Option<PathBuf> {
    let packaged = PACKAGED.iter().flat_map(|(parent, prefix)| {
        let entries = fs::read_dir(parent).into_iter().flatten().flatten();
        let versions = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix));
        versions.map(|version| version.path().join("bin")).collect::<Vec<_>>()
    });
    // A program on PATH may be a link to the program, which finds its files relative to its own directory.
    let path = env::var_os("PATH").unwrap_or_default();
    let linked: Vec<PathBuf> = env::split_paths(&path)
        .filter_map(|directory| Some(directory.join("initdb").canonicalize().ok()?.parent()?.to_owned()))
        .collect();
    let all = packaged.chain(linked).filter(|directory| directory.join("initdb").is_file());
    let versions = all.filter_map(|directory| Some((version(&directory.join("postgres"))?, directory)));
    // Of equal versions the first one is taken: a program on PATH may be a wrapper.
    let newest = versions.filter(|(version, _)| *version >= OLDEST).reduce(|a, b| if b.0 > a.0 { b } else { a });
    newest.map(|(_, directory)| directory)
}

fn version(program: &Path) -> Option<u32> {
    let output = Command::new(program).arg("--version").stdin(Stdio::null()).output().ok()?;
    major(&String::from_utf8_lossy(&output.stdout))
}

/// Reads the first number of a text such as `postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)`.
fn major(text: &str) -> Option<u32> {
    let number = text.split_whitespace().find(|word| word.starts_with(|first: char| first.is_ascii_digit()))?;
    let digits = number.find(|character: char| !character.is_ascii_digit()).unwrap_or(number.len());
    number[..digits].parse().ok()
}

fn user() -> Result<User, PostgresError> {
    let users = fs::read_to_string("/etc/passwd").map_err(failed("read the users of the system"))?;
    USERS.iter().find_map(|name| find_user(&users, name)).ok_or(PostgresError::NoUser)
}

fn find_user(users: &str, name: &str) -> Option<User> {
    users.lines().find_map(|line| match line.split(':').collect::<Vec<_>>()[..] {
        [user, _, id, group, ..] if user == name => Some(User { id: id.parse().ok()?, group: group.parse().ok()? }),
        _ => None,
    })
}

fn free_port() -> Result<u16, PostgresError> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed("find a free port"))?;
    Ok(listener.local_addr().map_err(failed("find a free port"))?.port())
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// Whether the server wrote into its state file that it accepts sessions: the eighth line.
fn is_ready(state: &Path) -> bool {
    fs::read_to_string(state).is_ok_and(|lines| lines.lines().nth(7).is_some_and(|status| status.trim() == "ready"))
}

/// Kills a server and the processes of its sessions, and returns the latter's ids. The server is stopped first, so that it
/// begins no other session meanwhile.
fn kill_with_children(server: &Child) -> Vec<u32> {
    signal(server.id(), Signal::STOP);
    let children = children(server.id());
    for id in children.iter().copied().chain([server.id()]) {
        signal(id, Signal::KILL);
    }
    children
}

fn children(parent: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let ids: BTreeSet<u32> = ids.collect();
    ids.into_iter().filter(|id| parent_of(*id) == Some(parent)).collect()
}

/// The parent of a process that has not ended: the second field after the name, which may contain anything.
fn parent_of(id: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    if state == "Z" { None } else { fields.next()?.parse().ok() }
}

fn exists(id: u32) -> bool {
    parent_of(id).is_some()
}

fn signal(id: u32, signal: Signal) {
    if let Some(id) = i32::try_from(id).ok().and_then(Pid::from_raw) {
        // A process that is gone needs no signal.
        let _ = kill_process(id, signal);
    }
}

/// Looks until the condition holds; `false` if it never did.
fn wait_until(within: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + within;
    loop {
        if holds() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        thread::sleep(LOOK_EVERY);
    }
}

fn failed(action: &'static str) -> impl FnOnce(io::Error) -> PostgresError {
    move |source| PostgresError::System { action, source }
}

fn last_lines(text: &str) -> String {
    const SHOWN: usize = 5;
    let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(SHOWN)..].join("; ")
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    /// Whether the server answers at the protocol: it answers a request for encryption with one letter.
    fn answers(port: u16) -> bool {
        use io::Read as _;
        let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { return false };
        let mut answer = [0];
        stream.write_all(&[0, 0, 0, 8, 4, 210, 22, 47]).and_then(|()| stream.read_exact(&mut answer)).is_ok()
            && b"NS".contains(&answer[0])
    }

    #[test]
    fn a_server_answers_is_killed_answers_again_and_leaves_nothing() {
        let mut postgres = TemporaryPostgres::start().unwrap();
        let (port, directory) = (postgres.port(), postgres.directory.path().to_owned());
        assert!(answers(port) && postgres.url().contains(&format!("127.0.0.1:{port}/")));
        postgres.kill();
        assert!(!answers(port));
        postgres.restart().unwrap();
        assert!(answers(port) && postgres.port() == port);
        let server = postgres.running.as_ref().unwrap().server.id();
        drop(postgres);
        assert!(!answers(port) && !exists(server) && !directory.exists());
    }

    #[test]
    fn a_server_ends_with_a_program_that_dies() {
        let mut postgres = TemporaryPostgres::start().unwrap();
        let directory = postgres.directory.path().to_owned();
        let Running { mut server, owner } = postgres.running.take().unwrap();
        // The system closes the pipe of a program that dies.
        drop(owner);
        assert!(wait_until(READY_WITHIN, || server.try_wait().unwrap().is_some()));
        assert!(wait_until(READY_WITHIN, || !directory.exists()));
    }

    #[test]
    fn versions_are_read() {
        assert_eq!(major("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)"), Some(15));
        assert_eq!(major("postgres (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(major("command not found"), None);
    }

    #[test]
    fn users_are_found_by_their_whole_names() {
        let users = "root:x:0:0:root:/root:/bin/sh\npostgres2:x:9:9::/:\npostgres:x:101:104:,,,:/var/lib:/bin/bash\n";
        assert_eq!(find_user(users, "postgres"), Some(User { id: 101, group: 104 }));
        assert_eq!(find_user(users, "nobody"), None);
    }
}
