//! Leaves out of a state what has not its type, so that an odd member costs itself and not the whole state.
//!
//! States are read strictly first, which costs nothing. Only a state that cannot be read so comes here. Every member is
//! then read alone: the time grows with the length of the state, however many members are odd.

use std::{collections::HashSet, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{
    CampaignInfo, ConversationDetails, ConversationState, Csat, Delay, DialogState, HandlerDetails, Listed,
    MessageRecord, Originator, ParticipantDetails, RoleMap, Text, Ttr, UnreadMessages,
};

/// How many paths of dropped members are kept. The count goes on.
const PATHS: usize = 16;

/// How long a kept path is at most; some steps are names that the sender chose.
const PATH_BYTES: usize = 256;

/// The members that were left out of a state, because their values have not the members' types.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DroppedMembers {
    /// How many.
    pub count: u64,
    /// Where the first of them were, such as `conversationDetails.dialogs[1].endTs`.
    pub paths: Vec<String>,
}

impl DroppedMembers {
    /// Takes those of the same state that were dropped for another reason.
    pub(crate) fn add(&mut self, others: &Self) {
        self.count += others.count;
        self.paths.extend(others.paths.iter().take(PATHS.saturating_sub(self.paths.len())).cloned());
    }
}

/// The state `raw` without its ill-typed members, as text. `None` where it is no state still: no object, or without what
/// identifies the conversation.
pub(crate) fn without_ill_typed(raw: &str) -> Option<(String, DroppedMembers)> {
    let mut reader = Reader { text: String::with_capacity(raw.len()), path: String::new(), dropped: <_>::default() };
    let raw = serde_json::from_str::<&RawValue>(raw).ok()?;
    STATE.write(raw.get(), &mut reader).then_some((reader.text, reader.dropped))
}

/// Of what a value consists, as far as its parts are read apart.
enum Shape {
    /// Read as a whole.
    Value(fn(&str) -> bool),
    /// Read member by member.
    Object {
        /// Members without which the object says nothing, and values that they may have.
        required: &'static [(&'static str, &'static str)],
        /// Whether an object is read that has the required members and one more.
        is_read: fn(&str) -> bool,
        /// The shape of a member that consists of parts itself.
        inner: fn(&str) -> Option<&'static Shape>,
    },
    /// Read element by element; another value in its place has the second shape.
    List(&'static Shape, &'static Shape),
}

macro_rules! is_read {
    ($name:ty) => {
        |text| serde_json::from_str::<$name>(text).is_ok()
    };
}

macro_rules! object {
    ($name:ty, [$($required:literal = $value:literal),*] $(, $member:literal: $shape:expr)*) => {
        Shape::Object {
            required: &[$(($required, $value)),*],
            is_read: is_read!($name),
            inner: |member| match member { $($member => Some(&$shape),)* _ => None },
        }
    };
}

static STATE: Shape = object!(ConversationState<'_>, ["convId" = "0"],
    "conversationDetails": DETAILS, "numberOfunreadMessages": UNREAD, "lastContentEventNotification": RECORD);
static DETAILS: Shape = object!(ConversationDetails<'_>, [],
    "participants": ROSTER, "participantsPId": ROLES, "dialogs": DIALOGS, "ttr": TTR, "delay": DELAY, "csat": CSAT,
    "campaignInfo": CAMPAIGN, "conversationHandlerDetails": HANDLER);
