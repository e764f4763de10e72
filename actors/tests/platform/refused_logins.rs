//! A platform that refuses logins, tokens and sockets: which connections fail, which wait and why, and how they
//! recover.

use std::time::Duration;

use tertulia_actors::{
    Tertulia,
    connection::{ConnectionError, ConnectionSettings, ConnectionStatus, Login},
    core::{
        id::ConnectionId,
        session::{Backoff, Phase, SessionPolicy, WaitReason},
    },
    intake::IntakeSettings,
    platform::{AgentLogin, AppCredentials, PlatformSettings},
    subscriber::EventData,
};
use tertulia_emulator::{AppInstall, Emulator, EmulatorConfig, Fault, FaultKind, FaultRule, Outcome, Switches};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    time::timeout,
};

use crate::stage::{PATIENCE, Stage, bot, hasty, platform};

/// Waits until the connection's status is as it should be.
async fn status(
    tertulia: &Tertulia,
    connection: &ConnectionId,
    fits: impl Fn(&ConnectionStatus) -> bool,
) -> ConnectionStatus {
    let look = async {
        loop {
            match tertulia.connection(connection).status() {
                Some(status) if fits(&status) => return status,
                _ => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    };
    match timeout(PATIENCE, look).await {
        Ok(status) => status,
        Err(_) => panic!("{:?}", tertulia.connection(connection).status()),
    }
}

fn waits_for(reason: WaitReason) -> impl Fn(&ConnectionStatus) -> bool {
    move |status| status.waiting.is_some_and(|waiting| waiting.reason == reason)
}

#[actix_rt::test]
async fn credentials_that_worked_wait_while_they_are_refused_and_come_back_by_themselves() {
    for outcome in [Outcome::Code(401), Outcome::Code(403), Outcome::Html(401), Outcome::Code(451)] {
        let mut stage = Stage::set(EmulatorConfig::default());
        let bot = stage.bot().await;
        let rule = stage.emulator.add_rule(FaultRule::new("login", outcome).always()).unwrap();
        stage.emulator.inject(Fault::new(FaultKind::ExpireToken).user("bot1"));
        let waits = stage.event("connection.waiting").await;
        let EventData::Waiting { reason: WaitReason::CredentialsRefused, last_error: Some(error), .. } = &waits.data
        else {
            panic!("{waits:?}")
        };
        assert!(error.contains("agentVep"), "{error}");
        let status = status(&stage.tertulia, &bot, waits_for(WaitReason::CredentialsRefused)).await;
        assert!(!status.has_ended());
        while stage.emulator.rule_counts(rule).unwrap().refused < 3 {
            tokio::task::yield_now().await;
        }
        stage.emulator.lift_rule(rule);
        stage.event("connection.resumed").await;
        stage.tertulia.connection(&bot).ready(PATIENCE).await.unwrap();
        assert_eq!(stage.tertulia.connection(&bot).status().unwrap().waiting, None);
    }
}

#[actix_rt::test]
async fn a_platform_that_refuses_discovery_or_sockets_at_the_first_start_is_waited_for() {
    for (door, outcome) in [
        ("discovery", Outcome::Code(403)),
        ("discovery", Outcome::Html(200)),
        ("login", Outcome::Html(200)),
        ("login", Outcome::Code(500)),
        ("upgrade", Outcome::Code(401)),
        ("upgrade", Outcome::Code(502)),
        ("upgrade", Outcome::Html(200)),
    ] {
        let mut stage = Stage::set(EmulatorConfig::default());
        stage.emulator.add_rule(FaultRule::new(door, outcome).times(5)).unwrap();
        stage.bot().await;
    }
}

#[actix_rt::test]
async fn a_failed_connection_can_be_begun_again() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let rule = stage.emulator.add_rule(FaultRule::new("login", Outcome::Code(401)).always()).unwrap();
    let id = ConnectionId::from("bot-1");
    stage.tertulia.connect(bot(1)).unwrap();
    let ConnectionError::Failed { .. } = stage.tertulia.connection(&id).ready(PATIENCE).await.unwrap_err() else {
        panic!()
    };
    stage.emulator.lift_rule(rule);
    assert!(stage.tertulia.connection(&id).restart());
    stage.event("connection.resumed").await;
    assert!(!stage.tertulia.connection(&"nobody".into()).restart());
}

#[actix_rt::test]
async fn a_restarted_connection_logs_in_again_and_keeps_its_conversations() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let bot = stage.bot().await;
    let conversation = stage.conversation(&bot).await;
    let logins = stage.tertulia.metrics().logins.get();
    assert!(stage.tertulia.connection(&bot).restart());
    stage.event("connection.disconnected").await;
    stage.event("connection.resumed").await;
    assert_eq!(stage.tertulia.metrics().logins.get(), logins + 1);
    conversation.send_text("still here").await.unwrap();
    assert_eq!(stage.emulator.sessions().iter().map(|session| session.max).max(), Some(1));
}

