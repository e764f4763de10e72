//! Removes members of the wrong type from a state, so that the rest of the state can be used.
//!
//! States are first parsed strictly, without extra cost. Only if that fails, each member is parsed on its own: the time
//! grows with the length of the state, not with the number of wrong members.

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

/// How many paths of removed members are kept; all are counted.
const PATHS: usize = 16;

/// The longest kept path; some parts are names that the sender chose.
const PATH_BYTES: usize = 256;

/// The members removed from a state because their values had the wrong type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DroppedMembers {
    /// Their number.
    pub count: u64,
    /// The paths of the first ones, such as `conversationDetails.dialogs[1].endTs`.
    pub paths: Vec<String>,
}

impl DroppedMembers {
    /// Adds members of the same state that were removed for another reason.
    pub(crate) fn add(&mut self, others: &Self) {
        self.count += others.count;
        self.paths.extend(others.paths.iter().take(PATHS.saturating_sub(self.paths.len())).cloned());
    }
}

/// Returns the text of the state `raw` without its ill-typed members. `None` if the result is still not a state: not an
/// object, or without the conversation's id.
pub(crate) fn without_ill_typed(raw: &str) -> Option<(String, DroppedMembers)> {
    let mut reader = Reader { text: String::with_capacity(raw.len()), path: String::new(), dropped: <_>::default() };
    let raw = serde_json::from_str::<&RawValue>(raw).ok()?;
    STATE.write(raw.get(), &mut reader).then_some((reader.text, reader.dropped))
}

/// The structure of a value whose parts are parsed separately.
enum Shape {
    /// Parsed as a whole.
    Value(fn(&str) -> bool),
    /// Parsed member by member.
    Object {
        /// Required members of the object, with assumed values.
        required: &'static [(&'static str, &'static str)],
        /// Parses an object with the required members and one more; returns whether that succeeds.
        is_read: fn(&str) -> bool,
        /// Returns the structure of a member that has parts itself.
        inner: fn(&str) -> Option<&'static Shape>,
    },
    /// Parsed element by element; a value that is not a list has the second structure.
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

/// Writes what can be parsed, and records the rest.
struct Reader {
    text: String,
    /// The path of the present value.
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

    /// Writes a part of a value, after the separator `before`. A part that cannot be parsed leaves nothing.
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
    /// Writes what can be parsed of `raw`; `false` if that is nothing.
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
                // An element that is null has no members to remove.
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
    // Stands for the real identity, which may be long, so that the time depends only on each member.
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

/// Of members with the same name the last one counts, as in every JSON parser that accepts them.
fn last_of_each(mut members: Vec<Member<'_>>) -> Vec<Member<'_>> {
    let mut names = HashSet::new();
    let is_last: Vec<bool> = members.iter().rev().map(|(name, _)| names.insert(name.as_str())).collect();
    let mut is_last = is_last.into_iter().rev();
    members.retain(|_| is_last.next().unwrap_or(true));
    members
}
