//! The unread messages of each participant ([CV-M10](crate::rules#cv-m10)).

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::{Participant, lookup::SHORT};
use crate::{
    id::{AgentId, UserId},
    ums::UnreadMessages,
};

/// Counts of unread messages, by the ids that the platform sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct UnreadCounts(Vec<(Box<str>, u64)>);

impl UnreadCounts {
    pub(super) fn new(stated: &UnreadMessages<'_>) -> Self {
        Self(stated.0.iter().map(|(id, count)| (id.as_str().into(), *count)).collect())
    }

    /// The unread messages of one participant; `None` if the platform has no count for the participant.
    pub(super) fn of(&self, participant: &Participant) -> Option<u64> {
        self.0.iter().find(|(id, _)| participant.is(id)).map(|(_, count)| *count)
    }

    /// The counts by user id, each user once although several ids may belong to one user, in the order of the ids. An id
    /// that belongs to none of `participants` is not replaced.
    pub(super) fn by_user_id<'p, P: Iterator<Item = &'p Participant>>(
        &self,
        participants: impl Fn() -> P,
    ) -> Vec<(UserId, u64)> {
        // A linear search is enough for a few counts. Many counts need an index.
        let index = (self.0.len() > SHORT).then(|| {
            let mut index: HashMap<&str, &UserId> = HashMap::new();
            for participant in participants() {
                let ids = [Some(participant.user_id.as_str()), participant.agent_id.as_ref().map(AgentId::as_str)];
                for id in ids.into_iter().flatten() {
                    index.entry(id).or_insert(&participant.user_id);
                }
            }
            index
        });
        let user_id = |id: &str| {
            let known = match &index {
                Some(index) => index.get(id).copied(),
                None => participants().find(|participant| participant.is(id)).map(|participant| &participant.user_id),
            };
            known.cloned().unwrap_or_else(|| id.into())
        };
        let mut counts: Vec<(UserId, u64)> = self.0.iter().map(|(id, count)| (user_id(id), *count)).collect();
        counts.sort_by(|(one, _), (other, _)| one.cmp(other));
        counts.dedup_by(|(later, count), (user, counted)| {
            let is_same = later == user;
            if is_same {
                *counted = *count;
            }
            is_same
        });
        counts
    }
}
