//! The contents of responses, by request.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use thiserror::Error;

use super::{Code, Json, Response, Text, UserProfile};
use crate::{
    id::{ConversationId, LONGEST_ID, SubscriptionId},
    time::Timestamp,
};

/// The text with which the platform accepts a profile ([§5.9](crate::protocol#59)).
const PROFILE_SET: &str = "OK User Profile set successfully";

/// A response that is not a success.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AnswerError {
    /// The platform refused.
    #[error("the platform refused with {code}: {text}")]
    Refused {
        /// The code.
        code: u16,
        /// The text, at most 256 characters of it.
        text: String,
    },
    /// The platform sent something other than a response to this kind of request.
    #[error("unexpected response of the platform: {0}")]
    Unexpected(String),
}

impl AnswerError {
    /// Returns whether the same request may succeed later: throttling or trouble of the platform
    /// ([§9.3](crate::protocol#93)).
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if *code == 429 || *code >= 500)
    }
}

/// The address of a file: path and signature ([§5.10](crate::protocol#510)).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignedUrl {
    /// The path on the storage host.
    pub relative_path: String,
    /// The signature.
    pub query_params: SignedQuery,
}

/// The query of a [`SignedUrl`].
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct SignedQuery {
    /// Hex digits.
    pub temp_url_sig: String,
    /// Epoch seconds, sent as a string.
    pub temp_url_expires: Timestamp,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Subscribed {
    subscription_id: SubscriptionId,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Created {
    conversation_id: ConversationId,
}

#[derive(Deserialize)]
struct Published {
    #[serde(default, deserialize_with = "super::lenient::count")]
    sequence: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StructuredError<'a> {
    #[serde(borrow, default)]
    title: Option<Text<'a>>,
    #[serde(default)]
    details: Option<Text<'a>>,
    #[serde(default)]
    error_code: Option<Text<'a>>,
}

impl Response<'_> {
    /// Returns the body of a success; `None` or `null` if it has none.
    ///
    /// # Errors
    /// [`AnswerError::Refused`] for codes above 399, in the text form or the structured form
    /// ([§4.5](crate::protocol#45)).
    pub fn outcome(&self) -> Result<Option<&Json<'_>>, AnswerError> {
        if !self.code.is_refusal() {
            return Ok(self.body.as_ref());
        }
        let Code(code) = self.code;
        Err(AnswerError::Refused { code, text: refusal_text(self.body.as_ref()) })
    }

    fn read<T: DeserializeOwned>(&self) -> Result<T, AnswerError> {
        let body = self.outcome()?.ok_or_else(|| AnswerError::Unexpected("no body".to_owned()))?;
        body.read_owned().map_err(|error| AnswerError::Unexpected(error.to_string()))
    }

    /// Returns the new subscription's id.
    ///
    /// # Errors
    /// [`AnswerError`] if refused or without an id.
    pub fn subscribed(&self) -> Result<SubscriptionId, AnswerError> {
        self.read().map(|Subscribed { subscription_id }| subscription_id)
    }

    /// Returns the new conversation's id.
    ///
    /// # Errors
    /// [`AnswerError`] if refused, without an id (a text body is a refusal despite its code,
    /// [§5.3](crate::protocol#53)), or with an id longer than [`LONGEST_ID`].
    pub fn conversation_created(&self) -> Result<ConversationId, AnswerError> {
        let Created { conversation_id } = self.read()?;
        if conversation_id.as_str().len() > LONGEST_ID {
            return Err(AnswerError::Unexpected(format!("a conversation id of more than {LONGEST_ID} bytes")));
        }
        Ok(conversation_id)
    }

    /// Returns the published event's sequence in its dialog, if the platform sends it; not valid for chat states
    /// ([§9.4](crate::protocol#94)).
    ///
    /// # Errors
    /// [`AnswerError`] if refused.
    pub fn published(&self) -> Result<Option<u64>, AnswerError> {
        let body = self.outcome()?;
        Ok(body.and_then(|body| body.read_owned::<Published>().ok()).and_then(|published| published.sequence))
    }

    /// Checks the response to a change of a conversation, which is a refusal also if a success code has the text of a
    /// failure ([ER-3](crate::rules#er-3)).
    ///
    /// # Errors
    /// [`AnswerError::Refused`] with the platform's text.
    pub fn changed(&self) -> Result<(), AnswerError> {
        let body = self.outcome()?;
        let Some(text) = body.and_then(spoken) else { return Ok(()) };
        let succeeded = text.split_whitespace().any(|word| word.to_ascii_lowercase().starts_with("success"));
        if text.is_empty() || succeeded {
            return Ok(());
        }
        Err(AnswerError::Refused { code: self.code.0, text: cut(&text) })
    }

    /// Returns a profile.
    ///
    /// # Errors
    /// [`AnswerError`] if refused or malformed.
    pub fn user_profile(&self) -> Result<UserProfile<'static>, AnswerError> {
        let body = self.outcome()?.ok_or_else(|| AnswerError::Unexpected("no body".to_owned()))?;
        let profile = UserProfile::read(body).map_err(|error| AnswerError::Unexpected(error.to_string()))?;
        Ok(profile.into_owned())
    }

    /// Checks that a profile was set: only one text means success ([CN-F10](crate::rules#cn-f10)).
    ///
    /// # Errors
    /// [`AnswerError`] if refused or with another text.
    pub fn profile_set(&self) -> Result<(), AnswerError> {
        let text = self.outcome()?.and_then(spoken).unwrap_or_default();
        if text.as_str() == PROFILE_SET { Ok(()) } else { Err(AnswerError::Unexpected(cut(&text))) }
    }

    /// Returns the address of a file.
    ///
    /// # Errors
    /// [`AnswerError`] if refused or malformed.
    pub fn signed_url(&self) -> Result<SignedUrl, AnswerError> {
        self.read()
    }
}

/// Returns the text of a response: a string on the sockets, the `msg` of an object at the Send API
/// ([§10.3](crate::protocol#103)).
fn spoken<'b>(body: &'b Json<'_>) -> Option<Text<'b>> {
    #[derive(Deserialize)]
    struct Spoken<'a> {
        #[serde(borrow)]
        msg: Text<'a>,
    }

    body.read().or_else(|_| body.read().map(|Spoken { msg }| msg)).ok()
}

fn refusal_text(body: Option<&Json<'_>>) -> String {
    let Some(body) = body else { return String::new() };
    if let Ok(text) = body.read::<Text<'_>>() {
        return cut(&text);
    }
    match body.read::<StructuredError<'_>>() {
        Ok(StructuredError { title: None, details: None, error_code: None }) | Err(_) => cut(body.get()),
        Ok(StructuredError { title, details, error_code }) => {
            let parts: Vec<&str> = [&error_code, &title, &details].into_iter().flatten().map(Text::as_str).collect();
            cut(&parts.join(" "))
        }
    }
}

fn cut(text: &str) -> String {
    text.chars().take(256).collect()
}