fn connector() -> IntakeSettings {
    let app = AppCredentials { client_id: "c".to_owned(), secret: "s".into() };
    let (pause, max) = (Duration::from_millis(20), Duration::from_millis(100));
    let login_backoff = Backoff { floor: pause, base: pause, max };
    IntakeSettings { login_backoff, ..IntakeSettings::connector("hook", "12345678", app) }
}

#[actix_rt::test]
async fn a_connector_whose_credentials_never_worked_fails_and_can_be_begun_again() {
    let stage = Stage::set(EmulatorConfig { app: Some(AppInstall::new("c", "s")), ..EmulatorConfig::default() });
    let rule = stage.emulator.add_rule(FaultRule::new("app-token", Outcome::Code(401)).always()).unwrap();
    stage.tertulia.connect_intake(connector()).unwrap();
    let id = ConnectionId::from("hook");
    let ConnectionError::Failed { .. } = stage.tertulia.connection(&id).ready(PATIENCE).await.unwrap_err() else {
        panic!()
    };
    stage.emulator.lift_rule(rule);
    assert!(stage.tertulia.connection(&id).restart());
    status(&stage.tertulia, &id, ConnectionStatus::is_ready).await;

    // Now they have worked.
    let rule = stage.emulator.add_rule(FaultRule::new("app-token", Outcome::Code(401)).times(4)).unwrap();
    assert!(stage.tertulia.connection(&id).restart());
    status(&stage.tertulia, &id, waits_for(WaitReason::CredentialsRefused)).await;
    status(&stage.tertulia, &id, ConnectionStatus::is_ready).await;
    assert_eq!(stage.emulator.rule_counts(rule).unwrap().refused, 4);
}

#[actix_rt::test]
async fn a_connector_waits_for_a_platform_in_trouble() {
    for (door, outcome) in
        [("discovery", Outcome::Code(401)), ("app-token", Outcome::Html(200)), ("app-token", Outcome::Code(429))]
    {
        let config = EmulatorConfig { app: Some(AppInstall::new("c", "s")), ..EmulatorConfig::default() };
        let stage = Stage::set(config);
        stage.emulator.add_rule(FaultRule::new(door, outcome).times(3)).unwrap();
        stage.tertulia.connect_intake(connector()).unwrap();
        stage.tertulia.connection(&"hook".into()).ready(PATIENCE).await.unwrap();
    }
}

/// TK-6.
#[actix_rt::test]
async fn two_machines_with_one_login_are_reported_and_slow_down() {
    let switches = Switches { login_closes_sockets: true, ..Switches::default() };
    let mut stage = Stage::set(EmulatorConfig { switches, ..EmulatorConfig::default() });
    // Each has leases of its own.
    let policy = SessionPolicy { login_backoff_max: Duration::from_secs(20), ..hasty() };
    let settings = ConnectionSettings { policy, ..bot(1) };
    let other = Tertulia::builder().platform(platform(&stage.emulator)).start().unwrap();
    stage.tertulia.connect(settings.clone()).unwrap();
    other.connect(settings).unwrap();
    let elsewhere = |data: &EventData| matches!(data, EventData::Waiting { reason: WaitReason::LoggedInElsewhere, .. });
    stage.until(|event| elsewhere(&event.data)).await;
    let id = ConnectionId::from("bot-1");
    status(&stage.tertulia, &id, waits_for(WaitReason::LoggedInElsewhere)).await;
    let logins = stage.tertulia.metrics().logins.get();
    assert!(logins <= 10, "{logins} logins");
    assert!(!stage.tertulia.connection(&id).status().unwrap().has_ended());
}

