//! A consumer's identity and its tokens (protocol [§2.3](crate::protocol#23)).

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use tertulia_core::{
    rest::segment,
    session::{LoginRefusal, TokenTimes},
    time::Timestamp,
};

use super::{
    HttpError, PlatformClient, Service,
    http::{Call, read},
};

/// How a consumer authenticates.
#[derive(Clone, Debug)]
pub enum ConsumerLogin {
    /// A new anonymous consumer, by the classic sign-up.
    SignUp,
    /// A new anonymous consumer, by a connector.
    Anonymous {
        /// The connector's id.
        connector: String,
    },
    /// A consumer that the brand vouches for.
    Authenticated {
        /// The connector's id; without it the classic call is used.
        connector: Option<String>,
        /// The brand's signed JWT, or an authorization code.
        token: SecretString,
    },
    /// A token from an earlier login ([CA-2](crate::rules#ca-2)).
    Token(SecretString),
}

/// A consumer's token, and what is needed to renew it for the same identity.
#[derive(Clone, Debug)]
pub struct ConsumerIdentity {
    /// The token that opens the socket.
    pub token: SecretString,
    renewal: Renewal,
}

/// How the next token for the same identity is requested.
#[derive(Clone, Debug)]
enum Renewal {
    /// In the same way as the first one.
    Again,
    /// For the anonymous identity of this external token.
    Anonymous(SecretString),
    /// Not at all: the token is kept as long as the platform accepts it.
    Never,
}

/// How an anonymous consumer gets an identity that the brand vouches for ([CA-4](crate::rules#ca-4)).
#[derive(Clone, Debug)]
pub struct StepUp {
    /// The connector of authenticated consumers.
    pub connector: String,
    /// The brand's proof of who the consumer is: an authorization code or its signed JWT.
    pub code: SecretString,
}

impl ConsumerIdentity {
    /// Returns the stored identity of an anonymous consumer: its token, and the external token that renews it, if there
    /// is one.
    pub(crate) fn stored(token: SecretString, external: Option<SecretString>) -> Self {
        Self { token, renewal: external.map_or(Renewal::Never, Renewal::Anonymous) }
    }

    /// The external token that renews the identity, if there is one.
    pub(crate) fn external(&self) -> Option<&SecretString> {
        match &self.renewal {
            Renewal::Anonymous(external) => Some(external),
            Renewal::Again | Renewal::Never => None,
        }
    }

    /// Whether the token is the only one of its identity, because it cannot be renewed.
    pub(crate) fn is_final(&self) -> bool {
        matches!(self.renewal, Renewal::Never)
    }

    /// Whether the token has expired and cannot be renewed for the identity.
    pub(crate) fn has_expired(&self, now: Timestamp) -> bool {
        let times = |token: &SecretString| TokenTimes::of(token.expose_secret());
        times(&self.token).has_expired(now)
            && match &self.renewal {
                Renewal::Again => false,
                Renewal::Anonymous(external) => !times(external).is_renewable(now),
                Renewal::Never => true,
            }
    }
}

#[derive(Deserialize)]
struct TokenAnswer {
    #[serde(alias = "jwt")]
    token: SecretString,
}

impl PlatformClient {
    /// Requests a consumer's token: the first token, or the next token of the identity `known`. If the identity cannot
    /// be renewed, or the platform refuses the renewal, it keeps its token; it never becomes another consumer
    /// ([CA-3](crate::rules#ca-3)).
    ///
    /// # Errors
    /// [`HttpError`]; its `login_refusal` says whether a repetition can help.
    pub async fn consumer_token(
        &self,
        login: &ConsumerLogin,
        known: Option<&ConsumerIdentity>,
    ) -> Result<ConsumerIdentity, HttpError> {
        if let Some(known @ ConsumerIdentity { renewal: Renewal::Never, .. }) = known {
            return Ok(known.clone());
        }
        let identity = |token, renewal| ConsumerIdentity { token, renewal };
        match login {
            ConsumerLogin::Token(token) => Ok(identity(token.clone(), Renewal::Never)),
            ConsumerLogin::SignUp => Ok(identity(self.identity("signup", None).await?, Renewal::Never)),
            ConsumerLogin::Anonymous { connector } => {
                let earlier = known.and_then(|known| Some((known, known.external()?)));
                let body = earlier.map_or_else(|| json!({}), |(_, old)| json!({ "id_token": old.expose_secret() }));
                let external = match (self.identity("anonymous/authorize", Some(body)).await, earlier) {
                    // The token may still be valid. If not, the platform refuses the first request on the socket.
                    (Err(error), Some((known, _))) if error.login_refusal() == LoginRefusal::Credentials => {
                        tracing::warn!(
                            account = %self.account, %error,
                            "the token of an anonymous consumer could not be renewed"
                        );
                        return Ok(known.clone());
                    }
                    (external, _) => external?,
                };
                let body = json!({ "id_token": external.expose_secret() });
                Ok(identity(self.authenticate(connector, body).await?, Renewal::Anonymous(external)))
            }
            ConsumerLogin::Authenticated { connector: Some(connector), token } => {
                let token = token.expose_secret();
                // A signed JWT has three parts; an authorization code is sent as in a step-up (protocol §2.3).
                let is_signed = token.split('.').count() == 3;
                let body = if is_signed { json!({ "id_token": token }) } else { json!({ "code": token }) };
                Ok(identity(self.authenticate(connector, body).await?, Renewal::Again))
            }
            ConsumerLogin::Authenticated { connector: None, token } => {
                let body = json!({ "authCode": token.expose_secret() });
                Ok(identity(self.identity("authenticate", Some(body)).await?, Renewal::Again))
            }
        }
    }

    /// Requests the token of the identity to which the consumer `present` steps up ([CA-4](crate::rules#ca-4)). The new
    /// identity cannot be renewed, because the brand's proof is often valid only once.
    ///
    /// # Errors
    /// [`HttpError`]; its `login_refusal` says whether a repetition can help.
    pub async fn stepped_up(
        &self,
        present: &ConsumerIdentity,
        step_up: &StepUp,
    ) -> Result<ConsumerIdentity, HttpError> {
        let body = json!({ "lp_jwt": present.token.expose_secret(), "code": step_up.code.expose_secret() });
        let token = self.authenticate(&step_up.connector, body).await?;
        Ok(ConsumerIdentity { token, renewal: Renewal::Never })
    }

    async fn authenticate(&self, connector: &str, body: Value) -> Result<SecretString, HttpError> {
        self.identity(&format!("app/{}/authenticate?v=3.0", segment(connector)), Some(body)).await
    }

    async fn identity(&self, operation: &str, body: Option<Value>) -> Result<SecretString, HttpError> {
        self.platform.turns.log_in(&self.account).await;
        let service = Service::Identity;
        let host = self.host(service).await?;
        let path = format!("/api/account/{}/{operation}", self.account);
        let call = Call { service, host: host.clone(), path, headers: Vec::new(), body: body.as_ref() };
        let TokenAnswer { token } = read(&self.post(call).await?, service, &host)?;
        Ok(token)
    }
}
