//! An agent whose tokens come from elsewhere: asked for one each time the platform takes the last no more.

use std::sync::{Arc, Mutex};

use futures_util::{FutureExt, future::BoxFuture};
use tertulia_actors::{
    connection::{ConnectionSettings, Login},
    platform::{AgentLogin, AgentToken, PlatformClient, TokenError, TokenProvider},
    subscriber::EventData,
};
use tertulia_emulator::{EmulatorConfig, Fault, FaultKind};

use crate::stage::{Stage, bot};

/// Returns the token that the test last stored.
#[derive(Debug)]
struct Vault(Mutex<Result<AgentToken, TokenError>>);

impl Vault {
    fn with(content: Result<AgentToken, TokenError>) -> Arc<Self> {
        Arc::new(Self(Mutex::new(content)))
    }

    fn put(&self, content: Result<AgentToken, TokenError>) {
        *self.0.lock().unwrap() = content;
    }
}

impl TokenProvider for Vault {
    fn token(&self) -> BoxFuture<'_, Result<AgentToken, TokenError>> {
        let content = self.0.lock().unwrap().clone();
        async move { content }.boxed()
    }
}

fn settings(vault: &Arc<Vault>) -> ConnectionSettings {
    let provider: Arc<dyn TokenProvider> = Arc::<Vault>::clone(vault);
    ConnectionSettings { login: Login::Agent(AgentLogin::Provider(provider)), ..bot(1) }
}

async fn token(stage: &Stage) -> AgentToken {
    let client = PlatformClient::new(Arc::clone(stage.tertulia.platform()), stage.emulator.account().into());
    let login = AgentLogin::Password { username: "bot1".to_owned(), password: "secret".into() };
    let session = client.log_in(&login).await.unwrap();
    let (_, user_id) = session.agent_id.as_str().rsplit_once('.').unwrap();
    let (user_id, public_id) = (user_id.to_owned(), session.user_id.clone());
    AgentToken { bearer: session.bearer, user_id, public_id, name: session.name }
}

#[actix_rt::test]
async fn a_provider_is_asked_again_when_the_platform_takes_its_token_no_more() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let vault = Vault::with(Ok(token(&stage).await));
    let bot = stage.connect(settings(&vault)).await;
    stage.conversation(&bot).await.send_text("by a token from elsewhere").await.unwrap();

    vault.put(Err(TokenError::Unavailable("being renewed".to_owned())));
    stage.emulator.inject(Fault::new(FaultKind::ExpireToken).user("bot1"));
    stage.event("connection.disconnected").await;
    vault.put(Ok(token(&stage).await));
    stage.event("connection.resumed").await;
    stage.conversation(&bot).await.send_text("by the next one").await.unwrap();
}

#[actix_rt::test]
async fn a_provider_that_will_give_none_ends_the_connection() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let vault = Vault::with(Err(TokenError::Refused("the agent has left".to_owned())));
    stage.tertulia.connect(settings(&vault)).unwrap();
    let failed = stage.event("connection.failed").await;
    let EventData::Failed { reason } = &failed.data else { panic!() };
    assert!(reason.contains("the agent has left"), "{reason}");
}

/// TK-4.
/// A session begun elsewhere opens the socket and is refreshed: the platform reports its end.
#[actix_rt::test]
async fn a_session_begun_elsewhere_goes_on_here() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let client = PlatformClient::new(Arc::clone(stage.tertulia.platform()), stage.emulator.account().into());
    let password = AgentLogin::Password { username: "bot1".to_owned(), password: "secret".into() };
    let handed_over = client.log_in(&password).await.unwrap().to_login();
    let bot = stage.connect(ConnectionSettings { login: Login::Agent(handed_over.clone()), ..bot(1) }).await;
    stage.conversation(&bot).await.send_text("by a session from elsewhere").await.unwrap();
    assert_eq!(stage.emulator.sessions().iter().map(|session| session.max).max(), Some(1));

    let session = client.log_in(&handed_over).await.unwrap();
    client.refresh(&session).await.unwrap();
    // Another login ends it.
    client.log_in(&password).await.unwrap();
    assert_eq!(client.refresh(&session).await.unwrap_err().status(), Some(401));
}
