//! The identities of a connector: the application's token and the tokens of its consumers (protocol
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

/// The assumed lifetime of a token that does not state one: less than the platform's hour.
const USUAL_LIFE: jiff::SignedDuration = jiff::SignedDuration::from_mins(30);

/// The installation of an application on the account (protocol [§10.1](crate::protocol#101)).
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
    /// When the token expires.
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

/// The claims used here; times are in seconds.
#[derive(Default, Deserialize)]
struct Claims {
    exp: Option<i64>,
    /// The platform's id of the token's consumer.
    lp_consumer_id: Option<String>,
}

impl PlatformClient {
    /// Checks an application's credentials by requesting a token.
    ///
    /// # Errors
    /// [`HttpError`].
    pub async fn try_app(&self, app: &AppCredentials) -> Result<(), HttpError> {
        self.app_token(app).await.map(drop)
    }

    /// Requests the application's token, within the login rate.
    ///
    /// # Errors
    /// [`HttpError`]; its `login_refusal` says whether a repetition can help.
    pub(crate) async fn app_token(&self, app: &AppCredentials) -> Result<AppToken, HttpError> {
        self.platform.turns.log_in(&self.account).await;
        let service = Service::Sentinel;
        let host = self.host(service).await?;
        let path = format!("/sentinel/api/account/{}/app/token?v=1.0&grant_type=client_credentials", self.account);
        let call = Call { service, host, path, headers: Vec::new(), body: None };
        let form = [("client_id", app.client_id.as_str()), ("client_secret", app.secret.expose_secret())];
        let Granted { access_token: token } = self.post_form(call, &form).await?;
        let stated = claims(&token).exp.and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
        let expires = stated.unwrap_or_else(|| jiff::Timestamp::now() + USUAL_LIFE);
        Ok(AppToken { token, expires })
    }

    /// Requests the token with which the application speaks for a consumer. The same name is always the same consumer.
    ///
    /// # Errors
    /// [`HttpError`]; 401 if the application's token is not accepted.
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
    /// The platform's id of the consumer, if the token has it.
    pub(crate) user_id: Option<UserId>,
}

/// Reads the claims of a token without checking its signature, because only the platform uses the token.
fn claims(token: &SecretString) -> Claims {
    let payload = token.expose_secret().split('.').nth(1).unwrap_or_default();
    let bytes = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}
