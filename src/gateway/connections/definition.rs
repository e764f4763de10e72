//! The definition of a connection in a request, for the OpenAPI document only. The reader of the configuration parses
//! the request.

#![expect(dead_code, reason = "only for the OpenAPI document")]

use serde::Serialize;
use utoipa::ToSchema;

/// A connection to add, with the members of `[[connections]]` in the configuration.
#[derive(Serialize, ToSchema)]
pub(super) struct ConnectionDefinition {
    /// Unique, 1 to 64 of the characters `A-Z a-z 0-9 . _ ~ -`.
    id: String,
    /// The account at the platform: letters and digits.
    account: String,
    role: ConnectionRole,
    /// The credentials. A consumer without a login is anonymous.
    #[serde(skip_serializing_if = "Option::is_none")]
    login: Option<ConnectionLogin>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proxy: Option<ConnectionProxy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_properties: Option<ClientProperties>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nodes: Option<ConnectionNodes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subscribe: Option<ConnectionSubscription>,
    /// How rings are handled; `off` by default. Only for the role `brand`.
    #[serde(skip_serializing_if = "Option::is_none")]
    rings: Option<RingHandling>,
    /// Whether messages from before the connection also become events. `beginning`, the default, means yes.
    #[serde(skip_serializing_if = "Option::is_none")]
    history: Option<ConnectionHistory>,
    /// The agent's state after each connect. Only for the role `brand`.
    #[serde(skip_serializing_if = "Option::is_none")]
    agent_state: Option<DefinedAgentState>,
}

/// The role of a connection in conversations. A `connector` acts for many consumers. An `intake` only receives the
/// platform's webhooks.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum ConnectionRole {
    Brand,
    Consumer,
    Connector,
    Intake,
}

/// The credentials of a connection, in one of the forms that its role accepts.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
enum ConnectionLogin {
    Password(PasswordLogin),
    Keys(KeyLogin),
    Session(SessionLogin),
    Bearer(BearerLogin),
    Jwt(JwtLogin),
    ConnectorAssertion(ConnectorAssertionLogin),
    Assertion(AssertionLogin),
    Connector(ConnectorLogin),
    Application(ApplicationLogin),
}

/// An agent's user name and password.
#[derive(Serialize, ToSchema)]
struct PasswordLogin {
    username: Credential,
    password: Credential,
}

/// A bot's keys.
#[derive(Serialize, ToSchema)]
struct KeyLogin {
    username: Credential,
    app_key: Credential,
    secret: Credential,
    access_token: Credential,
    access_token_secret: Credential,
}

/// A token that another program has obtained, and its user id.
#[derive(Serialize, ToSchema)]
struct BearerLogin {
    bearer: Credential,
    user_id: Credential,
}

/// An agent's session that another program has begun.
#[derive(Serialize, ToSchema)]
struct SessionLogin {
    bearer: Credential,
    user_id: Credential,
    csrf: Credential,
    session_id: Credential,
}

/// A consumer's token from an earlier login.
#[derive(Serialize, ToSchema)]
struct JwtLogin {
    jwt: Credential,
}

/// The signed identity of a consumer, or its authorization code, for a connector of authenticated consumers.
#[derive(Serialize, ToSchema)]
struct ConnectorAssertionLogin {
    assertion: Credential,
    connector: Credential,
}

/// An anonymous consumer of a connector.
#[derive(Serialize, ToSchema)]
struct ConnectorLogin {
    connector: Credential,
}

/// A SAML assertion of an agent, or the signed identity of a consumer.
#[derive(Serialize, ToSchema)]
struct AssertionLogin {
    assertion: Credential,
}

/// An installed application.
#[derive(Serialize, ToSchema)]
struct ApplicationLogin {
    app_key: Credential,
    secret: Credential,
}

/// A credential: the text itself, or a reference to an environment variable or a file with the text.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
enum Credential {
    Text(String),
    Environment(EnvironmentVariable),
    File(CredentialFile),
}

/// An environment variable of the service, which `[gateway] secrets` must allow.
#[derive(Serialize, ToSchema)]
struct EnvironmentVariable {
    env: String,
}

/// A file on the machine of the service, which `[gateway] secrets` must allow.
#[derive(Serialize, ToSchema)]
struct CredentialFile {
    file: String,
}

/// Which nodes may run the connection, where several share the data.
#[derive(Serialize, ToSchema)]
struct ConnectionNodes {
    /// Only nodes with one of these labels or names may.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    only: Vec<String>,
    /// Nodes with one of these labels or names may not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not: Vec<String>,
    /// How much work the connection is in proportion to others: 1 by default, 8 for a connector.
    #[schema(minimum = 1, maximum = 1000)]
    #[serde(skip_serializing_if = "Option::is_none")]
    weight: Option<u16>,
}

/// An HTTP proxy between the connection and the platform.
#[derive(Serialize, ToSchema)]
struct ConnectionProxy {
    host: String,
    #[schema(minimum = 1)]
    port: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<Credential>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<Credential>,
}

/// The device that the connection reports to the platform.
#[derive(Serialize, ToSchema)]
struct ClientProperties {
    app_id: Option<String>,
    app_version: Option<String>,
    ip_address: Option<String>,
    /// `DESKTOP`, `TABLET`, `MOBILE`, `PDA`, `OTHER` or `UNKNOWN`.
    device_family: Option<String>,
    /// `WINDOWS`, `LINUX`, `OSX`, `ANDROID`, `IOS` or `OTHER`.
    os: Option<String>,
    os_name: Option<String>,
    os_version: Option<String>,
    /// `WEB_SDK`, `MOBILE_SDK` or `BRAND_SDK`.
    integration: Option<String>,
    integration_version: Option<String>,
    browser: Option<String>,
    browser_version: Option<String>,
    time_zone: Option<String>,
    device_manufacture: Option<String>,
    device_model: Option<String>,
    features: Option<Vec<String>>,
}

/// The conversations that the connection sees.
#[derive(Serialize, ToSchema)]
struct ConnectionSubscription {
    /// The stages; `OPEN` by default, and for a consumer also `CLOSE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    stage: Option<Vec<SubscribedStage>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agents: Option<SubscribedAgents>,
}

/// A stage of conversations.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
enum SubscribedStage {
    Open,
    Close,
    Locked,
}

/// Whose conversations: `self` (the default), `all`, or the ids of agents.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
enum SubscribedAgents {
    Word(SubscribedAgentsWord),
    Listed(Vec<String>),
}

/// The login's own conversations, or those of all agents.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum SubscribedAgentsWord {
    #[serde(rename = "self")]
    Own,
    All,
}

/// What happens to a ring: the service accepts it, a caller decides, or the connection does not receive rings.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum RingHandling {
    Accept,
    Manual,
    Off,
}

/// Where the history that becomes events begins.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum ConnectionHistory {
    Beginning,
    FirstSeen,
}

/// Which rings an agent gets.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum DefinedAgentState {
    Online,
    Occupied,
    BackSoon,
    Away,
    Offline,
}
