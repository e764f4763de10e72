//! An anonymous consumer who signs in while a conversation goes on (protocol §2.3, CA-4).

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tertulia_actors::{
    connection::{ConnectionSettings, Login},
    conversation::ConversationHandle,
    core::id::UserId,
    platform::{ConsumerLogin, PlatformClient},
};
use tertulia_emulator::EmulatorConfig;

use super::side::Side;
use crate::stage::{Stage, bot, consumer};

/// One consumer under two ids, and the agent they talk to.
pub(crate) struct StepUp {
    pub(crate) agent: Side,
    pub(crate) anonymous: UserId,
    /// The conversation as the consumer sees it who has signed in.
    pub(crate) after: ConversationHandle,
    /// Who has signed in.
    pub(crate) signed_in: Side,
    pub(crate) known: UserId,
    pub(crate) stage: Stage,
}

pub(crate) async fn step_up() -> StepUp {
    let stage = Stage::set(EmulatorConfig::default());
    let mut agent = Side::connect(&stage, bot(1)).await;
    let client = PlatformClient::new(Arc::clone(stage.tertulia.platform()), stage.emulator.account().into());
    let token = client.consumer_token(&ConsumerLogin::SignUp, None).await.unwrap().token;
    let anonymous = Side::connect(&stage, by_token("anonymous", token.clone())).await;
    let before = stage.tertulia.connection(&anonymous.id).create_conversation(Default::default()).await.unwrap();
    agent.meets(&stage, before.id().as_str()).await;
    let better = sign_in(&stage, &token).await;
    let mut signed_in = Side::of(&stage, "known".into());
    stage.tertulia.connect(by_token("known", better.clone())).unwrap();
    let after = signed_in.meets(&stage, before.id().as_str()).await;
    StepUp { agent, anonymous: subject(&token), after, signed_in, known: subject(&better), stage }
}

fn by_token(name: &str, token: SecretString) -> ConnectionSettings {
    ConnectionSettings { login: Login::Consumer(ConsumerLogin::Token(token)), ..consumer(name) }
}

/// The brand says who it is that has the token `present`; the token of who they are from now on.
async fn sign_in(stage: &Stage, present: &SecretString) -> SecretString {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(stage.emulator.ca_pem().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let tls = tls.with_root_certificates(roots).with_no_client_auth();
    let http = awc::Client::builder().connector(awc::Connector::new().rustls_0_23(Arc::new(tls))).finish();
    let (host, account) = (stage.emulator.listen(), stage.emulator.account());
    let url = format!("https://{host}/api/account/{account}/app/any-connector/authenticate?v=3.0");
    let body = json!({"lp_jwt": present.expose_secret(), "code": "ann@example.com"});
    let answer: Value = http.post(url).send_json(&body).await.unwrap().json().await.unwrap();
    answer["token"].as_str().unwrap().into()
}

/// Whom a token is for.
fn subject(token: &SecretString) -> UserId {
    let claims = URL_SAFE_NO_PAD.decode(token.expose_secret().split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice::<Value>(&claims).unwrap()["sub"].as_str().unwrap().into()
}
