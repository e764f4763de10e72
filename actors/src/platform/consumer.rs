//! A consumer's identity and its tokens (protocol §2.3).

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    HttpError, PlatformClient, Service,
    http::{Call, read},
};

/// Who a consumer is.
#[derive(Clone, Debug)]
pub enum ConsumerLogin {
    /// A new anonymous consumer by the classic sign-up.
    SignUp,
    /// A new anonymous consumer by a connector.
    Anonymous {
        /// The connector's id.
        connector: String,
    },
    /// A consumer the brand vouches for.
    Authenticated {
        /// The connector's id; without it the classic call is used.
        connector: Option<String>,
        /// The brand's signed JWT, or an authorisation code.
        token: SecretString,
    },
    /// An identity from earlier (CA-2).
    Token(SecretString),
}

/// A consumer's token, and what is needed to get the next one for the same identity.
#[derive(Clone, Debug)]
pub struct ConsumerIdentity {
    /// The token that opens the socket.
    pub token: SecretString,
    external: Option<SecretString>,
}

#[derive(Deserialize)]
struct TokenAnswer {
    #[serde(alias = "jwt")]
    token: SecretString,
}

impl PlatformClient {
    /// Gets a consumer's token: the first one, or the next one for the identity `known`. An identity that cannot be
    /// renewed keeps its token, and never becomes another consumer (CA-3).
    ///
    /// # Errors
    /// [`HttpError`]; its `login_refusal` tells whether repeating can help.
    pub async fn consumer_token(
        &self,
        login: &ConsumerLogin,
        known: Option<&ConsumerIdentity>,
    ) -> Result<ConsumerIdentity, HttpError> {
        match (login, known) {
            (ConsumerLogin::Token(token), _) => Ok(ConsumerIdentity { token: token.clone(), external: None }),
            (ConsumerLogin::SignUp, Some(known)) => Ok(known.clone()),
            (ConsumerLogin::SignUp, None) => {
                let token = self.identity("signup", None).await?;
                Ok(ConsumerIdentity { token, external: None })
            }
            (ConsumerLogin::Anonymous { connector }, known) => {
                let earlier = known.and_then(|identity| identity.external.as_ref());
                let body = earlier.map_or_else(|| json!({}), |token| json!({ "id_token": token.expose_secret() }));
                let external = self.identity("anonymous/authorize", Some(body)).await?;
                let body = json!({ "id_token": external.expose_secret() });
                let token = self.identity(&format!("app/{connector}/authenticate?v=3.0"), Some(body)).await?;
                Ok(ConsumerIdentity { token, external: Some(external) })
            }
            (ConsumerLogin::Authenticated { connector: Some(connector), token }, _) => {
                let body = json!({ "id_token": token.expose_secret() });
                let token = self.identity(&format!("app/{connector}/authenticate?v=3.0"), Some(body)).await?;
                Ok(ConsumerIdentity { token, external: None })
            }
            (ConsumerLogin::Authenticated { connector: None, token }, _) => {
                let body = json!({ "authCode": token.expose_secret() });
                let token = self.identity("authenticate", Some(body)).await?;
                Ok(ConsumerIdentity { token, external: None })
            }
        }
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
