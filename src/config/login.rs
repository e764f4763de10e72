//! `connections.login`: the credentials of one connection, in one of five forms.

use secrecy::SecretString;

use super::field::Field;

/// The credentials of one connection.
#[derive(Debug)]
pub enum Login {
    /// An agent's user name and password.
    Password {
        /// Login name.
        username: String,
        /// Its password.
        password: SecretString,
    },
    /// A bot's OAuth1 keys, or OAuth2 client credentials in the same members.
    KeySet {
        /// Login name.
        username: String,
        /// Consumer key, or client id.
        app_key: String,
        /// Consumer secret, or client secret.
        secret: SecretString,
        /// Access token.
        access_token: SecretString,
        /// Access token secret.
        access_token_secret: SecretString,
    },
    /// A token that somebody else obtained; it cannot be renewed.
    Bearer {
        /// The token.
        bearer: SecretString,
        /// Whose token it is.
        user_id: String,
    },
    /// A SAML assertion of an agent, or the signed identity of a consumer.
    Assertion {
        /// The assertion.
        assertion: SecretString,
    },
    /// An application installation, which sends for many consumers and signs its webhooks.
    Application {
        /// Client id.
        app_key: String,
        /// Client secret.
        secret: SecretString,
    },
}

/// The forms as people write them, for the message that names them all.
const FORMS: &str = "{ username, password } | { username, app_key, secret, access_token, access_token_secret } | \
                     { bearer, user_id } | { assertion } | { app_key, secret }";

/// Every key of a login, for the nearest one to a misspelt key.
const KEYS: [&str; 9] = [
    "username",
    "password",
    "app_key",
    "secret",
    "access_token",
    "access_token_secret",
    "bearer",
    "user_id",
    "assertion",
];

impl Login {
    /// The form is the one whose keys are exactly those that are there.
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
                Some(Self::KeySet {
                    username: username?,
                    app_key: app_key?,
                    secret: secret?,
                    access_token: access_token?,
                    access_token_secret: access_token_secret?,
                })
            }
            ["bearer", "user_id"] => {
                let bearer = section.field("bearer").secret();
                let user_id = section.field("user_id").text_or_secret();
                Some(Self::Bearer { bearer: bearer?, user_id: user_id? })
            }
            ["assertion"] => section.field("assertion").secret().map(|assertion| Self::Assertion { assertion }),
            ["app_key", "secret"] => {
                let app_key = section.field("app_key").text_or_secret();
                let secret = section.field("secret").secret();
                Some(Self::Application { app_key: app_key?, secret: secret? })
            }
            _ => {
                for key in KEYS {
                    section.field(key);
                }
                // A misspelt key makes the form incomplete too; saying it once is enough.
                if section.finish() {
                    reading.report(&place, &path, format!("a login is one of {FORMS}"));
                }
                None
            }
        }
    }
}
