//! A bot outside of this program: any program that follows the events by cursor and answers over HTTP. The bot is killed
//! and started again while consumers send.

use std::{
    cell::RefCell,
    fmt,
    fs::{File, OpenOptions},
    io,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    rc::Rc,
    str::FromStr,
    time::Duration,
};

use actix_rt::{
    task::JoinHandle,
    time::{sleep, sleep_until},
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use rustix::process::{Pid, Signal, kill_process_group};
use tertulia::demo::GatewayAddress;
use tokio::{
    process::{Child, Command},
    time::Instant,
};

use super::proxy::Proxy;

/// The pause before a bot that ended by itself is started again.
const AGAIN_AFTER: Duration = Duration::from_millis(500);
/// How long a bot stays away after a kill, at most.
const AWAY: Duration = Duration::from_millis(1_000);
/// What makes the draws for the bot differ from the draws for the plan of the same seed.
const DRAWS: u64 = 0x626f_7400;

/// A program with its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BotCommand {
    words: Vec<String>,
    text: String,
}

impl FromStr for BotCommand {
    type Err = String;

    /// Splits `text` into words as a shell does.
    fn from_str(text: &str) -> Result<Self, String> {
        match shlex::split(text) {
            Some(words) if !words.is_empty() => Ok(Self { words, text: text.to_owned() }),
            Some(_) => Err("the command is empty".to_owned()),
            None => Err("a quotation mark or a backslash has no end".to_owned()),
        }
    }
}

impl fmt::Display for BotCommand {
    /// The command as one word of a shell.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shlex::try_quote(&self.text).map_err(|_| fmt::Error)?)
    }
}

/// A bot to start, and how often to kill it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outside<'o> {
    pub(super) command: &'o BotCommand,
    pub(super) kills: u32,
}

/// What became of a bot.
#[derive(Debug, Default)]
pub(super) struct Course {
    /// How often the bot was started.
    pub(super) runs: u32,
    /// What a bot must not do.
    pub(super) violations: Vec<String>,
}

/// A bot that runs until it is stopped. Dropping it kills the bot.
pub(super) struct OutsideBot {
    running: JoinHandle<()>,
    course: Rc<RefCell<Course>>,
}

impl Drop for OutsideBot {
    fn drop(&mut self) {
        self.running.abort();
    }
}

/// One process of a bot and the processes that it started. Dropping it kills them.
struct Process {
    child: Child,
}

impl Drop for Process {
    fn drop(&mut self) {
        // The bot leads its process group, so that a bot that runs in a shell is killed with the shell.
        if let Some(id) = self.child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?)) {
            let _ = kill_process_group(id, Signal::KILL);
        }
    }
}

impl Process {
    async fn kill(mut self) -> io::Result<ExitStatus> {
        if let Some(id) = self.child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?)) {
            kill_process_group(id, Signal::KILL)?;
        }
        self.child.wait().await
    }
}

/// The place of a bot in a trial.
struct Place {
    words: Vec<String>,
    /// Its address stays the same when a gateway begins to listen at another one.
    gateways: Proxy,
    token: String,
    cursor: PathBuf,
    log: File,
}

impl Place {
    fn url(&self) -> String {
        format!("http://{}", self.gateways.address())
    }

    fn start(&self) -> io::Result<Process> {
        let (program, arguments) = self.words.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        let mut command = Command::new(program);
        command.args(arguments).env("TERTULIA_URL", self.url()).env("TERTULIA_TOKEN", &self.token);
        command.env("TERTULIA_CURSOR", &self.cursor).process_group(0);
        command.stdin(Stdio::null()).stdout(self.log.try_clone()?).stderr(self.log.try_clone()?).kill_on_drop(true);
        Ok(Process { child: command.spawn()? })
    }
}

impl OutsideBot {
    /// Starts a bot in front of gateways that take turns, and kills it at drawn moments within `speaking`.
    pub(super) async fn start(
        outside: Outside<'_>,
        seed: u64,
        speaking: Duration,
        gateways: Vec<GatewayAddress>,
        directory: &Path,
    ) -> io::Result<Self> {
        let gateways = Proxy::start(gateways).await?;
        let mut random = StdRng::seed_from_u64(seed ^ DRAWS);
        let kills = kills(&mut random, outside.kills, speaking);
        let token: String = random.sample_iter(rand::distr::Alphanumeric).take(40).map(char::from).collect();
        let log = OpenOptions::new().create(true).append(true).open(directory.join("bot.log"))?;
        let words = outside.command.words.clone();
        let place = Place { words, gateways, token, cursor: directory.join("bot-cursor"), log };
        let first = place.start()?;
        let course = Rc::new(RefCell::new(Course { runs: 1, ..Course::default() }));
        let noted = Rc::clone(&course);
        let running = actix_rt::spawn(async move {
            if let Err(error) = keep_running(&place, first, kills, &noted).await {
                noted.borrow_mut().violations.push(format!("the bot cannot be run: {error}"));
            }
        });
        Ok(Self { running, course })
    }

    /// What the bot did until now.
    pub(super) fn course(&self) -> Course {
        self.course.take()
    }
}

