//! Refusals of logins, upgrades and first requests: which fail at once, which are repeated, and how soon.

use proptest::prelude::*;
use proptest::sample::select;

use super::*;

const REFUSED: Input = Input::LoginRefused(LoginRefusal::Credentials);

fn waits_for(driver: &Driver) -> Option<WaitReason> {
    driver.session.waiting().map(|wait| wait.reason)
}

/// A session whose token the platform revoked, so that the next attempt begins with a login.
fn logging_in_again() -> Driver {
    let mut driver = Driver::ready();
    driver.live_for(seconds(60));
    driver.feed(platform_close(4401));
    assert!(driver.wake().1.contains(&Output::LogIn));
    driver
}

#[test]
fn credentials_that_worked_are_tried_again_for_ever_not_sooner_than_five_seconds_and_ever_later() {
    for seed in [0_u64, 12_345, u64::MAX] {
        let mut driver = logging_in_again();
        let mut longest = Duration::ZERO;
        for number in 0..100 {
            driver.entropy = seed.wrapping_mul(number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            driver.feed(REFUSED);
            assert_eq!(driver.phase(), Phase::WaitingToLogIn);
            assert_eq!(waits_for(&driver), Some(WaitReason::CredentialsRefused));
            let (waited, outputs) = driver.wake();
            assert!(waited >= seconds(5) && waited <= seconds(305), "{waited:?}");
            assert!(outputs.contains(&Output::LogIn));
            longest = longest.max(waited);
        }
        assert!(seed == 0 || longest > seconds(60), "{longest:?}");
        driver.feed(Input::LoggedIn);
        assert_eq!((driver.phase(), waits_for(&driver)), (Phase::Connecting, None));
    }
}

#[test]
fn credentials_known_to_have_worked_before_the_session_do_not_fail_it() {
    let mut driver = Driver::idle();
    driver.session.trust_credentials();
    driver.feed(Input::Start);
    driver.feed(REFUSED);
    assert_eq!(driver.phase(), Phase::WaitingToLogIn);
}

#[test]
fn a_socket_refused_for_its_fresh_token_never_fails_and_the_next_login_comes_not_sooner_than_five_seconds() {
    let refusals =
        [Input::SocketRefused(SocketRefusal::Unauthorized), Input::VerifyRefused { code: 401 }, platform_close(4401)];
    for refusal in refusals {
        let mut driver = Driver::idle();
        driver.feed(Input::Start);
        for _ in 0..50 {
            assert_eq!(driver.phase(), Phase::LoggingIn, "{refusal:?}");
            driver.feed(Input::LoggedIn);
            if !matches!(refusal, Input::SocketRefused(_)) {
                driver.feed(Input::SocketOpened);
            }
            driver.feed(refusal);
            assert_eq!(waits_for(&driver), Some(WaitReason::TokenRefused), "{refusal:?}");
            let (waited, outputs) = driver.wake();
            assert!(waited >= seconds(5) && waited <= seconds(305), "{waited:?}");
            assert!(outputs.contains(&Output::LogIn));
        }
    }
}

#[test]
fn a_token_that_expired_while_away_is_replaced_without_a_pause() {
    let mut driver = Driver::ready();
    driver.live_for(seconds(3_600));
    driver.feed(lost_link());
    driver.wake();
    driver.feed(Input::SocketRefused(SocketRefusal::Unauthorized));
    let (waited, outputs) = driver.wake();
    assert!(waited <= seconds(2), "{waited:?}");
    assert!(outputs.contains(&Output::LogIn));
}

#[test]
fn a_restart_begins_with_a_login_at_once_whatever_was_before() {
    for phase in ALL_PHASES {
        let mut driver = Driver::in_phase(phase);
        let outputs = driver.feed(Input::Restart);
        if matches!(phase, Phase::LoggingIn | Phase::Stopping | Phase::Stopped) {
            assert_eq!((outputs, driver.phase()), (vec![], phase));
            continue;
        }
        let closes = outputs.contains(&Output::CloseSocket { code: NORMAL });
        assert_eq!(closes, phase.is_open() || phase == Phase::Connecting, "{phase:?}");
        assert_eq!(outputs.last(), Some(&Output::LogIn), "{phase:?}");
        assert_eq!((driver.phase(), driver.session.attempts()), (Phase::LoggingIn, 0), "{phase:?}");
    }
}

/// What a failing platform responds to each output.
#[derive(Debug, Clone, Copy)]
struct Trouble {
    login: LoginRefusal,
    socket: SocketRefusal,
    verify: u16,
    refresh: RefreshRefusal,
    /// The stage that fails; the others work.
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Login,
    Socket,
    Verify,
    Refresh,
}

impl Trouble {
    fn answer(self, output: &Output) -> Option<Input> {
        Some(match (output, self.stage) {
            (Output::LogIn, Stage::Login) => Input::LoginRefused(self.login),
            (Output::OpenSocket, Stage::Socket) => Input::SocketRefused(self.socket),
            (Output::Verify, Stage::Verify) => Input::VerifyRefused { code: self.verify },
            (Output::RefreshToken, Stage::Refresh) => Input::TokenRefreshRefused(self.refresh),
            _ => return well(output),
        })
    }
}

fn well(output: &Output) -> Option<Input> {
    Some(match output {
        Output::LogIn => Input::LoggedIn,
        Output::OpenSocket => Input::SocketOpened,
        Output::Verify => Input::Verified,
        Output::Resume { .. } => Input::Resumed,
        Output::SendKeepAlive => Input::FrameReceived,
        Output::RefreshToken => Input::TokenRefreshed,
        Output::Claim => Input::Start,
        Output::CloseSocket { .. } | Output::Report(_) => return None,
    })
}

fn any_trouble() -> impl Strategy<Value = Trouble> {
    let login = select(vec![
        LoginRefusal::Credentials,
        LoginRefusal::Throttled { retry_after: None },
        LoginRefusal::Unavailable,
    ]);
    let socket = select(vec![
        SocketRefusal::Unauthorized,
        SocketRefusal::Throttled { retry_after: None },
        SocketRefusal::Unavailable,
    ]);
    let verify = select(vec![401, 403, 429, 500, 502]);
    let refresh = select(vec![RefreshRefusal::Unauthorized, RefreshRefusal::Unavailable]);
    let stage = select(vec![Stage::Login, Stage::Socket, Stage::Verify, Stage::Refresh]);
    (login, socket, verify, refresh, stage).prop_map(|(login, socket, verify, refresh, stage)| Trouble {
        login,
        socket,
        verify,
        refresh,
        stage,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn after_half_a_minute_of_any_refusals_everything_works_within_half_a_minute(
        troubles in proptest::collection::vec(any_trouble(), 1..6),
        needs_login in any::<bool>(),
        entropy in proptest::collection::vec(any::<u64>(), 8),
    ) {
        let mut driver = Driver::ready();
        driver.live_for(seconds(60));
        let end_of_trouble = driver.now.after(seconds(30));
        let mut outputs = driver.feed(if needs_login { platform_close(4401) } else { lost_link() });
        let mut answered = 0;
        loop {
            while !outputs.is_empty() {
                let mut inputs = Vec::new();
                for output in &outputs {
                    let trouble = troubles[answered % troubles.len()];
                    let is_well = driver.now >= end_of_trouble;
                    let answer = if is_well { well(output) } else { trouble.answer(output) };
                    answered += usize::from(answer.is_some());
                    inputs.extend(answer);
                }
                driver.entropy = entropy[answered % entropy.len()];
                outputs = inputs.into_iter().flat_map(|input| driver.feed(input)).collect();
            }
            if driver.now >= end_of_trouble && driver.phase() == Phase::Ready {
                break;
            }
            if driver.phase() == Phase::Ready {
                // The login succeeded, and is needed again.
                driver.pass(seconds(1));
                outputs = driver.feed(lost_link());
                continue;
            }
            prop_assert!(!driver.phase().is_at_rest(), "{:?}", driver.phase());
            outputs = driver.wake().1;
        }
        prop_assert!(driver.now.since(end_of_trouble) <= seconds(30), "{:?}", driver.now.since(end_of_trouble));
    }
}
