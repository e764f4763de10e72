//! One request by the Send API: its tokens, the repetition after a refused token, and the interpretation of the
//! response.

use std::sync::Arc;

use bytes::Bytes;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;
use tertulia_core::{id::ExternalConsumerId, ums::AnswerError};

use super::{
    tokens::Tokens,
    turns::{Turns, not_granted, send_renewing, unanswered},
};
use crate::{
    platform::{HttpError, PlatformClient, SendAnswer, SendLetter, SendPath, Service},
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
    pub(super) turns: Turns,
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
        self.turns.run(self.send_with_tokens(path, &consumer, body)).await
    }

    async fn send_with_tokens(
        &self,
        path: SendPath,
        consumer: &ExternalConsumerId,
        body: String,
    ) -> Result<Bytes, RequestError> {
        let tokens = self.tokens_for(consumer).await?;
        let post = async |(app, token): &(SecretString, SecretString)| self.post(path, app, token, body.clone()).await;
        let renew = async |answer: &SendAnswer, (app, token): &(SecretString, SecretString)| match refused_token(answer)
        {
            None => Ok(None),
            Some(Refused::App) => Ok(Some((self.app_token(Some(app)).await?, token.clone()))),
            Some(Refused::Consumer) => {
                let renewed = self.tokens.consumer(&self.client, app, consumer, Some(token)).await;
                Ok(Some((app.clone(), renewed.map_err(no_consumer_token)?)))
            }
        };
        send_renewing(tokens, post, renew).await.map(|(answer, _)| frame(answer))
    }

    /// Returns the tokens of the application and of the consumer.
    async fn tokens_for(&self, consumer: &ExternalConsumerId) -> Result<(SecretString, SecretString), RequestError> {
        let app = self.app_token(None).await?;
        let ask = async |app: &SecretString| Ok(self.tokens.consumer(&self.client, app, consumer, None).await);
        let renew = async |token: &Result<SecretString, HttpError>, refused: &SecretString| match token {
            Err(error) if error.status() == Some(401) => self.app_token(Some(refused)).await.map(Some),
            _ => Ok(None),
        };
        let (token, app) = send_renewing(app, ask, renew).await?;
        Ok((app, token.map_err(no_consumer_token)?))
    }

    async fn app_token(&self, refused: Option<&SecretString>) -> Result<SecretString, RequestError> {
        self.tokens.app(&self.client, refused).await.map_err(not_granted)
    }

    async fn post(
        &self,
        path: SendPath,
        app: &SecretString,
        consumer: &SecretString,
        body: String,
    ) -> Result<SendAnswer, RequestError> {
        let letter = SendLetter { app, consumer, client_properties: &self.client_properties, body };
        self.client.send_for_consumer(path, letter).await.map_err(unanswered)
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
