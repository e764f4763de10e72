//! `connections.login`: the credentials of one connection in one of several forms, and which role accepts which form.

use secrecy::{ExposeSecret as _, SecretString};
use tertulia_actors::platform::{AgentLogin, AppCredentials, ConsumerLogin};

use super::field::Field;

/// How a connection logs in: its side of conversations and its credentials.
#[derive(Debug, Clone)]
pub enum Access {
    /// An agent or bot.
    Brand(AgentLogin),
    /// One consumer.
    Consumer(ConsumerLogin),
    /// Many consumers, through the Send API and webhooks.
    Connector(AppCredentials),
    /// Webhooks only, without a socket.
    Intake {
        /// The application whose webhooks arrive.
        app: AppCredentials,
        /// The agent that the connection acts as, over REST; `None` without a complete set of an agent's keys.
        agent: Option<AgentLogin>,
    },
}

/// A connection's side of conversations, and its way to the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Brand,
    Consumer,
    Connector,
    Intake,
}

/// A session that the platform allows only once at a time: the kind of the user, and the user.
pub(super) type Session = (&'static str, String);

/// The credentials of one connection, as written in the configuration.
#[derive(Debug)]
pub(super) enum Login {
    /// An agent's user name and password.
    Password {
        /// Login name.
        username: String,
        /// The login's password.
        password: SecretString,
    },
    /// A bot's OAuth1 keys, or OAuth2 client credentials in the same members.
    KeySet(KeySet),
    /// A token obtained elsewhere; the service cannot renew it.
    Bearer {
        /// The token.
        bearer: SecretString,
        /// The token's user.
        user_id: String,
    },
    /// A session of an agent that another program has begun. The service renews the session.
    Session {
        /// The session's token.
        bearer: SecretString,
        /// The user id of the session.
        user_id: String,
        /// The secret that renews the session.
        csrf: SecretString,
        /// The session's id.
        session_id: SecretString,
    },
    /// A token that the platform issued to the consumer at an earlier login.
    Jwt(SecretString),
    /// A SAML assertion of an agent, or the signed identity of a consumer.
    Assertion(SecretString),
    /// The signed identity of a consumer, or its authorization code, for a connector of authenticated consumers.
    AssertionFor {
        /// The connector's id.
        connector: String,
        /// The signed identity or the authorization code from the brand.
        assertion: SecretString,
    },
    /// A connector of anonymous consumers.
    Connector(String),
    /// An application installation, which sends for many consumers and signs its webhooks.
    Application(AppCredentials),
}

/// A bot's keys.
#[derive(Debug)]
pub(super) struct KeySet {
    /// Login name.
    username: String,
    /// Consumer key, or client id.
    app_key: String,
    /// Consumer secret, or client secret.
    secret: SecretString,
    access_token: SecretString,
    access_token_secret: SecretString,
}

/// The forms as people write them, for the error message.
const FORMS: &str = "{ username, password } | { username, app_key, secret, access_token, access_token_secret } | \
                     { bearer, user_id } | { bearer, user_id, csrf, session_id } | { jwt } | { assertion } | \
                     { assertion, connector } | { connector } | { app_key, secret }";

/// Every key of a login, to find the nearest key to a misspelt key.
const KEYS: [&str; 13] = [
    "username",
    "password",
    "app_key",
    "secret",
    "access_token",
    "access_token_secret",
    "bearer",
    "user_id",
    "csrf",
    "session_id",
    "jwt",
    "assertion",
    "connector",
];

impl Login {
    /// Chooses the form whose keys are exactly the given keys.
    pub(super) fn read(field: Field<'_>) -> Option<Self> {
        if !field.is_present() {
            return None;
        }
        let (reading, place, path) = (field.reading, field.place.clone(), field.path.clone());
        let mut section = field.section();
        let keys = section.keys();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        match keys.as_slice() {
            ["password", "username"] => {
                let username = section.field("username").text_or_secret();
                let password = section.field("password").secret();
                Some(Self::Password { username: username?, password: password? })
            }
            ["access_token", "access_token_secret", "app_key", "secret", "username"] => {
                let username = section.field("username").text_or_secret();
                let app_key = section.field("app_key").text_or_secret();
                let secret = section.field("secret").secret();
                let access_token = section.field("access_token").secret();
                let access_token_secret = section.field("access_token_secret").secret();
                Some(Self::KeySet(KeySet {
                    username: username?,
                    app_key: app_key?,
                    secret: secret?,
                    access_token: access_token?,
                    access_token_secret: access_token_secret?,
                }))
            }
            ["bearer", "user_id"] => {
                let bearer = section.field("bearer").secret();
                let user_id = section.field("user_id").text_or_secret();
                Some(Self::Bearer { bearer: bearer?, user_id: user_id? })
            }
            ["bearer", "csrf", "session_id", "user_id"] => {
                let bearer = section.field("bearer").secret();
                let user_id = section.field("user_id").text_or_secret();
                let csrf = section.field("csrf").secret();
                let session_id = section.field("session_id").secret();
                Some(Self::Session { bearer: bearer?, user_id: user_id?, csrf: csrf?, session_id: session_id? })
            }
            ["jwt"] => section.field("jwt").secret().map(Self::Jwt),
            ["assertion"] => section.field("assertion").secret().map(Self::Assertion),
            ["assertion", "connector"] => {
                let assertion = section.field("assertion").secret();
                let connector = section.field("connector").text_or_secret();
                Some(Self::AssertionFor { connector: connector?, assertion: assertion? })
            }
            ["connector"] => section.field("connector").text_or_secret().map(Self::Connector),
            ["app_key", "secret"] => {
                let client_id = section.field("app_key").text_or_secret();
                let secret = section.field("secret").secret();
                Some(Self::Application(AppCredentials { client_id: client_id?, secret: secret? }))
            }
            _ => {
                for key in KEYS {
                    section.field(key);
                }
                // A misspelt key also makes the form incomplete, so only one of the two mistakes is reported.
                if section.finish() {
                    reading.report(&place, &path, format!("a login must have exactly the keys of one of {FORMS}"));
                }
                None
            }
        }
    }
}

impl Login {
    /// Returns how `role` logs in with this login, or an error text if `role` does not accept such a login.
    pub(super) fn access(self, role: Role) -> Result<Access, &'static str> {
        match (role, self) {
            (Role::Brand, Self::Password { username, password }) => {
                Ok(Access::Brand(AgentLogin::Password { username, password }))
            }
            (Role::Brand, Self::KeySet(keys)) => Ok(Access::Brand(keys.agent())),
            (Role::Brand, Self::Bearer { bearer, user_id }) => {
                Ok(Access::Brand(AgentLogin::Bearer { bearer, user_id }))
            }
            (Role::Brand, Self::Session { bearer, user_id, csrf, session_id }) => {
                Ok(Access::Brand(AgentLogin::Session { bearer, user_id, csrf, session_id }))
            }
            (Role::Brand, Self::Assertion(assertion)) => Ok(Access::Brand(AgentLogin::Assertion(assertion))),
            (Role::Brand, _) => Err("role \"brand\" needs an agent's { username, password }, \
                 { username, app_key, secret, access_token, access_token_secret }, { bearer, user_id }, \
                 { bearer, user_id, csrf, session_id } or { assertion }"),
            (Role::Consumer, Self::Bearer { bearer: token, .. } | Self::Jwt(token)) => {
                Ok(Access::Consumer(ConsumerLogin::Token(token)))
            }
            (Role::Consumer, Self::Assertion(token)) => {
                Ok(Access::Consumer(ConsumerLogin::Authenticated { connector: None, token }))
            }
            (Role::Consumer, Self::AssertionFor { connector, assertion: token }) => {
                Ok(Access::Consumer(ConsumerLogin::Authenticated { connector: Some(connector), token }))
            }
            (Role::Consumer, Self::Connector(connector)) => {
                Ok(Access::Consumer(ConsumerLogin::Anonymous { connector }))
            }
            (Role::Consumer, _) => {
                Err("role \"consumer\" needs { jwt }, { bearer, user_id }, { assertion }, { assertion, connector } or \
                 { connector }, or no login for an anonymous consumer")
            }
            (Role::Connector, Self::Application(app)) => Ok(Access::Connector(app)),
            (Role::Connector, Self::KeySet(keys)) => Ok(Access::Connector(keys.app())),
            (Role::Intake, Self::Application(app)) => Ok(Access::Intake { app, agent: None }),
            (Role::Intake, Self::KeySet(keys)) => Ok(Access::Intake { app: keys.app(), agent: Some(keys.agent()) }),
            (Role::Connector | Role::Intake, _) => {
                Err("roles \"connector\" and \"intake\" need their application's { app_key, secret }")
            }
        }
    }

    /// The session that an agent or consumer has with this login; `None` if each login creates a new session.
    pub(super) fn session(&self) -> Option<Session> {
        match self {
            Self::Password { username, .. } | Self::KeySet(KeySet { username, .. }) => {
                Some(("agent", username.clone()))
            }
            Self::Bearer { user_id, .. } | Self::Session { user_id, .. } => Some(("user", user_id.clone())),
            Self::Jwt(jwt) => Some(("token", jwt.expose_secret().to_owned())),
            Self::Assertion(assertion) | Self::AssertionFor { assertion, .. } => {
                Some(("assertion", assertion.expose_secret().to_owned()))
            }
            Self::Connector(_) | Self::Application(_) => None,
        }
    }
}

impl KeySet {
    fn app(&self) -> AppCredentials {
        AppCredentials { client_id: self.app_key.clone(), secret: self.secret.clone() }
    }

    fn agent(self) -> AgentLogin {
        AgentLogin::ApiKey {
            username: self.username,
            app_key: self.app_key.into(),
            secret: self.secret,
            access_token: self.access_token,
            access_token_secret: self.access_token_secret,
        }
    }
}
