//! Participants: the two forms in the protocol, and their common meaning.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeMap};

use super::{Dialect, ParticipantRole, ParticipantStatus, Text, lenient};

/// One participant of a conversation, in either dialect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person<'a> {
    /// The role.
    pub role: ParticipantRole,
    /// The consumer's id or the agent's public id. On a brand socket without a public id, the agent id.
    pub user_id: Text<'a>,
    /// The agent's id, sent only on brand sockets.
    pub agent_id: Option<Text<'a>>,
}

/// The most roles compared in two maps. There are seven, and the platform allows sixteen ([§8](crate::protocol#8)).
const PAIRED_ROLES: usize = 64;

/// Participants by role: the brand dialect's map ([§6.1](crate::protocol#61)).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoleMap<'a>(pub Vec<(ParticipantRole, Vec<Text<'a>>)>);

impl<'a> RoleMap<'a> {
    fn get(&self, role: &ParticipantRole) -> &[Text<'a>] {
        self.0.iter().take(PAIRED_ROLES).find(|(candidate, _)| candidate == role).map_or(&[], |(_, ids)| ids)
    }

    fn push(&mut self, role: &ParticipantRole, id: Text<'a>) {
        match self.0.iter_mut().find(|(candidate, _)| candidate == role) {
            Some((_, ids)) => ids.push(id),
            None => self.0.push((role.clone(), vec![id])),
        }
    }
}

/// The `participants` member, in either dialect's form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Roster<'a> {
    /// The brand dialect: ids by role.
    ByRole(RoleMap<'a>),
    /// The consumer dialect: a list.
    List(Vec<Listed<'a>>),
}

/// An element of the consumer dialect's list of participants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed<'a> {
    /// The participant's user id.
    #[serde(borrow)]
    pub id: Text<'a>,
    /// The role.
    pub role: ParticipantRole,
}

impl<'a> Roster<'a> {
    /// Returns the members `participants` and `participantsPId` for `people` in `dialect`.
    #[must_use]
    pub fn write(people: Vec<Person<'a>>, dialect: Dialect) -> (Self, Option<RoleMap<'a>>) {
        match dialect {
            Dialect::Consumer => {
                let list = people.into_iter().map(|person| Listed { id: person.user_id, role: person.role }).collect();
                (Self::List(list), None)
            }
            Dialect::Brand => {
                let (mut by_agent_id, mut by_user_id) = (RoleMap::default(), RoleMap::default());
                for Person { role, user_id, agent_id } in people {
                    by_agent_id.push(&role, agent_id.unwrap_or_else(|| user_id.clone()));
                    by_user_id.push(&role, user_id);
                }
                (Self::ByRole(by_agent_id), Some(by_user_id))
            }
        }
    }

    /// Returns the participants in the two members ([DG-N10](crate::rules#dg-n10)): the maps are paired by position if
    /// both have the role with equal lengths; otherwise the agent id replaces the missing public id
    /// ([Q18](crate::rules#q18)).
    #[must_use]
    pub fn read(roster: Option<&Self>, public_ids: Option<&RoleMap<'a>>) -> Vec<Person<'a>> {
        match (roster, public_ids) {
            (Some(Self::List(list)), _) => list
                .iter()
                .map(|Listed { id, role }| Person { role: role.clone(), user_id: id.clone(), agent_id: None })
                .collect(),
            (Some(Self::ByRole(by_role)), public_ids) => by_role
                .0
                .iter()
                .enumerate()
                .flat_map(|(place, (role, ids))| {
                    let public = public_ids.filter(|_| place < PAIRED_ROLES).map(|map| map.get(role));
                    let paired = public.filter(|public| public.len() == ids.len());
                    ids.iter().enumerate().map(move |(at, id)| {
                        let user_id = paired.map_or_else(|| id.clone(), |public| public[at].clone());
                        let agent_id = (*role != ParticipantRole::Consumer).then(|| id.clone());
                        Person { role: role.clone(), user_id, agent_id }
                    })
                })
                .collect(),
            // The consumer dialect of 2016 had only public ids (§6.1).
            (None, Some(public_ids)) => public_ids
                .0
                .iter()
                .flat_map(|(role, ids)| {
                    ids.iter().map(|id| Person { role: role.clone(), user_id: id.clone(), agent_id: None })
                })
                .collect(),
            (None, None) => Vec::new(),
        }
    }
}

/// One participant of one dialog (`dialogs[].participantsDetails[]`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParticipantDetails<'a> {
    /// The consumer's id; the agent id on a brand socket, the public id on a consumer's.
    #[serde(borrow)]
    pub id: Text<'a>,
    /// The role; if missing, the role in the conversation's participants counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<ParticipantRole>,
    /// Whether the participant has joined; missing in old conversations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<ParticipantStatus>,
}

impl Serialize for RoleMap<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (role, ids) in &self.0 {
            map.serialize_entry(role, ids)?;
        }
        map.end()
    }
}

impl Serialize for Roster<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::ByRole(map) => map.serialize(serializer),
            Self::List(list) => list.serialize(serializer),
        }
    }
}

#[derive(Deserialize)]
#[serde(transparent)]
struct Ids<'a>(#[serde(borrow, deserialize_with = "lenient::one_or_many")] Vec<Text<'a>>);

struct RosterVisitor;

impl<'de> de::Visitor<'de> for RosterVisitor {
    type Value = Roster<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("participants as a map of roles or as a list")
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut map = RoleMap::default();
        while let Some(role) = members.next_key::<ParticipantRole>()? {
            let Ids(ids) = members.next_value()?;
            map.0.push((role, ids));
        }
        Ok(Roster::ByRole(map))
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(element) = elements.next_element()? {
            list.push(element);
        }
        Ok(Roster::List(list))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Roster<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RosterVisitor)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for RoleMap<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.deserialize_map(RosterVisitor)? {
            Roster::ByRole(map) => Ok(map),
            Roster::List(_) => Err(de::Error::custom("participants as a list where a map of roles was expected")),
        }
    }
}
