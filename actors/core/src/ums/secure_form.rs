//! Secure forms: an agent invites, the consumer submits, and each reads or writes the form itself with a one-time key,
//! so that what is in it is in no message (protocol [§5.6](crate::protocol#56), [§5.11](crate::protocol#511)).

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{ContentType, Json, MessageAudience, MessageContent, PublishRequest, Request, TokenRequest};
use crate::{
    id::{ConversationId, DialogId, UserId},
    time::Timestamp,
};

/// An invitation to fill a form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecureFormInvitation {
    /// The form, as the account defines it.
    pub form_id: String,
    /// Which invitation.
    pub invitation_id: String,
    /// What the consumer reads.
    pub title: String,
}

/// A form that was filled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecureFormSubmission {
    /// What was submitted, as the form's storage named it.
    pub submission_id: String,
    /// Upon which invitation.
    pub invitation_id: String,
}

impl SecureFormInvitation {
    /// A new invitation of a consumer. `count` tells those of the same millisecond apart.
    #[must_use]
    pub fn new(form_id: &str, title: &str, consumer: &UserId, now: Timestamp, count: u64) -> Self {
        let invitation_id = format!("{consumer}-{form_id}-{now}-{count}");
        Self { form_id: form_id.to_owned(), invitation_id, title: title.to_owned() }
    }

    /// The request that publishes it in a dialog.
    #[must_use]
    pub fn request(&self, conversation: &ConversationId, dialog: &DialogId) -> Request {
        published(conversation, dialog, ContentType::SecureFormInvitation, self)
    }

    /// The consumer's request for the key by which the form is written.
    #[must_use]
    pub fn upload_token(&self, dialog: &DialogId) -> Request {
        Request::UploadToken(self.token("uploadable", dialog))
    }

    /// The agent's request for the key by which the form is read. Its member's name follows that of the consumer's.
    #[must_use]
    pub fn download_token(&self, dialog: &DialogId) -> Request {
        Request::DownloadToken(self.token("downloadable", dialog))
    }

    fn token(&self, member: &str, dialog: &DialogId) -> TokenRequest {
        let form = json!({ "formId": self.form_id, "invitationId": self.invitation_id, "type": "SecureForm",
            "dialogId": dialog });
        TokenRequest([(member.to_owned(), form)].into_iter().collect())
    }
}

impl SecureFormSubmission {
    /// The request that publishes it in a dialog.
    #[must_use]
    pub fn request(&self, conversation: &ConversationId, dialog: &DialogId) -> Request {
        published(conversation, dialog, ContentType::SecureFormSubmission, self)
    }
}

fn published(
    conversation: &ConversationId,
    dialog: &DialogId,
    content_type: ContentType,
    message: &impl Serialize,
) -> Request {
    let message: Value = serde_json::to_value(message).unwrap_or_default();
    Request::Publish(PublishRequest {
        conversation_id: conversation.clone(),
        dialog_id: dialog.clone(),
        message_audience: MessageAudience::All,
        event: MessageContent::Content { content_type, message: Json::from(&message), quick_replies: None },
    })
}
