//! Publishing: what is accepted, what it is numbered, and who receives it (protocol [§5.6](crate::protocol#56),
//! [§6.2](crate::protocol#62), [§12.2](crate::protocol#122)).

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use super::Platform;
use super::answer::{Answer, Emission, FrameKind, Refusal};
use super::names::{Audience, ConversationId, DialogId, DialogType, EventType, Millis, Party, Role};
use super::record::Record;
use super::sessions::Caller;
use crate::config::Limits;
use crate::dialect::{Dialect, Request, number_of, one_or_many};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PublishBody {
    conversation_id: Option<String>,
    dialog_id: Option<String>,
    message_audience: Option<String>,
    event: Box<RawValue>,
}

/// The members of an event that the platform itself reads.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct EventHead {
    #[serde(rename = "type")]
    kind: String,
    content_type: Option<String>,
    message: Option<Box<RawValue>>,
    content: Option<Box<RawValue>>,
    sequence_list: Value,
    status: Option<String>,
    chat_state: Option<String>,
}

impl EventHead {
    fn check(&self, kind: &EventType, limits: Limits) -> Result<(), Refusal> {
        match kind {
            EventType::Content => {
                let message = self.message.as_ref().ok_or_else(|| Refusal::bad("The event has no message"))?;
                if self.content_type.is_none() {
                    return Err(Refusal::bad("The event has no content type"));
                }
                let text: Option<String> = serde_json::from_str(message.get()).ok();
                if text.is_some_and(|text| text.chars().count() > limits.text) {
                    return Err(Refusal::bad(format!("Message is longer than {} characters", limits.text)));
                }
            }
            EventType::RichContent => {
                let content = self.content.as_ref().or(self.message.as_ref());
                let content = content.ok_or_else(|| Refusal::bad("The event has no content"))?;
                if content.get().chars().count() > limits.rich_content {
                    return Err(Refusal::bad(format!("Content is longer than {} characters", limits.rich_content)));
                }
            }
            EventType::Accept => {
                if self.status.is_none() || self.sequences().next().is_none() {
                    return Err(Refusal::bad("Malformed AcceptStatusEvent"));
                }
            }
            EventType::ChatState => {
                if self.chat_state.is_none() {
                    return Err(Refusal::bad("Malformed ChatStateEvent"));
                }
            }
            EventType::Other(name) => return Err(Refusal::bad(format!("Unknown event type {name}"))),
        }
        Ok(())
    }

    fn sequences(&self) -> impl Iterator<Item = u64> {
        one_or_many(self.sequence_list.clone()).into_iter().filter_map(|one| number_of(&one)?.try_into().ok())
    }
}

/// One event on its way in.
struct Publication {
    conversation: ConversationId,
    dialog: DialogId,
    audience: Audience,
    kind: EventType,
    head: EventHead,
    event: Box<RawValue>,
    metadata: Option<Box<RawValue>>,
    client_properties: Option<Arc<RawValue>>,
    /// When it was said.
    time: Millis,
}

impl Platform {
    pub(super) fn publish_event(&mut self, caller: &Caller, request: &Request, now: Millis) -> Result<Answer, Refusal> {
        let body: PublishBody = request.body()?;
        let head: EventHead = serde_json::from_str(body.event.get())?;
        let dialog = body.dialog_id.or_else(|| body.conversation_id.clone());
        let dialog = dialog.ok_or_else(|| Refusal::bad("dialogId is missing"))?;
        let conversation = self.conversation_of(&dialog).ok_or_else(Refusal::unknown_conversation)?;
        if body.conversation_id.is_some_and(|given| given != conversation.as_str()) {
            return Err(Refusal::bad("The dialog does not belong to the conversation"));
        }
        let audience = body.message_audience.as_deref().map_or(Audience::All, Audience::parse);
        let publication = Publication {
            conversation,
            dialog: DialogId::new(dialog),
            audience,
            kind: EventType::parse(&head.kind),
            head,
            event: body.event,
            metadata: request.metadata.clone(),
            client_properties: caller.client_properties.clone(),
            time: now,
        };
        let sequence = self.publish(&caller.party, publication, now)?;
        Ok(Answer::body(&serde_json::json!({"sequence": sequence})))
    }

    /// A simulated consumer says something, at a time that is not after now; the sequence it got.
    pub(crate) fn say(&mut self, conversation: &str, text: &str, time: Millis, now: Millis) -> Result<u64, Refusal> {
        let known = self.conversation(conversation)?;
        let consumer = known.consumer().cloned().ok_or_else(|| Refusal::bad("The conversation has no consumer"))?;
        let open = known.dialogs.iter().find(|dialog| dialog.is_open());
        let dialog = open.map(|dialog| dialog.id.clone()).ok_or_else(|| Refusal::bad("No dialog is open"))?;
        let event = serde_json::json!({"type": "ContentEvent", "contentType": "text/plain", "message": text});
        let publication = Publication {
            conversation: known.id.clone(),
            dialog,
            audience: Audience::All,
            kind: EventType::Content,
            head: serde_json::from_value(event.clone())?,
            event: to_raw_value(&event)?,
            metadata: None,
            client_properties: None,
            time,
        };
        self.publish(&Party::Consumer(consumer), publication, now)
    }

