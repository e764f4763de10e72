//! Conversation notifications as the platform writes them: whole trees, in the platform's own order of members.

use std::fmt::Write as _;

use tertulia_core::ums::Dialect;

const ACCOUNT: &str = "12345678";
/// When every conversation began, in milliseconds since the epoch.
pub(crate) const BORN: u64 = 1_767_225_600_000;

/// The id of the conversation with this number.
pub(crate) fn id_of_conversation(number: u32) -> String {
    format!("3f6c1a52-8e0d-4b7e-9a41-5c2d{number:08x}")
}

/// The user id of the consumer in the conversation with this number.
pub(crate) fn consumer_of(number: u32) -> String {
    format!("b7a9d7e0-1d0f-4c55-a3b5-e0c1{number:08x}")
}

/// The size of a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// A conversation that waits in its queue for an agent, about 1 KB.
    Queued,
    /// A conversation with an assigned agent, about 1.5 KB.
    Assigned,
    /// A conversation with a long history: a transfer, a controller, a campaign, a page of context, about 3 KB.
    Involved,
    /// The same conversation during its survey: two dialogs and six participants, about 4 KB.
    Surveyed,
}

impl Size {
    /// All sizes, the smallest first.
    pub const ALL: [Self; 4] = [Self::Queued, Self::Assigned, Self::Involved, Self::Surveyed];

    /// The name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "1 KB",
            Self::Assigned => "1.5 KB",
            Self::Involved => "3 KB",
            Self::Surveyed => "4 KB",
        }
    }
}

/// A state of a conversation at one version; the next version differs slightly.
#[derive(Clone, Copy, Debug)]
pub struct State {
    /// The size.
    pub size: Size,
    /// The dialect of the receiving socket.
    pub dialect: Dialect,
    /// The number of the conversation, from 0.
    pub conversation: u32,
    /// The version, from 0. Each version changes one of the response time, the unread messages, the managers and the
    /// skill.
    pub version: u32,
}

struct Somebody {
    role: &'static str,
    state: &'static str,
    agent_id: String,
    user_id: String,
}

impl State {
    /// The conversation's id.
    #[must_use]
    pub fn conversation_id(&self) -> String {
        id_of_conversation(self.conversation)
    }

    /// The whole frame.
    #[must_use]
    pub fn frame(&self) -> String {
        let kind = match self.dialect {
            Dialect::Brand => ".ams.aam.ExConversationChangeNotification",
            Dialect::Consumer => "cqm.ExConversationChangeNotification",
        };
        format!(
            r#"{{"kind":"notification","type":"{kind}","body":{{"subscriptionId":"1b2c3d4e-5f60-4718-92a3-b4c5d6e7f801","sentTs":{},"changes":[{{"type":"UPSERT","result":{}}}]}}}}"#,
            self.updated() + 40,
            self.result(),
        )
    }

