//! Who a connector is, and for whom it speaks: the application's token and its consumers' (protocol
//! [§10.2](crate::protocol#102)).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use tertulia_core::id::{ExternalConsumerId, UserId};

use super::{
    HttpError, PlatformClient, Service,
    http::{Call, read},
};

/// How long a token is believed to live that does not tell: less than the platform's hour.
const USUAL_LIFE: jiff::SignedDuration = jiff::SignedDuration::from_mins(30);

/// An application's installation on the account (protocol [§10.1](crate::protocol#101)).
#[derive(Clone, Debug)]
pub struct AppCredentials {
    /// Its client id.
    pub client_id: String,
    /// Its secret, which also signs its webhooks.
    pub secret: SecretString,
}

/// An application's token.
#[derive(Clone, Debug)]
pub(crate) struct AppToken {
    pub(crate) token: SecretString,
    /// When it ends.
    pub(crate) expires: jiff::Timestamp,
}

#[derive(Deserialize)]
struct Granted {
    access_token: SecretString,
}

#[derive(Deserialize)]
struct Signed {
    token: SecretString,
}

/// The claim that matters here, in seconds.
#[derive(Default, Deserialize)]
struct Claims {
    exp: Option<i64>,
    /// The platform's id of the consumer for whom the token is.
    lp_consumer_id: Option<String>,
}

impl PlatformClient {
    /// Checks an application's credentials: gets a token and drops it.
    ///
    /// # Errors
    /// [`HttpError`].
    pub async fn try_app(&self, app: &AppCredentials) -> Result<(), HttpError> {
        self.app_token(app).await.map(drop)
    }

    /// Gets the application's token when it is its turn.
    ///
    /// # Errors
    /// [`HttpError`]; its `login_refusal` tells whether repeating can help.
    pub(crate) async fn app_token(&self, app: &AppCredentials) -> Result<AppToken, HttpError> {
        self.platform.turns.log_in(&self.account).await;
        let service = Service::Sentinel;
        let host = self.host(service).await?;
        let path = format!("/sentinel/api/account/{}/app/token?v=1.0&grant_type=client_credentials", self.account);
        let call = Call { service, host, path, headers: Vec::new(), body: None };
        let form = [("client_id", app.client_id.as_str()), ("client_secret", app.secret.expose_secret())];
        let Granted { access_token: token } = self.post_form(call, &form).await?;
        let told = claims(&token).exp.and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
        let expires = told.unwrap_or_else(|| jiff::Timestamp::now() + USUAL_LIFE);
        Ok(AppToken { token, expires })
    }

    /// Gets the token by which the application speaks for a consumer. The same name is always the same consumer.
    ///
    /// # Errors
    /// [`HttpError`]; 401 where the application's token is not taken.
    pub(crate) async fn consumer_jws(
        &self,
        app: &SecretString,
        consumer: &ExternalConsumerId,
    ) -> Result<ConsumerToken, HttpError> {
        let service = Service::Identity;
        let host = self.host(service).await?;
        let path = format!("/api/account/{}/consumer?v=1.0", self.account);
        let headers = vec![("authorization", app.expose_secret().to_owned())];
        let body = json!({ "ext_consumer_id": consumer });
        let call = Call { service, host: host.clone(), path, headers, body: Some(&body) };
        let Signed { token } = read(&self.post(call).await?, service, &host)?;
        let user_id = claims(&token).lp_consumer_id.map(UserId::from);
        Ok(ConsumerToken { token, user_id })
    }
}

/// The token of a consumer for whom an application speaks.
#[derive(Debug)]
pub(crate) struct ConsumerToken {
    pub(crate) token: SecretString,
    /// The platform's id of the consumer, if the token tells it.
    pub(crate) user_id: Option<UserId>,
}

/// What a token says of itself. It is the platform's own, so its signature is not ours to check.
fn claims(token: &SecretString) -> Claims {
    let payload = token.expose_secret().split('.').nth(1).unwrap_or_default();
    let bytes = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}