    fn publish(&mut self, party: &Party, publication: Publication, now: Millis) -> Result<u64, Refusal> {
        let Publication { kind, head, time, .. } = &publication;
        let time = *time;
        head.check(kind, self.settings.limits)?;
        let role = self.publishing_role(party, &publication)?;
        let conversation =
            self.conversations.get_mut(&publication.conversation).ok_or_else(Refusal::unknown_conversation)?;
        let dialog = conversation
            .dialog_mut(publication.dialog.as_str())
            .ok_or_else(|| Refusal::new(404, "Dialog not found"))?;
        let stored = *kind != EventType::ChatState;
        let sequence = if stored { dialog.next_sequence() } else { 0 };
        if *kind == EventType::Accept && head.status.as_deref() == Some("READ") {
            for read in head.sequences() {
                dialog.mark_read(party, read);
            }
        }
        let record = Arc::new(Record {
            conversation: publication.conversation,
            dialog: publication.dialog,
            sequence,
            time,
            role: role.clone(),
            originator: party.clone(),
            audience: publication.audience,
            kind: publication.kind,
            event: publication.event,
            metadata: publication.metadata,
            client_properties: publication.client_properties,
        });
        if stored {
            dialog.push(Arc::clone(&record));
        }
        if record.kind.is_content() {
            conversation.last_content = Some(Arc::clone(&record));
            if party.is_consumer() {
                conversation.ttr.consumer_spoke(time);
            } else if role == Role::AssignedAgent && record.audience == Audience::All {
                conversation.ttr.answered();
            }
            self.totals.count(party.is_consumer());
            if let Some(run) = conversation.traffic.filter(|_| !party.is_consumer() && record.visible_to_consumers()) {
                *self.traffic_answers.entry(run).or_default() += 1;
            }
        }
        if stored {
            conversation.touch(time);
            self.ledger.push(Arc::clone(&record));
        }
        self.deliver(&record);
        if stored {
            self.changed(&record.conversation, now);
        }
        Ok(sequence)
    }

    /// The role under which a party may publish into a dialog now.
    fn publishing_role(&self, party: &Party, publication: &Publication) -> Result<Role, Refusal> {
        let conversation = self.conversation(publication.conversation.as_str())?;
        let dialog = conversation.dialog(publication.dialog.as_str());
        let dialog = dialog.ok_or_else(|| Refusal::new(404, "Dialog not found"))?;
        let Some(role) = dialog.role_of(party) else {
            let who = if party.is_consumer() { "Consumer" } else { "Agent" };
            return Err(Refusal::bad(format!("{who} does not exist in conversation")));
        };
        if !dialog.is_open() && publication.kind != EventType::Accept {
            return Err(Refusal::bad("Dialog is closed"));
        }
        if publication.kind == EventType::ChatState && dialog.dialog_type == DialogType::PostSurvey {
            return Err(Refusal::bad("ChatStateEvent is not accepted in a survey"));
        }
        if party.is_consumer() && publication.audience == Audience::AgentsAndManagers {
            return Err(Refusal::bad("A consumer cannot send a private message"));
        }
        Ok(role.clone())
    }

    /// Sends a record to the consumer sockets that listen to its dialog and to every agent in it, the sender too.
    fn deliver(&mut self, record: &Record) {
        let mut frames: [Option<bytes::Bytes>; 3] = [None, None, None];
        let mut emissions = Vec::new();
        let mut send = |socket, dialect: Dialect| {
            let slot = &mut frames[dialect as usize];
            let text = slot.get_or_insert_with(|| record.notification(&self.directory, dialect).into());
            emissions.push(Emission { socket, kind: FrameKind::Message, text: text.clone() });
        };
        let mut to_agents = 0;
        let mut to_consumers = 0;
        if let Some(dialog) =
            self.conversations.get(&record.conversation).and_then(|known| known.dialog(record.dialog.as_str()))
        {
            for agent in dialog.agents() {
                for socket in self.sockets.of_agent(agent) {
                    let Some(dialect) = self.sockets.dialect(*socket) else { continue };
                    to_agents += u64::from(record.originator != Party::Agent(agent));
                    send(*socket, dialect);
                }
            }
        }
        if record.visible_to_consumers() {
            for socket in self.sockets.listeners(&record.dialog) {
                to_consumers += u64::from(!record.originator.is_consumer());
                send(*socket, Dialect::V3);
            }
        }
        if record.kind.is_content() {
            self.totals.delivered(to_agents, to_consumers);
        }
        self.outbox.extend(emissions);
    }
}