/// TK-6: of two connections with one login the second waits, and takes over when the first has ended.
#[actix_rt::test]
async fn a_login_that_is_held_is_waited_for_and_taken_over() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let first = stage.bot().await;
    let second = ConnectionSettings { id: "second".into(), ..bot(1) };
    stage.tertulia.connect(second).unwrap();
    let told = stage.event("connection.waiting").await;
    let EventData::Waiting { reason: WaitReason::LoginHeld, last_error: Some(error), .. } = &told.data else {
        panic!("{told:?}")
    };
    assert!(error.contains("bot1 is logged in elsewhere"), "{error}");
    assert_eq!(told.origin.connection.as_str(), "second");
    let others = stage.connect(bot(2)).await;
    stage.tertulia.connection(&first).disconnect().await;
    stage.tertulia.connection(&"second".into()).ready(PATIENCE).await.unwrap();
    assert!(stage.tertulia.connection(&others).status().unwrap().is_ready());
    let sessions = stage.emulator.sessions();
    assert_eq!(sessions.iter().find(|session| session.user == "bot1").map(|session| session.max), Some(1));
}

#[actix_rt::test]
async fn a_static_token_that_is_refused_is_tried_again_and_tells_why() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let login = AgentLogin::Bearer { bearer: "nobodys".into(), user_id: "7".to_owned() };
    stage.tertulia.connect(ConnectionSettings { login: Login::Agent(login), ..bot(1) }).unwrap();
    let told = stage.event("connection.waiting").await;
    let EventData::Waiting { reason: WaitReason::TokenRefused, last_error: Some(error), .. } = &told.data else {
        panic!("{told:?}")
    };
    assert!(error.contains("facadeMsg") && error.contains("401") && !error.contains("nobodys"), "{error}");
}

/// A service may answer its head at once and dribble the rest.
#[actix_rt::test]
async fn an_answer_that_dribbles_is_given_up_in_time() {
    for door in ["discovery", "login"] {
        let emulator = Emulator::start(EmulatorConfig::default()).unwrap();
        emulator.add_rule(FaultRule::new(door, Outcome::Dribble(1_000)).times(1)).unwrap();
        let settings = PlatformSettings { request_timeout: Duration::from_secs(2), ..platform(&emulator) };
        let tertulia = Tertulia::builder().platform(settings).connection(bot(1)).start().unwrap();
        let id = ConnectionId::from("bot-1");
        let late = |status: &ConnectionStatus| {
            status.last_error.as_deref().is_some_and(|error| error.contains("no whole answer within 2s"))
        };
        status(&tertulia, &id, late).await;
        tertulia.connection(&id).ready(PATIENCE).await.unwrap();
    }
}

/// Discovery that was taken over cannot have a password sent elsewhere: a base URI is a host and a port.
#[actix_rt::test]
async fn a_discovery_that_names_no_host_gets_no_password() {
    let thief = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = thief.local_addr().unwrap();
    for base_uri in
        [format!("x@{address}"), format!("{address}/x"), format!("https://{address}"), "http://192.0.2.1".into()]
    {
        let discovery = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let settings = PlatformSettings {
            discovery: format!("http://{}", discovery.local_addr().unwrap()),
            ..PlatformSettings::default()
        };
        actix_rt::spawn(tell_base_uri(discovery, base_uri));
        let tertulia = Tertulia::builder().platform(settings).connection(bot(1)).start().unwrap();
        let no_host = |status: &ConnectionStatus| {
            status.last_error.as_deref().is_some_and(|error| error.contains("no host for agentVep"))
        };
        status(&tertulia, &"bot-1".into(), no_host).await;
    }
    assert!(timeout(Duration::ZERO, thief.accept()).await.is_err(), "somebody else was asked");
}

/// A discovery service in plain HTTP with one base URI.
async fn tell_base_uri(discovery: TcpListener, base_uri: String) {
    while let Ok((mut socket, _)) = discovery.accept().await {
        let mut head = [0; 4096];
        let _ = socket.read(&mut head).await;
        let body = format!(r#"{{"baseURI":"{base_uri}"}}"#);
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
        let _ = socket.write_all(format!("{head}{body}").as_bytes()).await;
    }
}

#[actix_rt::test]
async fn the_state_says_that_the_connection_waits_to_log_in() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let bot = stage.bot().await;
    stage.emulator.add_rule(FaultRule::new("login", Outcome::Code(429)).times(2)).unwrap();
    stage.emulator.inject(Fault::new(FaultKind::ExpireToken).user("bot1"));
    let waits = status(&stage.tertulia, &bot, waits_for(WaitReason::Throttled)).await;
    assert_eq!(waits.state, Phase::WaitingToLogIn);
    stage.event("connection.resumed").await;
}
