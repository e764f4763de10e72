//! Secure forms: an agent invites, the consumer submits, and each reads or writes the form itself with a one-time key,
//! so that no message contains its contents (protocol [§5.6](crate::protocol#56), [§5.11](crate::protocol#511)).

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{ContentType, Json, MessageAudience, MessageContent, PublishRequest, Request, TokenRequest};
use crate::{
    id::{ConversationId, DialogId, UserId},
    time::Timestamp,
};

/// An invitation to fill in a form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecureFormInvitation {
    /// The form, as the account defines it.
    pub form_id: String,
    /// The invitation's id.
    pub invitation_id: String,
    /// The title shown to the consumer.
    pub title: String,
}

/// A completed form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecureFormSubmission {
    /// The id of the submission in the form's storage.
    pub submission_id: String,
    /// The invitation.
    pub invitation_id: String,
}

impl SecureFormInvitation {
    /// Returns a new invitation for a consumer. `count` distinguishes invitations of the same millisecond.
    #[must_use]
    pub fn new(form_id: &str, title: &str, consumer: &UserId, now: Timestamp, count: u64) -> Self {
        let invitation_id = format!("{consumer}-{form_id}-{now}-{count}");
        Self { form_id: form_id.to_owned(), invitation_id, title: title.to_owned() }
    }

    /// Returns the request that publishes the invitation in a dialog.
    #[must_use]
    pub fn request(&self, conversation: &ConversationId, dialog: &DialogId) -> Request {
        published(conversation, dialog, ContentType::SecureFormInvitation, self)
    }

    /// Returns the consumer's request for the key to write the form.
    #[must_use]
    pub fn upload_token(&self, dialog: &DialogId) -> Request {
        Request::UploadToken(self.token("uploadable", dialog))
    }

    /// Returns the agent's request for the key to read the form. Its member is named like the consumer's.
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
    /// Returns the request that publishes the submission in a dialog.
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
