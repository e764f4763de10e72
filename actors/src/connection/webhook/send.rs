//! One request by the Send API: its tokens, the repetition after a refused token, and the interpretation of the
//! response.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;
use tertulia_core::{id::ExternalConsumerId, ums::AnswerError};
use tokio::{sync::Semaphore, time::timeout};

use super::{grant::NotGranted, tokens::Tokens};
use crate::{
    platform::{HttpError, PlatformClient, SendAnswer, SendFailure, SendLetter, SendPath, Service},
    request::RequestError,
};

/// The error codes that say which token is refused (protocol [§10.3](crate::protocol#103)).
const APP_TOKEN_REFUSED: u32 = 40102;
const CONSUMER_TOKEN_REFUSED: u32 = 40103;

/// Access to the Send API, shared by all requests of one connection: one HTTP client and one set of tokens.
#[derive(Clone)]
pub(super) struct Sender {
    pub(super) client: PlatformClient,
    pub(super) tokens: Arc<Tokens>,
    /// A header of every request (protocol [§10.3](crate::protocol#103)).
    pub(super) client_properties: Arc<str>,
    pub(super) turns: Arc<Semaphore>,
    pub(super) within: Duration,
}

/// Which token a response refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refused {
    App,
    Consumer,
}

impl Sender {
    /// Sends `body` for `consumer`. Returns the platform's response, success or refusal, as a frame.
    pub(super) async fn send(
        self,
        path: SendPath,
        consumer: ExternalConsumerId,
        body: String,
    ) -> Result<Bytes, RequestError> {
        let Ok(Ok(_turn)) = timeout(self.within, Arc::clone(&self.turns).acquire_owned()).await else {
            return Err(RequestError::Overloaded);
        };
        match timeout(self.within, self.send_with_tokens(path, &consumer, body)).await {
            Ok(answer) => answer,
            Err(_) => Err(RequestError::TimedOut),
        }
    }

    async fn send_with_tokens(
        &self,
        path: SendPath,
        consumer: &ExternalConsumerId,
        body: String,
    ) -> Result<Bytes, RequestError> {
        let app = self.tokens.app(&self.client, None).await.map_err(no_app_token)?;
        let (app, token) = match self.tokens.consumer(&self.client, &app, consumer, None).await {
            Err(error) if error.status() == Some(401) => {
                let app = self.tokens.app(&self.client, Some(&app)).await.map_err(no_app_token)?;
                let token =
                    self.tokens.consumer(&self.client, &app, consumer, None).await.map_err(no_consumer_token)?;
                (app, token)
            }
            token => (app, token.map_err(no_consumer_token)?),
        };
        let answer = self.post(path, &app, &token, body.clone()).await?;
        let (app, token) = match refused_token(&answer) {
            None => return Ok(frame(answer)),
            Some(Refused::App) => (self.tokens.app(&self.client, Some(&app)).await.map_err(no_app_token)?, token),
            Some(Refused::Consumer) => {
                let renewed = self.tokens.consumer(&self.client, &app, consumer, Some(&token)).await;
                (app, renewed.map_err(no_consumer_token)?)
            }
        };
        self.post(path, &app, &token, body).await.map(frame)
    }

    async fn post(
        &self,
        path: SendPath,
        app: &SecretString,
        consumer: &SecretString,
        body: String,
    ) -> Result<SendAnswer, RequestError> {
        let letter = SendLetter { app, consumer, client_properties: &self.client_properties, body };
        self.client.send_for_consumer(path, letter).await.map_err(|failure| match failure {
            SendFailure::NotSent(error) => {
                tracing::debug!(%error, "not sent");
                RequestError::Overloaded
            }
            SendFailure::Unanswered(error) => {
                tracing::debug!(%error, "sent without an answer");
                RequestError::ConnectionLost
            }
        })
    }
}

/// Without a token nothing was sent. The request may be sent again, unless the platform refuses an application that it
/// never accepted.
fn no_app_token(NotGranted { error, is_final, .. }: NotGranted) -> RequestError {
    tracing::debug!(%error, "no token for the application");
    match error.status() {
        Some(code) if is_final => AnswerError::Refused { code, text: error.to_string() }.into(),
        _ => RequestError::Overloaded,
    }
}

/// If the platform does not accept the consumer's name, the request cannot be sent again.
fn no_consumer_token(error: HttpError) -> RequestError {
    tracing::debug!(%error, "no token for the consumer");
    match error {
        HttpError::Status { service: Service::Identity, status: code @ (400 | 404), .. } => {
            AnswerError::Refused { code, text: error.to_string() }.into()
        }
        _ => RequestError::Overloaded,
    }
}

#[derive(Deserialize)]
struct Refusal {
    body: RefusalBody,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RefusalBody {
    error_code: u32,
}

/// Returns which token to renew; the application's token if the platform does not say.
fn refused_token(answer: &SendAnswer) -> Option<Refused> {
    if answer.status != 401 {
        return None;
    }
    match serde_json::from_slice::<Refusal>(&answer.body).map(|refusal| refusal.body.error_code) {
        Ok(CONSUMER_TOKEN_REFUSED) => Some(Refused::Consumer),
        Ok(APP_TOKEN_REFUSED) | Err(_) => Some(Refused::App),
        Ok(_) => None,
    }
}

/// Returns the response as a frame. A refusal in another form, such as a proxy's page, is converted into one.
fn frame(SendAnswer { status, body }: SendAnswer) -> Bytes {
    #[derive(Deserialize)]
    struct Coded {
        #[serde(rename = "code")]
        _code: serde::de::IgnoredAny,
    }

    if status < 400 || serde_json::from_slice::<Coded>(&body).is_ok() {
        return body;
    }
    // The request contained tokens, which a page may repeat.
    json!({ "kind": "resp", "code": status, "body": "the answer is not of the Send API" }).to_string().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &'static str) -> SendAnswer {
        SendAnswer { status, body: Bytes::from_static(body.as_bytes()) }
    }

    #[test]
    fn the_error_code_tells_which_token_is_renewed() {
        for (status, body, renewed) in [
            (401, r#"{"kind":"resp","code":401,"body":{"errorCode":40102}}"#, Some(Refused::App)),
            (401, r#"{"kind":"resp","code":401,"body":{"errorCode":40103}}"#, Some(Refused::Consumer)),
            (401, r#"{"kind":"resp","code":401,"body":{"errorCode":40105}}"#, None),
            (401, "expired", Some(Refused::App)),
            (400, r#"{"kind":"resp","code":400,"body":{"errorCode":40102}}"#, None),
            (200, r#"{"reqId":"1","code":"OK","body":{}}"#, None),
        ] {
            assert_eq!(refused_token(&answer(status, body)), renewed, "{body}");
        }
    }

    #[test]
    fn a_refusal_that_is_no_frame_becomes_one() {
        let page = frame(answer(502, "<html>bad gateway</html>"));
        assert_eq!(&page[..], br#"{"body":"the answer is not of the Send API","code":502,"kind":"resp"}"#);
        let refusal = r#"{"kind":"resp","code":429,"body":"slow down"}"#;
        assert_eq!(&frame(answer(429, refusal))[..], refusal.as_bytes());
    }
}