static DIALOGS: Shape = Shape::List(&DIALOG, &DIALOG);
static DIALOG: Shape = object!(DialogState<'_>, ["dialogId" = "0"], "participantsDetails": PARTICIPANTS);
static PARTICIPANTS: Shape = Shape::List(&PARTICIPANT, &PARTICIPANT);
static PARTICIPANT: Shape = object!(ParticipantDetails<'_>, ["id" = "0"]);
static ROSTER: Shape = Shape::List(&LISTED, &ROLES);
static LISTED: Shape = object!(Listed<'_>, ["id" = "0", "role" = "\"\""]);
static ROLES: Shape = Shape::Object { required: &[], is_read: is_read!(RoleMap<'_>), inner: |_| Some(&IDS) };
static IDS: Shape = Shape::List(&ID, &ID);
static ID: Shape = Shape::Value(is_read!(Text<'_>));
static TTR: Shape = object!(Ttr, []);
static DELAY: Shape = object!(Delay, []);
static CSAT: Shape = object!(Csat, []);
static CAMPAIGN: Shape = object!(CampaignInfo<'_>, []);
static HANDLER: Shape = object!(HandlerDetails<'_>, []);
static UNREAD: Shape = object!(UnreadMessages<'_>, []);
static RECORD: Shape = object!(MessageRecord<'_>, ["event" = "{}"], "originatorMetadata": ORIGINATOR);
static ORIGINATOR: Shape = object!(Originator<'_>, []);

/// Writes what can be read, and notes the rest.
struct Reader {
    text: String,
    /// Of the value that is read now.
    path: String,
    dropped: DroppedMembers,
}

impl Reader {
    fn drop_here(&mut self) {
        self.dropped.count += 1;
        if self.dropped.paths.len() < PATHS {
            let end = self.path.floor_char_boundary(PATH_BYTES);
            self.dropped.paths.push(self.path[..end].to_owned());
        }
    }

    /// Writes a part of a value, `before` it what separates it. A part that cannot be read leaves nothing.
    fn part(&mut self, step: fmt::Arguments<'_>, before: &str, write: impl FnOnce(&mut Self) -> bool) -> bool {
        let (path, text) = (self.path.len(), self.text.len());
        self.path.push_str(&step.to_string());
        self.text.push_str(before);
        let is_written = write(self);
        if !is_written {
            self.text.truncate(text);
            self.drop_here();
        }
        self.path.truncate(path);
        is_written
    }
}

impl Shape {
    /// Writes what can be read of `raw`; `false` where that is nothing.
    fn write(&self, raw: &str, to: &mut Reader) -> bool {
        if raw == "null" {
            to.text.push_str(raw);
            return true;
        }
        match self {
            Self::Value(is_read) => {
                to.text.push_str(raw);
                is_read(raw)
            }
            Self::List(element, alone) => match serde_json::from_str::<Vec<&RawValue>>(raw) {
                Ok(elements) => {
                    element.write_elements(&elements, to);
                    true
                }
                Err(_) => alone.write(raw, to),
            },
            Self::Object { required, is_read, inner } => {
                let Ok(Members(members)) = serde_json::from_str::<Members<'_>>(raw) else { return false };
                write_members(&last_of_each(members), required, *is_read, *inner, to)
            }
        }
    }

    fn write_elements(&self, elements: &[&RawValue], to: &mut Reader) {
        to.text.push('[');
        let mut before = "";
        for (at, element) in elements.iter().enumerate() {
            let is_written = to.part(format_args!("[{at}]"), before, |to| {
                // An element that is null has no members to lose.
                element.get() != "null" && self.write(element.get(), to)
            });
            if is_written {
                before = ",";
            }
        }
        to.text.push(']');
    }
}

type Member<'m> = (Text<'m>, &'m RawValue);

fn write_members(
    members: &[Member<'_>],
    required: &[(&str, &str)],
    is_read: fn(&str) -> bool,
    inner: fn(&str) -> Option<&'static Shape>,
    to: &mut Reader,
) -> bool {
    let member = |name: &str, value: &str| format!("{}:{value}", quoted(name));
    let is_required = |name: &str| required.iter().any(|(required, _)| *required == name);
    let identity = members.iter().filter(|(name, _)| is_required(name)).map(|(name, value)| member(name, value.get()));
    let identity = identity.collect::<Vec<_>>().join(",");
    if !is_read(&format!("{{{identity}}}")) {
        return false;
    }
    to.text.push('{');
    to.text.push_str(&identity);
    let mut before = if identity.is_empty() { "" } else { "," };
    // In the place of the identity, which may be long, so that the time is that of each member alone.
    let assumed: String = required.iter().map(|(name, value)| member(name, value) + ",").collect();
    for (name, value) in members.iter().filter(|(name, _)| !is_required(name)) {
        let dot = if to.path.is_empty() { "" } else { "." };
        let is_written = to.part(format_args!("{dot}{name}"), before, |to| {
            if let Some(shape) = inner(name) {
                to.text.push_str(&quoted(name));
                to.text.push(':');
                return shape.write(value.get(), to);
            }
            let member = member(name, value.get());
            to.text.push_str(&member);
            is_read(&format!("{{{assumed}{member}}}"))
        });
        if is_written {
            before = ",";
        }
    }
    to.text.push('}');
    true
}

fn quoted(name: &str) -> String {
    serde_json::Value::from(name).to_string()
}

/// The members of an object in the order sent.
struct Members<'m>(Vec<Member<'m>>);

impl<'de: 'm, 'm> Deserialize<'de> for Members<'m> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
                let mut list = Vec::new();
                while let Some((name, value)) = members.next_entry::<Text<'de>, &'de RawValue>()? {
                    list.push((name, value));
                }
                Ok(Members(list))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}

/// Of members with the same name the last counts, as in every reader of JSON that takes them at all.
fn last_of_each(mut members: Vec<Member<'_>>) -> Vec<Member<'_>> {
    let mut names = HashSet::new();
    let is_last: Vec<bool> = members.iter().rev().map(|(name, _)| names.insert(name.as_str())).collect();
    let mut is_last = is_last.into_iter().rev();
    members.retain(|_| is_last.next().unwrap_or(true));
    members
}