/// The time of each kill after the first message, and how long the bot then stays away.
fn kills(random: &mut StdRng, number: u32, speaking: Duration) -> Vec<(Duration, Duration)> {
    let mut draw = || (speaking.mul_f64(random.random_range(0.0..1.0)), AWAY.mul_f64(random.random_range(0.0..1.0)));
    let mut kills: Vec<_> = (0..number).map(|_| draw()).collect();
    kills.sort_unstable();
    kills
}

/// Keeps a bot running over its kills; ends only if the system refuses.
async fn keep_running(
    place: &Place,
    first: Process,
    kills: Vec<(Duration, Duration)>,
    course: &RefCell<Course>,
) -> io::Result<()> {
    let begun = Instant::now();
    let mut kills = kills.into_iter().peekable();
    let mut process = first;
    loop {
        let due = kills.peek().copied();
        let killed = async {
            match due {
                Some((at, _)) => sleep_until(begun + at).await,
                None => std::future::pending().await,
            }
        };
        let ended = tokio::select! {
            status = process.child.wait() => Some(status?),
            () = killed => None,
        };
        match ended {
            Some(status) => {
                course.borrow_mut().violations.push(format!("the bot ended by itself with {status}"));
                sleep(AGAIN_AFTER).await;
            }
            None => {
                process.kill().await?;
                let (_, away) = kills.next().unwrap_or_default();
                sleep(away).await;
            }
        }
        process = place.start()?;
        course.borrow_mut().runs += 1;
    }
}

/// What a line about a trial says about its bot.
pub(super) fn runs(runs: Option<u32>) -> String {
    runs.map(|runs| format!(", the bot ran {runs} times")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use actix_rt::time::timeout;

    use super::*;

    #[test]
    fn a_command_is_split_as_a_shell_splits_it() {
        let command: BotCommand = r#"sh -c 'exec a "b c"' d\ e"#.parse().unwrap();
        assert_eq!(command.words, ["sh", "-c", "exec a \"b c\"", "d e"]);
        assert_eq!(shlex::split(&command.to_string()).unwrap(), [command.text]);
        assert!("  ".parse::<BotCommand>().is_err());
        assert!("sh 'a".parse::<BotCommand>().is_err());
    }

    #[test]
    fn kills_are_drawn_within_the_time_in_which_consumers_send() {
        let draw = |seed| kills(&mut StdRng::seed_from_u64(seed), 5, Duration::from_secs(9));
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        assert!(draw(3).is_sorted() && draw(3).iter().all(|(at, _)| *at < Duration::from_secs(9)));
    }

    /// A bot that writes its URL to its cursor file and then runs `script`.
    async fn bot(script: &str, kills: u32, directory: &Path) -> OutsideBot {
        let script = format!("echo \"$TERTULIA_URL\" >> \"$TERTULIA_CURSOR\"; {script}");
        let command = shlex::try_join(["sh", "-c", &script]).unwrap().parse().unwrap();
        let outside = Outside { command: &command, kills };
        let gateway = tokio::sync::watch::Sender::new(None).subscribe();
        OutsideBot::start(outside, 1, Duration::from_millis(1), vec![gateway], directory).await.unwrap()
    }

    /// Waits until `happened` returns true.
    async fn until(happened: impl Fn() -> bool) {
        let waiting = async {
            while !happened() {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(Duration::from_secs(30), waiting).await.unwrap();
    }

    fn lines(file: &Path) -> Vec<String> {
        std::fs::read_to_string(file).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    #[actix_rt::test]
    async fn a_killed_bot_runs_again_with_its_environment() {
        let directory = tempfile::tempdir().unwrap();
        let bot = bot("sleep 600", 3, directory.path()).await;
        until(|| bot.course.borrow().runs == 4).await;
        let cursor = directory.path().join("bot-cursor");
        until(|| lines(&cursor).last().is_some_and(|url| url.starts_with("http://127.0.0.1:"))).await;
        assert_eq!(bot.course().violations, [""; 0]);
    }

    #[actix_rt::test]
    async fn the_processes_of_a_bot_end_with_it() {
        let directory = tempfile::tempdir().unwrap();
        let bot = bot("sleep 600 & echo $! >> \"$TERTULIA_CURSOR\"; wait", 0, directory.path()).await;
        let cursor = directory.path().join("bot-cursor");
        until(|| lines(&cursor).len() == 2).await;
        let status = format!("/proc/{}/stat", lines(&cursor)[1]);
        assert!(std::fs::exists(&status).unwrap());
        drop(bot);
        // Nobody may be there to wait for a process whose parent ended.
        until(|| std::fs::read_to_string(&status).map_or(true, |stat| stat.contains(") Z"))).await;
    }

    #[actix_rt::test]
    async fn a_bot_that_ends_by_itself_runs_again_and_is_a_violation() {
        let directory = tempfile::tempdir().unwrap();
        let bot = bot("exit 3", 0, directory.path()).await;
        until(|| bot.course.borrow().runs >= 2).await;
        assert_eq!(bot.course().violations[0], "the bot ended by itself with exit status: 3");
    }
}
