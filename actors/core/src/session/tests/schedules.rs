//! Random schedules: after any inputs in any order, a session is consistent and recovers.

use proptest::prelude::*;
use proptest::sample::select;

use super::*;

const PROGRESS: &[Input] = &[
    Input::LoggedIn,
    Input::SocketOpened,
    Input::Verified,
    Input::ResumeProgressed,
    Input::Resumed,
    Input::FrameReceived,
    Input::TokenRefreshed,
    Input::Tick,
];

const TROUBLE: &[Input] = &[
    Input::Start,
    Input::Restart,
    Input::Withheld,
    Input::Stop,
    Input::LoginRefused(LoginRefusal::Credentials),
    Input::LoginRefused(LoginRefusal::Throttled { retry_after: None }),
    Input::LoginRefused(LoginRefusal::Throttled { retry_after: Some(Duration::MAX) }),
    Input::LoginRefused(LoginRefusal::Unavailable),
    Input::SocketRefused(SocketRefusal::Unauthorized),
    Input::SocketRefused(SocketRefusal::Throttled { retry_after: Some(Duration::MAX) }),
    Input::SocketRefused(SocketRefusal::Unavailable),
    Input::VerifyRefused { code: 401 },
    Input::VerifyRefused { code: 500 },
    Input::ResumeFailed,
    Input::Distrusted,
    Input::GivenUp(FailureReason::ConversationsKeepFailing),
    Input::SocketClosed(Closure { by: ClosedBy::Platform, code: Some(1000) }),
    Input::SocketClosed(Closure { by: ClosedBy::Platform, code: Some(1011) }),
    Input::SocketClosed(Closure { by: ClosedBy::Platform, code: Some(4401) }),
    Input::SocketClosed(Closure { by: ClosedBy::Transport, code: None }),
    Input::SocketClosed(Closure { by: ClosedBy::Us, code: Some(1000) }),
    Input::TokenRefreshRefused(RefreshRefusal::Unauthorized),
    Input::TokenRefreshRefused(RefreshRefusal::Unavailable),
    Input::ServiceRefusedToken { can_refresh: true },
    Input::ServiceRefusedToken { can_refresh: false },
];

fn any_input() -> impl Strategy<Value = Input> {
    prop_oneof![3 => select(PROGRESS), 1 => select(TROUBLE)]
}

/// An input, and the milliseconds before it; beyond half a minute the session's own next wake is used.
fn any_step() -> impl Strategy<Value = (u64, Input)> {
    (0..AWAIT_WAKE * 3 / 2, any_input())
}

const AWAIT_WAKE: u64 = 30_000;

/// Sockets as the actor sees them: opened, then closed, refused or given up before the next one.
#[derive(Default)]
struct Sockets {
    open: bool,
}

impl Sockets {
    fn take(&mut self, outputs: &[Output]) {
        for output in outputs {
            match output {
                Output::OpenSocket => assert!(!std::mem::replace(&mut self.open, true), "two sockets at once"),
                Output::CloseSocket { .. } => {
                    assert!(std::mem::take(&mut self.open), "closed a socket it never opened")
                }
                _ => {}
            }
        }
    }

    /// Whether the platform could do this: open or refuse only a socket that is opening, close only an existing one.
    fn allow(&mut self, input: Input, phase: Phase) -> bool {
        let possible = match input {
            Input::SocketOpened | Input::SocketRefused(_) => phase == Phase::Connecting,
            Input::SocketClosed(_) => self.open || phase == Phase::Stopping,
            _ => true,
        };
        if possible && matches!(input, Input::SocketClosed(_) | Input::SocketRefused(_)) {
            self.open = false;
        }
        possible
    }
}

/// Responds to every output of the session with success.
fn behave(outputs: &[Output]) -> Vec<Input> {
    let answer = |output: &Output| match output {
        Output::Claim => Some(Input::Start),
        Output::LogIn => Some(Input::LoggedIn),
        Output::OpenSocket => Some(Input::SocketOpened),
        Output::Verify => Some(Input::Verified),
        Output::Resume { .. } => Some(Input::Resumed),
        Output::SendKeepAlive => Some(Input::FrameReceived),
        Output::RefreshToken => Some(Input::TokenRefreshed),
        Output::CloseSocket { .. } | Output::Report(_) => None,
    };
    outputs.iter().filter_map(answer).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn any_schedule_keeps_the_session_sound_and_a_platform_that_behaves_brings_it_back(
        steps in proptest::collection::vec(any_step(), 0..80),
        seed in any::<u64>(),
    ) {
        let mut driver = Driver::idle();
        let mut sockets = Sockets::default();
        for (number, (pause, input)) in steps.into_iter().enumerate() {
            driver.entropy = seed.rotate_left(u32::try_from(number).unwrap());
            driver.now = match driver.session.next_wake() {
                Some(wake) if pause >= AWAIT_WAKE => wake.max(driver.now),
                _ => driver.now.after(Duration::from_millis(pause)),
            };
            if !sockets.allow(input, driver.phase()) {
                continue;
            }
            let before = driver.phase();
            let outputs = driver.feed(input);
            sockets.take(&outputs);

            let phase = driver.phase();
            prop_assert_eq!(driver.session.next_wake().is_none(), phase.is_at_rest());
            prop_assert_eq!(sockets.open, phase.is_open() || phase == Phase::Connecting);
            prop_assert!(outputs.len() <= 4);
            if input == Input::Tick && phase == before {
                prop_assert!(driver.session.next_wake().is_none_or(|wake| wake > driver.now), "a tick that stands still");
            }
        }

        bring_back(&mut driver, &mut sockets)?;
        // The platform also answers earlier requests of the session.
        for input in [Input::TokenRefreshed, Input::LoggedIn] {
            if !driver.session.obtains_token() {
                break;
            }
            let outputs = driver.feed(input);
            answer(&mut driver, &mut sockets, outputs);
        }
        for _ in 0..120 {
            let outputs = driver.live_for(seconds(5));
            answer(&mut driver, &mut sockets, outputs);
        }
        prop_assert_eq!(driver.phase(), Phase::Ready);
        prop_assert_eq!(driver.session.attempts(), 0);
    }

    #[test]
    fn inputs_no_platform_could_send_do_no_harm(inputs in proptest::collection::vec(any_input(), 0..200)) {
        let mut driver = Driver::idle();
        for input in inputs {
            driver.feed(input);
            prop_assert_eq!(driver.session.next_wake().is_none(), driver.phase().is_at_rest());
        }
        driver.feed(Input::Stop);
        if driver.phase() == Phase::Stopping {
            driver.wake();
        }
        prop_assert_eq!(driver.phase(), Phase::Stopped);
    }
}

/// The platform answers these outputs, and those that follow, with success.
fn answer(driver: &mut Driver, sockets: &mut Sockets, mut outputs: Vec<Output>) {
    while !outputs.is_empty() {
        sockets.take(&outputs);
        outputs = behave(&outputs).into_iter().flat_map(|input| driver.feed(input)).collect();
    }
}

/// Starts the session if it is at rest, then responds to every output; it must be ready within a few wakes.
fn bring_back(driver: &mut Driver, sockets: &mut Sockets) -> Result<(), TestCaseError> {
    for _ in 0..20 {
        let outputs = match driver.phase() {
            Phase::Ready => return Ok(()),
            phase if phase.is_at_rest() => driver.feed(Input::Start),
            _ => driver.wake().1,
        };
        answer(driver, sockets, outputs);
    }
    Err(TestCaseError::fail(format!("still {:?}", driver.phase())))
}