    fn result(&self) -> String {
        let id = self.conversation_id();
        let people = self.people();
        let updated = self.updated();
        let is_surveyed = self.size == Size::Surveyed;
        let (own_id, csat) = match self.dialect {
            Dialect::Brand => (format!(r#""convId":"{id}","#), r#""csatRate":0,"#),
            Dialect::Consumer => (String::new(), ""),
        };
        let skill = if self.turn(3) { "501234568" } else { "501234567" };
        let ttr = if self.turn(0) { r#""URGENT","value":300"# } else { r#""NORMAL","value":600"# };
        let dialogs =
            if is_surveyed { format!("{},{}", self.survey(&people), self.main(&people)) } else { self.main(&people) };
        let state = if is_surveyed { "CLOSE" } else { "OPEN" };
        format!(
            r#"{{"convId":"{id}","effectiveTTR":{},"conversationDetails":{{{own_id}"skillId":"{skill}","brandId":"{ACCOUNT}",{},"dialogs":[{dialogs}],"state":"{state}","stage":"OPEN","startTs":{BORN},"metaDataLastUpdateTs":{updated},"firstConversation":false,{csat}"ttr":{{"ttrType":{ttr}}},"note":"{}","context":{}{}}},"numberOfunreadMessages":{{{}}},"lastUpdateTime":{updated}{}}}"#,
            updated + 600_000,
            self.participants(&people),
            self.note(),
            self.context(),
            self.provenance(skill),
            self.unread(&people),
            self.last_content(&people),
        )
    }

    fn updated(&self) -> u64 {
        BORN + 2_000 + u64::from(self.version) * 1_250
    }

    /// Whether the `which`-th of the four changes is on at this version; each one switches at every fourth version.
    fn turn(&self, which: u32) -> bool {
        ((self.version + 3 - which) / 4) % 2 == 1
    }

    fn is_involved(&self) -> bool {
        matches!(self.size, Size::Involved | Size::Surveyed)
    }

    /// All participants, the consumer first.
    fn people(&self) -> Vec<Somebody> {
        let somebody = |role, number: u32| Somebody {
            role,
            state: "ACTIVE",
            agent_id: format!("{ACCOUNT}.39011{:05}", number * 7 + self.conversation % 1_000),
            user_id: format!("6f0d7b3a-52c1-5d0e-9d3b-{:04x}{:08x}", number, self.conversation),
        };
        let consumer = consumer_of(self.conversation);
        let mut people = vec![Somebody { agent_id: consumer.clone(), user_id: consumer, ..somebody("CONSUMER", 0) }];
        if self.size != Size::Queued {
            people.push(somebody("ASSIGNED_AGENT", 1));
        }
        if self.is_involved() {
            people.extend([somebody("CONTROLLER", 2), somebody("READER", 3)]);
        }
        if self.size == Size::Surveyed {
            people.push(somebody("AGENT", 4));
        }
        if self.turn(2) || self.size == Size::Surveyed {
            people.push(somebody("MANAGER", if self.turn(2) { 5 } else { 6 }));
        }
        people
    }

    fn participants(&self, people: &[Somebody]) -> String {
        let by_role = |id: fn(&Somebody) -> &str| {
            let roles = ["CONSUMER", "ASSIGNED_AGENT", "AGENT", "MANAGER", "READER", "CONTROLLER"];
            let members = roles.iter().filter_map(|role| {
                let of_role = people.iter().filter(|somebody| somebody.role == *role);
                let ids = list(of_role.map(|somebody| format!(r#""{}""#, id(somebody))));
                (!ids.is_empty() || self.is_involved()).then(|| format!(r#""{role}":[{ids}]"#))
            });
            list(members)
        };
        match self.dialect {
            Dialect::Brand => format!(
                r#""participants":{{{}}},"participantsPId":{{{}}}"#,
                by_role(|somebody| &somebody.agent_id),
                by_role(|somebody| &somebody.user_id)
            ),
            Dialect::Consumer => {
                let listed = people
                    .iter()
                    .map(|Somebody { user_id, role, .. }| format!(r#"{{"id":"{user_id}","role":"{role}"}}"#));
                format!(r#""participants":[{}]"#, list(listed))
            }
        }
    }

    fn details(&self, people: &[Somebody]) -> String {
        list(people.iter().map(|somebody| {
            let Somebody { role, state, .. } = somebody;
            format!(r#"{{"id":"{}","role":"{role}","state":"{state}"}}"#, self.id_of(somebody))
        }))
    }

    fn id_of<'p>(&self, somebody: &'p Somebody) -> &'p str {
        match self.dialect {
            Dialect::Brand => &somebody.agent_id,
            Dialect::Consumer => &somebody.user_id,
        }
    }

    fn main(&self, people: &[Somebody]) -> String {
        let state = if self.size == Size::Surveyed {
            format!(r#""CLOSE","endTs":{},"closedBy":"AGENT","closedCause":"Closed by agent""#, BORN + 1_500)
        } else {
            r#""OPEN""#.to_owned()
        };
        format!(
            r#"{{"dialogId":"{}","participantsDetails":[{}],"dialogType":"MAIN","channelType":"MESSAGING","metaData":{{}},"state":{state},"creationTs":{BORN},"metaDataLastUpdateTs":{}}}"#,
            self.conversation_id(),
            self.details(people),
            self.updated(),
        )
    }

    fn survey(&self, people: &[Somebody]) -> String {
        let answering: Vec<Somebody> = people
            .iter()
            .filter(|somebody| matches!(somebody.role, "CONSUMER" | "AGENT"))
            .map(|Somebody { role, state, agent_id, user_id }| Somebody {
                role,
                state,
                agent_id: agent_id.clone(),
                user_id: user_id.clone(),
            })
            .collect();
        format!(
            r#"{{"dialogId":"8d1e2f30-77aa-4c21-b0de-5c2d{:08x}","participantsDetails":[{}],"dialogType":"POST_SURVEY","channelType":"MESSAGING","metaData":{{"appInstallId":"a1b2c3d4-0000-4000-8000-1234567890ab"}},"state":"OPEN","creationTs":{},"metaDataLastUpdateTs":{}}}"#,
            self.conversation,
            self.details(&answering),
            BORN + 1_500,
            self.updated(),
        )
    }

    fn note(&self) -> &'static str {
        match self.size {
            Size::Queued | Size::Assigned => "",
            Size::Involved | Size::Surveyed => {
                r#"Rückruf gewünscht, am liebsten \"nach 17 Uhr\".\nKundin spricht 日本語 und Español; Rechnung 4711 geprüft."#
            }
        }
    }

    fn context(&self) -> &'static str {
        match self.size {
            Size::Queued | Size::Assigned => r#"{"type":"SharkContext","lang":"en-US"}"#,
            Size::Involved | Size::Surveyed => {
                r#"{"type":"SharkContext","lang":"de-DE","name":"Müller & Söhne – Startseite","visitorId":"A1ZjVhNmQ3ZDAxYTQ2NGJi","sessionId":"Qx7nZ0bEQ1mYk9wT2hL5xg","interactionContextId":"2","clientProperties":{"type":".ClientProperties","appId":"com.example.messenger","ipAddress":"198.51.100.23","deviceFamily":"MOBILE","deviceManufacture":"Example","deviceModel":"One \"Pro\"","os":"ANDROID","osName":"Android","osVersion":"16","integration":"MOBILE_SDK","integrationVersion":"6.21.0","browser":"CHROME","browserVersion":"141.0.7390.54","timeZone":"Europe/Berlin","features":["PHOTO_SHARING","CO_APP","AUTO_MESSAGES","RICH_CONTENT","SECURE_FORMS","FILE_SHARING","MARKDOWN_HYPERLINKS"]}}"#
            }
        }
    }

    fn provenance(&self, skill: &str) -> String {
        match self.size {
            Size::Queued | Size::Assigned => String::new(),
            Size::Involved | Size::Surveyed => format!(
                r#","campaignInfo":{{"campaignId":700001,"engagementId":800001}},"conversationHandlerDetails":{{"accountId":"{ACCOUNT}","skillId":"{skill}"}}"#
            ),
        }
    }

    fn unread(&self, people: &[Somebody]) -> String {
        let count = if self.turn(1) { 3 } else { 2 };
        list(
            people
                .iter()
                .enumerate()
                .map(|(at, somebody)| format!(r#""{}":{}"#, somebody.agent_id, if at == 0 { 0 } else { count })),
        )
    }

    fn last_content(&self, people: &[Somebody]) -> String {
        // The platform sometimes leaves the last message out.
        let Some(author) = people.get(1).filter(|_| self.size != Size::Queued) else { return String::new() };
        let message = match self.size {
            Size::Queued | Size::Assigned => r#"Hello 👋 \u2014 how may I help you?"#,
            Size::Involved | Size::Surveyed => {
                r#"Vielen Dank für Ihre Geduld! Ich habe die Rechnung \"4711\" geprüft:\n• Grundgebühr 9,99 €\n• Gutschrift −3,00 €\nDie Übersicht finden Sie unter https:\/\/example.com\/konto?id=4711&lang=de. Kann ich sonst noch etwas für Sie tun? 😀"#
            }
        };
        let id = self.id_of(author);
        let mut record = format!(r#","lastContentEventNotification":{{"sequence":4,"originatorId":"{id}""#);
        if self.dialect == Dialect::Brand {
            let _ = write!(record, r#","originatorPId":"{}""#, author.user_id);
        }
        if self.dialect == Dialect::Consumer || self.is_involved() {
            let Somebody { user_id, role, .. } = author;
            let _ = write!(record, r#","originatorMetadata":{{"id":"{user_id}","role":"{role}"}}"#);
        }
        let _ = write!(
            record,
            r#","serverTimestamp":{},"event":{{"type":"ContentEvent","message":"{message}","contentType":"text/plain"}},"dialogId":"{}"}}"#,
            BORN + 1_400,
            self.conversation_id(),
        );
        record
    }
}

fn list(elements: impl Iterator<Item = String>) -> String {
    elements.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use tertulia_core::{
        conversation::{Conversation, ConversationEvent, HistoryStart, Outcome},
        id::ConversationId,
        ums::{Frame, Notification},
    };

    use super::*;

    fn every_kind() -> impl Iterator<Item = State> {
        [Dialect::Brand, Dialect::Consumer].into_iter().flat_map(|dialect| {
            Size::ALL.into_iter().map(move |size| State { size, dialect, conversation: 7, version: 0 })
        })
    }

    #[test]
    fn every_frame_is_as_long_as_its_name_says() {
        for (state, wanted) in every_kind().zip([1_100, 1_600, 3_000, 4_000].into_iter().cycle()) {
            let length = state.frame().len();
            assert!(length.abs_diff(wanted) < wanted / 6, "{state:?} has {length} bytes");
        }
    }

    #[test]
    fn every_version_is_a_small_change_of_the_one_before() {
        for state in every_kind() {
            let mut conversation = Conversation::new(
                ConversationId::from(state.conversation_id()),
                state.dialect,
                HistoryStart::Beginning,
            );
            for version in 0..32 {
                let frame = State { version, ..state }.frame();
                let Ok(Frame::Notification(Notification::Conversations(changes))) = Frame::decode(&frame) else {
                    panic!("{frame}");
                };
                let change = &changes.changes[0];
                assert_eq!(change.conversation_id().as_deref(), Some(&*state.conversation_id()));
                let reception = conversation.receive_state(change.result.unwrap().get()).unwrap();
                assert_eq!(reception.outcome, Outcome::Processed, "version {version} of {state:?}");
                let is_event = |event: &ConversationEvent| !matches!(event, ConversationEvent::NotificationIgnored {});
                assert!(reception.events.iter().all(is_event));
            }
        }
    }
}
