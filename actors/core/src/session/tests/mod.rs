//! The guarantees of a session, tested with a clock that is a number and with chosen randomness.

mod evictions;
mod identity;
mod lease;
mod liveness;
mod reconnecting;
mod refusals;
mod schedules;
mod starting;
mod stopping;
mod token;

use std::time::Duration;

use super::*;

/// A session with its clock.
struct Driver {
    session: Session,
    now: Millis,
    entropy: u64,
}

impl Driver {
    /// At rest; waits have no random part.
    fn idle() -> Self {
        Self::with(SessionPolicy::default())
    }

    fn with(policy: SessionPolicy) -> Self {
        Self { session: Session::new(policy), now: Millis(1_000_000), entropy: 0 }
    }

    fn in_phase(phase: Phase) -> Self {
        let mut driver = Self::idle();
        let inputs: &[Input] = match phase {
            Phase::Idle => &[],
            Phase::LoggingIn => &[Input::Start],
            Phase::WaitingToLogIn => &[Input::Start, Input::LoginRefused(LoginRefusal::Unavailable)],
            Phase::Connecting => &[Input::Start, Input::LoggedIn],
            Phase::Verifying => &[Input::Start, Input::LoggedIn, Input::SocketOpened],
            Phase::Resuming => &[Input::Start, Input::LoggedIn, Input::SocketOpened, Input::Verified],
            Phase::Ready => &[Input::Start, Input::LoggedIn, Input::SocketOpened, Input::Verified, Input::Resumed],
            Phase::WaitingToReconnect => {
                &[Input::Start, Input::LoggedIn, Input::SocketRefused(SocketRefusal::Unavailable)]
            }
            Phase::Stopping => &[Input::Start, Input::LoggedIn, Input::SocketOpened, Input::Stop],
            Phase::Stopped => &[Input::Stop],
            Phase::Failed(_) => &[Input::Start, Input::LoginRefused(LoginRefusal::Credentials)],
        };
        for input in inputs {
            driver.feed(*input);
        }
        assert_eq!(*driver.session.phase(), phase);
        driver
    }

    fn ready() -> Self {
        Self::in_phase(Phase::Ready)
    }

    fn feed(&mut self, input: Input) -> Vec<Output> {
        self.session.handle(input, self.now, &mut || self.entropy).into_vec()
    }

    fn pass(&mut self, duration: Duration) {
        self.now = self.now.after(duration);
    }

    /// Moves the clock to the next wake and ticks. Returns how long that took and the outputs.
    fn wake(&mut self) -> (Duration, Vec<Output>) {
        let at = self.session.next_wake().expect("a session at rest does not wake");
        let waited = at.since(self.now);
        self.now = self.now.max(at);
        (waited, self.feed(Input::Tick))
    }

    /// Continues with a platform that sends a frame every five seconds.
    fn live_for(&mut self, duration: Duration) -> Vec<Output> {
        let end = self.now.after(duration);
        let mut outputs = Vec::new();
        while self.now < end {
            self.pass(Duration::from_secs(5));
            outputs.extend(self.feed(Input::FrameReceived));
            outputs.extend(self.feed(Input::Tick));
        }
        outputs
    }

    /// From a lost socket through a well-behaved platform back to ready.
    fn reconnect(&mut self) -> Duration {
        let (waited, outputs) = self.wake();
        if outputs.contains(&Output::LogIn) {
            self.feed(Input::LoggedIn);
        }
        self.feed(Input::SocketOpened);
        self.feed(Input::Verified);
        self.feed(Input::Resumed);
        assert_eq!(*self.session.phase(), Phase::Ready);
        waited
    }

    fn phase(&self) -> Phase {
        *self.session.phase()
    }
}

const ALL_PHASES: [Phase; 11] = [
    Phase::Idle,
    Phase::LoggingIn,
    Phase::WaitingToLogIn,
    Phase::Connecting,
    Phase::Verifying,
    Phase::Resuming,
    Phase::Ready,
    Phase::WaitingToReconnect,
    Phase::Stopping,
    Phase::Stopped,
    Phase::Failed(FailureReason::CredentialsRefused),
];

fn platform_close(code: u16) -> Input {
    Input::SocketClosed(Closure { by: ClosedBy::Platform, code: Some(code) })
}

fn lost_link() -> Input {
    Input::SocketClosed(Closure { by: ClosedBy::Transport, code: None })
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
