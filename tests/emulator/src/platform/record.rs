//! One accepted event: what the ledger, the history and every notification of it are made from.

use std::sync::Arc;

use serde::Serialize;
use serde_json::value::RawValue;

use super::directory::Directory;
use super::names::{Audience, ConversationId, DialogId, EventType, Millis, Party, Role};
use crate::dialect::{Dialect, notification_frame};

/// One accepted event.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) conversation: ConversationId,
    pub(crate) dialog: DialogId,
    /// Place in the dialog; 0 and meaningless for a chat state, which is never stored.
    pub(crate) sequence: u64,
    pub(crate) time: Millis,
    pub(crate) role: Role,
    pub(crate) originator: Party,
    pub(crate) audience: Audience,
    pub(crate) kind: EventType,
    pub(crate) event: Box<RawValue>,
    pub(crate) metadata: Option<Box<RawValue>>,
    pub(crate) client_properties: Option<Arc<RawValue>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Originator<'a> {
    id: &'a str,
    role: &'a Role,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_properties: Option<&'a RawValue>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RecordBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<u64>,
    originator_id: &'a str,
    #[serde(rename = "originatorPId", skip_serializing_if = "Option::is_none")]
    originator_pid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    originator_client_properties: Option<&'a RawValue>,
    originator_metadata: Originator<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server_timestamp: Option<Millis>,
    event: &'a RawValue,
    conversation_id: &'a ConversationId,
    dialog_id: &'a DialogId,
    message_audience: &'a Audience,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a RawValue>,
}

impl Record {
    /// A private message is not for consumers ([CV-F7](crate::rules#cv-f7)).
    pub(crate) fn visible_to_consumers(&self) -> bool {
        self.audience != Audience::AgentsAndManagers
    }

    pub(crate) fn visible_to(&self, party: &Party) -> bool {
        !party.is_consumer() || self.visible_to_consumers()
    }

    /// Whether it is a message that a party has to read.
    pub(crate) fn is_to_read_by(&self, party: &Party) -> bool {
        self.kind.is_content() && self.originator != *party && self.visible_to(party)
    }

    /// The record in the shape of a dialect; `originatorPId` is a v2 member only (protocol [§6.2](crate::protocol#62)).
    pub(crate) fn body<'a>(&'a self, directory: &'a Directory, dialect: Dialect) -> RecordBody<'a> {
        let public_id = directory.public_id(&self.originator);
        let v3 = dialect == Dialect::V3;
        let stored = self.kind != EventType::ChatState;
        let client_properties = self.client_properties.as_deref();
        RecordBody {
            sequence: stored.then_some(self.sequence),
            originator_id: if v3 { public_id } else { directory.old_id(&self.originator) },
            originator_pid: (!v3).then_some(public_id),
            originator_client_properties: client_properties,
            originator_metadata: Originator { id: public_id, role: &self.role, client_properties },
            server_timestamp: stored.then_some(self.time),
            event: &self.event,
            conversation_id: &self.conversation,
            dialog_id: &self.dialog,
            message_audience: &self.audience,
            metadata: self.metadata.as_deref(),
        }
    }

    /// The whole notification of this record.
    pub(crate) fn notification(&self, directory: &Directory, dialect: Dialect) -> String {
        let body = json(&self.body(directory, dialect));
        if dialect == Dialect::V3 {
            batch_notification(self.conversation.as_str(), self.dialog.as_str(), self.time, &body)
        } else {
            notification_frame(dialect.message(), &body)
        }
    }
}

/// A v3 message notification around records that are JSON text already; no records at all are fine.
pub(crate) fn batch_notification(conversation: &str, dialog: &str, sent: Millis, records: &str) -> String {
    let body =
        format!(r#"{{"dialogId":"{dialog}","conversationId":"{conversation}","sentTs":{sent},"changes":[{records}]}}"#);
    notification_frame(Dialect::V3.message(), &body)
}

/// JSON text of a value whose serialization cannot fail; an impossible failure reads as `null`.
pub(crate) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}
