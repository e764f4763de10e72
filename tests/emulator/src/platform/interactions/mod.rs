//! History search in the shapes of the Messaging Interactions API (protocol [§10.6](crate::protocol#106)). Messages come
//! from the same records as the ledger; participants and skills are recorded at each change.

mod filter;
mod past;
mod people;
mod record;

use serde_json::Value;

pub(crate) use filter::{Search, Sorting};
pub(crate) use past::Past;

use super::Platform;
use super::conversation::Conversation;
use super::names::Millis;

/// What a search found.
#[derive(Debug)]
pub(crate) struct Found {
    /// Conversations that match, on all pages.
    pub(crate) count: usize,
    /// The records of the page.
    pub(crate) records: Vec<Value>,
}

/// One page of a search.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Page {
    pub(crate) offset: usize,
    pub(crate) limit: usize,
    pub(crate) sorting: Sorting,
}

impl Platform {
    /// The conversations that a search names or describes.
    pub(crate) fn search_history(&self, search: &Search, page: Page, now: Millis) -> Found {
        let mut matching: Vec<&Conversation> =
            self.searched(search).into_iter().filter(|one| search.matches(one, &self.directory, now)).collect();
        matching.sort_unstable_by(|a, b| page.sorting.compare(a, b));
        let shown = matching.iter().skip(page.offset).take(page.limit);
        let records = shown.map(|conversation| self.history_record(conversation, &search.content, now)).collect();
        Found { count: matching.len(), records }
    }

    /// The conversations that can match at all, by the narrowest index there is.
    fn searched(&self, search: &Search) -> Vec<&Conversation> {
        if let Some(ids) = &search.conversations {
            return ids.iter().filter_map(|id| self.conversations.get(id.as_str())).collect();
        }
        match &search.consumer {
            Some(id) => {
                let known = self.directory.consumer(id);
                let ids = known.into_iter().flat_map(|consumer| &consumer.conversations);
                ids.filter_map(|id| self.conversations.get(id)).collect()
            }
            None => self.conversations.values().collect(),
        }
    }
}
