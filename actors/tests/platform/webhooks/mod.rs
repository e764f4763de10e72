//! Connections without a socket, against the stand-in over real HTTP: connectors and intakes (WH-2).

mod agent;
mod connector;
pub(crate) mod endpoint;
mod inbox;
mod same_as_socket;
mod stateless;

use std::time::Duration;

use endpoint::Post;
use tertulia_actors::{
    conversation::ConversationHandle,
    core::{
        id::{ConnectionId, ExternalConsumerId},
        ums::UserProfile,
    },
    intake::IntakeSettings,
    platform::AppCredentials,
};
use tertulia_emulator::{AppInstall, EmulatorConfig};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::stage::{self, Stage};

const CONSUMER: &str = "whatsapp:15550100";

fn credentials() -> AppCredentials {
    AppCredentials { client_id: "c".to_owned(), secret: "s".into() }
}

fn connector() -> IntakeSettings {
    IntakeSettings::connector("hook", "12345678", credentials())
}

fn intake() -> IntakeSettings {
    IntakeSettings { hold: Duration::from_secs(60), ..IntakeSettings::intake("hook", "12345678", credentials()) }
}

/// A platform with an application whose webhooks go to the returned receiver.
fn stage(app: impl FnOnce(AppInstall) -> AppInstall) -> (Stage, UnboundedReceiver<Post>) {
    let (address, posts) = endpoint::listen();
    let app = app(AppInstall::new("c", "s").webhooks(&address));
    (Stage::set(EmulatorConfig { app: Some(app), ..EmulatorConfig::default() }), posts)
}

/// Adds the connection, and waits until it is ready.
async fn connect(stage: &Stage, settings: IntakeSettings) -> ConnectionId {
    let id = settings.id.clone();
    stage.tertulia.connect_intake(settings).unwrap();
    stage.tertulia.connection(&id).ready(stage::PATIENCE).await.unwrap();
    id
}

/// A conversation of the consumer.
async fn open(stage: &Stage, connection: &ConnectionId) -> ConversationHandle {
    let consumer = ExternalConsumerId::from(CONSUMER);
    let profile = UserProfile { first_name: Some("Ann".into()), ..UserProfile::default() };
    stage.tertulia.connection(connection).create_conversation_for(consumer, profile, Default::default()).await.unwrap()
}
