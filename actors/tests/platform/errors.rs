//! What the errors of the library say: one error for every mistake of role, and the causes of each error.

use std::{error::Error, io, time::Duration};

use serde_json::Value;
use tertulia_actors::{
    ConnectionHandle, StartError,
    connection::{ConnectionError, RequestError, Role},
    conversation::ConversationError,
    core::{
        command::{CommandError, Refusal},
        id::ConversationId,
        rest::RestRequest,
        session::PolicyError,
        ums::{AgentState, AnswerError, Nothing, Request, UserProfile},
        webhook::SignatureError,
    },
    files::FileError,
    intake::IntakeSettings,
    platform::{
        AgentLogin, AppCredentials, HttpError, Platform, PlatformSettings, ProxyError, Service, StepUp, TokenError,
    },
};
use tertulia_emulator::EmulatorConfig;

use crate::stage::{Stage, bot, consumer};

const AGENT: &[Role] = &[Role::Agent];
const CONSUMER: &[Role] = &[Role::Consumer];
const SOCKET: &[Role] = &[Role::Agent, Role::Consumer];
const FOR_CONSUMERS: &[Role] = &[Role::Connector, Role::Intake];
const WEBHOOK: &[Role] = &[Role::Connector, Role::Intake, Role::RestAgent];

/// Each method, and the roles that have it.
const METHODS: [(&str, &[Role]); 22] = [
    ("shift_status", AGENT),
    ("watch_shifts", AGENT),
    ("bearer", AGENT),
    ("skills", AGENT),
    ("message_statistics", AGENT),
    ("agent_profile", AGENT),
    ("answer_ring", AGENT),
    ("accept_ring", AGENT),
    ("set_agent_state", AGENT),
    ("create_conversation", CONSUMER),
    ("set_user_profile", CONSUMER),
    ("step_up", CONSUMER),
    ("user_profile", SOCKET),
    ("request", SOCKET),
    ("identity", SOCKET),
    ("ask_platform", SOCKET),
    ("subscribe_conversations", SOCKET),
    ("receive_webhook", WEBHOOK),
    ("expects_webhook", WEBHOOK),
    ("load", WEBHOOK),
    ("create_conversation_for", FOR_CONSUMERS),
    ("rest", &[Role::RestAgent]),
];

async fn call(connection: &ConnectionHandle, method: &str) -> Option<ConnectionError> {
    let long = Duration::from_secs(60);
    match method {
        "shift_status" => connection.shift_status().await.err(),
        "watch_shifts" => connection.watch_shifts(long).await.err(),
        "bearer" => connection.bearer().await.err(),
        "skills" => connection.skills().await.err(),
        "message_statistics" => connection.message_statistics(None).await.err(),
        "agent_profile" => connection.agent_profile("6f-1".into()).await.err(),
        "answer_ring" => connection.answer_ring("r".into(), true).await.err(),
        "accept_ring" => connection.accept_ring("r".into(), long).await.err(),
        "set_agent_state" => connection.set_agent_state(AgentState::Away).await.err(),
        "create_conversation" => connection.create_conversation(Default::default()).await.err(),
        "set_user_profile" => connection.set_user_profile(&UserProfile::default()).await.err(),
        "step_up" => connection.step_up(StepUp { connector: "101".to_owned(), code: "ann".into() }).await.err(),
        "user_profile" => connection.user_profile(None).await.err(),
        "request" => connection.request(".GetClock", Value::Null, Vec::new(), Vec::new()).await.err(),
        "identity" => connection.identity().await.err(),
        "ask_platform" => connection.ask_platform(Request::GetClock(Nothing {})).await.err(),
        "subscribe_conversations" => connection.subscribe_conversations(Default::default()).await.err(),
        "receive_webhook" => connection.receive_webhook(None, Default::default()).await.err(),
        "expects_webhook" => connection.expects_webhook(None).err(),
        "load" => connection.load("").await.err(),
        "create_conversation_for" => {
            connection.create_conversation_for("ann".into(), Default::default(), Default::default()).await.err()
        }
        "rest" => connection.rest(RestRequest::Conversation("c".into())).await.err(),
        other => panic!("{other}"),
    }
}

