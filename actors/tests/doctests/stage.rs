// The hidden setup of the examples in the documentation, which include this file and run against the stand-in.

mod stage {
    use std::{error::Error, num::NonZeroUsize, time::Duration};

    use tertulia_actors::{
        ConnectionHandle, Tertulia,
        connection::ConnectionSettings,
        conversation::ConversationHandle,
        core::id::ConversationId,
        platform::{AgentLogin, ConsumerLogin, PlatformSettings},
    };
    use tertulia_emulator::{AppInstall, Emulator, EmulatorConfig};

    const PATIENCE: Duration = Duration::from_secs(60);

    /// Runs an example with a stand-in and a system that has no connections yet.
    pub fn run(example: impl AsyncFnOnce(&Tertulia, &Emulator) -> Result<(), Box<dyn Error>>) {
        actix_rt::System::new().block_on(async {
            let app = Some(AppInstall::new("app", "app-secret"));
            let emulator = Emulator::start(EmulatorConfig { app, ..EmulatorConfig::default() }).unwrap();
            let platform = PlatformSettings {
                discovery: format!("https://{}", emulator.listen()),
                authorities: vec![emulator.ca_pem().to_owned()],
                ..PlatformSettings::default()
            };
            let tertulia = Tertulia::builder().platform(platform).arbiters(NonZeroUsize::MIN).start().unwrap();
            tokio::time::timeout(PATIENCE, example(&tertulia, &emulator)).await.expect("not done in time").unwrap();
            tertulia.stop(PATIENCE).await;
        });
    }

    /// A ready bot that accepts every offer.
    pub async fn bot(tertulia: &Tertulia) -> ConnectionHandle {
        let login = AgentLogin::Password { username: "bot1".into(), password: "secret".into() };
        ready(tertulia.connect(ConnectionSettings::bot("bots-1", "12345678", login)).unwrap()).await
    }

    /// A ready consumer.
    pub async fn ann(tertulia: &Tertulia) -> ConnectionHandle {
        ready(tertulia.connect(ConnectionSettings::consumer("ann", "12345678", ConsumerLogin::SignUp)).unwrap()).await
    }

    /// A conversation of a simulated consumer that says "hello", as its bot sees it.
    pub async fn conversation(bot: &ConnectionHandle, emulator: &Emulator) -> ConversationHandle {
        let id = emulator.create_conversation(None, None);
        emulator.say(&id, "hello").unwrap();
        let id = ConversationId::from(id);
        loop {
            if let Some(conversation) = bot.conversation(&id).filter(|seen| seen.outline().stage().is_some()) {
                return conversation;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn ready(connection: ConnectionHandle) -> ConnectionHandle {
        connection.ready(PATIENCE).await.unwrap();
        connection
    }
}
