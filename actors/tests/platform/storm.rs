//! Q6: a fleet that loses its platform at one moment comes back at the pace that was set, and all of it.

use std::{
    num::NonZeroU32,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use futures_util::{FutureExt, future::BoxFuture};
use tertulia_actors::{
    Tertulia,
    connection::{ConnectionSettings, Login},
    platform::{AgentLogin, AgentToken, Pace, Platform, PlatformClient, PlatformSettings, TokenError, TokenProvider},
};
use tertulia_emulator::{Emulator, EmulatorConfig, Fault, FaultKind, Side};

use crate::stage::{PATIENCE, bot, platform};

const FLEET: usize = 200;
/// Logins a second.
const LOGINS: u32 = 50;
const SECOND: Duration = Duration::from_secs(1);

fn pace(logins: u32) -> Pace {
    let per_second = |count| NonZeroU32::new(count).unwrap();
    Pace {
        logins_per_account: per_second(logins),
        logins: per_second(logins),
        connects: per_second(1_000),
        ..Pace::default()
    }
}

/// The time of each login.
type Logins = Arc<Mutex<Vec<Instant>>>;

/// Logs in without a pace of its own, and records the time of each login.
#[derive(Clone)]
struct TimedLogin {
    platform: Arc<Platform>,
    login: AgentLogin,
    logins: Logins,
}

impl std::fmt::Debug for TimedLogin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TimedLogin").finish_non_exhaustive()
    }
}

impl TokenProvider for TimedLogin {
    fn token(&self) -> BoxFuture<'_, Result<AgentToken, TokenError>> {
        self.logins.lock().unwrap().push(Instant::now());
        let (told, token) = tokio::sync::oneshot::channel();
        let Self { platform, login, .. } = self.clone();
        // The platform's client belongs to its thread.
        actix_rt::spawn(async move {
            let session = PlatformClient::new(platform, "12345678".into()).log_in(&login).await.unwrap();
            let (_, user_id) = session.agent_id.as_str().rsplit_once('.').unwrap();
            let (user_id, public_id) = (user_id.to_owned(), session.user_id.clone());
            let _ = told.send(AgentToken { bearer: session.bearer, user_id, public_id, name: session.name });
        });
        async move { token.await.map_err(|_| TokenError::Unavailable("no login".to_owned())) }.boxed()
    }
}

/// The most logins within any second.
fn busiest_second(logins: &[Instant]) -> usize {
    let within = |from: &Instant| logins.iter().filter(|login| **login >= *from && **login < *from + SECOND).count();
    logins.iter().map(within).max().unwrap_or_default()
}

/// TK-5, Q6.
#[actix_rt::test]
async fn a_storm_of_reconnects_keeps_the_pace_of_logins_and_everybody_comes_back() {
    let emulator = Emulator::start(EmulatorConfig { agents: FLEET, ..EmulatorConfig::default() }).unwrap();
    let fast = Platform::new(PlatformSettings { pace: pace(10_000), ..platform(&emulator) }).unwrap();
    let logins = Logins::default();
    let fleet = (1..=FLEET).map(|number| {
        let login = AgentLogin::Password { username: format!("bot{number}"), password: "secret".into() };
        let login = TimedLogin { platform: Arc::clone(&fast), login, logins: Arc::clone(&logins) };
        ConnectionSettings { login: Login::Agent(AgentLogin::Provider(Arc::new(login))), ..bot(number) }
    });
    let settings = PlatformSettings { pace: pace(LOGINS), ..platform(&emulator) };
    let tertulia = Tertulia::builder().platform(settings).connections(fleet).start().unwrap();
    let connections = tertulia.connections();
    for connection in &connections {
        tertulia.connection(connection).ready(PATIENCE).await.unwrap();
    }

    logins.lock().unwrap().clear();
    assert_eq!(emulator.inject(Fault::new(FaultKind::ExpireToken).side(Side::Brand).count(FLEET)), FLEET);
    for connection in &connections {
        let is_back = async {
            while tertulia.connection(connection).status().unwrap().reconnects == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, is_back).await.expect("a connection did not come back");
    }
    let logins = logins.lock().unwrap().clone();
    assert!(logins.len() >= FLEET, "{}", logins.len());
    // What was saved up for a second, what that second brings, and what its jitter adds.
    let most = 2 * LOGINS as usize + LOGINS as usize / 10;
    assert!(busiest_second(&logins) <= most, "{} logins in a second", busiest_second(&logins));
    tertulia.stop(PATIENCE).await;
}