#[actix_rt::test]
async fn a_mistake_of_role_names_the_method_the_connection_and_its_role() {
    let stage = Stage::set(EmulatorConfig::default());
    let app = || AppCredentials { client_id: "c".to_owned(), secret: "s".into() };
    let agent = Some(AgentLogin::Password { username: "bot2".to_owned(), password: "secret".into() });
    let connections = [
        (Role::Agent, stage.tertulia.connect(bot(1)).unwrap()),
        (Role::Consumer, stage.tertulia.connect(consumer("ann")).unwrap()),
        (Role::Connector, stage.tertulia.connect_intake(IntakeSettings::connector("hook", "12345678", app())).unwrap()),
        (Role::Intake, stage.tertulia.connect_intake(IntakeSettings::intake("worker", "12345678", app())).unwrap()),
        (
            Role::RestAgent,
            stage
                .tertulia
                .connect_intake(IntakeSettings { agent, ..IntakeSettings::intake("rest", "12345678", app()) })
                .unwrap(),
        ),
    ];
    for (role, connection) in &connections {
        assert_eq!(connection.role(), Some(*role));
        for (method, _) in METHODS.iter().filter(|(_, roles)| !roles.contains(role)) {
            let (refused, id) = (call(connection, method).await, connection.id().clone());
            assert_eq!(refused, Some(ConnectionError::NotSupported { connection: id, method, role: *role }));
        }
    }
    let refused = call(&connections[2].1, "create_conversation").await.unwrap();
    assert_eq!(refused.to_string(), "connection hook does not support create_conversation: its role is connector");
    let nowhere = stage.tertulia.connection(&"nowhere".into());
    for (method, _) in METHODS {
        assert_eq!(call(&nowhere, method).await, Some(ConnectionError::UnknownConnection("nowhere".into())));
    }
}

/// The texts of the causes of `error`, the nearest first.
fn causes(error: &dyn Error) -> Vec<String> {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    causes.map(ToString::to_string).collect()
}

#[test]
fn an_error_names_its_cause() {
    let refused = || AnswerError::Refused { code: 400, text: "no".to_owned() };
    let proxy = || ProxyError::Refused { proxy: "p:1".to_owned(), status: 407 };
    let http = || HttpError::Proxy { service: Service::Identity, host: "h".to_owned(), error: proxy() };
    let policy = PolicyError::TooSmall { limit: "keep_alive_every" };
    assert_eq!(causes(&StartError::Policy { connection: "c".into(), source: policy }), [policy.to_string()],);
    assert_eq!(causes(&StartError::Thread(io::Error::other("no thread"))), ["no thread"]);
    assert_eq!(causes(&http()), [proxy().to_string()]);
    assert_eq!(causes(&ConnectionError::from(http())), [proxy().to_string()]);
    assert_eq!(causes(&FileError::NoAddress(refused().into())), [refused().to_string()]);
    assert_eq!(causes(&FileError::from(http())), [proxy().to_string()]);
    let authorities = vec!["-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n".to_owned()];
    let refused_authority = Platform::new(PlatformSettings { authorities, ..PlatformSettings::default() });
    let refused_authority = StartError::from(refused_authority.err().unwrap());
    assert_eq!(causes(&refused_authority).len(), 1, "{refused_authority}");
}

/// An error that adds nothing to its cause says what the cause says.
#[test]
fn an_error_that_wraps_another_says_the_same() {
    let answer = AnswerError::Refused { code: 400, text: "no".to_owned() };
    let request = RequestError::from(answer.clone());
    let invalid = CommandError { conversation: ConversationId::from("c"), refusal: Refusal::NoOpenDialog };
    let token = TokenError::Refused("no".to_owned());
    for (wrapped, own) in [
        (&request as &dyn Error, &answer as &dyn Error),
        (&ConnectionError::from(request.clone()), &request),
        (&ConnectionError::from(SignatureError::Missing), &SignatureError::Missing),
        (&ConversationError::from(answer.clone()), &answer),
        (&ConversationError::from(invalid.clone()), &invalid),
        (&FileError::from(ConversationError::Overloaded), &ConversationError::Overloaded),
        (&HttpError::from(token.clone()), &token),
    ] {
        assert_eq!(wrapped.to_string(), own.to_string());
    }
}
