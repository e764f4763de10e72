//! The dead letters of a caller: those of the caller's own connections, and of deliveries to the caller's own webhooks.

use std::collections::{BTreeSet, HashMap, hash_map::Entry};

use actix_web::http::StatusCode;
use tertulia_actors::{
    Tertulia,
    dead_letters::{DeadLetter, DeadLetterId, ReplayError},
    engine::StoreError,
};

use super::webhooks::CallersWebhooks;
use crate::{
    gateway::{
        dead_letters::{Cause, CauseId},
        problem::Problem,
    },
    reach::Reach,
    webhooks::Webhooks,
};

/// Letters that are read at a time, of up to 2 MiB each.
const PAGE: usize = 100;

/// The dead letters of a caller. Each operation fails for other letters as for letters that do not exist.
pub(in crate::gateway) struct CallersLetters<'a> {
    pub(super) tertulia: &'a Tertulia,
    pub(super) webhooks: CallersWebhooks<'a>,
    pub(super) reach: &'a Reach,
}

/// Which letters are the caller's.
enum Own<'a> {
    All,
    /// Those of connections within the reach, and of these subscribers.
    Part(&'a Reach, BTreeSet<String>),
}

impl Own<'_> {
    fn has(&self, letter: &DeadLetter) -> bool {
        let Self::Part(reach, subscribers) = self else { return true };
        reach.sees(letter.connection.as_str())
            && letter.subscriber.as_deref().is_none_or(|subscriber| subscribers.contains(subscriber))
    }
}

impl<'a> CallersLetters<'a> {
    async fn own(&self) -> Own<'a> {
        if self.reach.is_everything() {
            return Own::All;
        }
        // Without a store there are no webhooks.
        let webhooks = self.webhooks.list().await.unwrap_or_default();
        Own::Part(self.reach, webhooks.iter().map(|webhook| webhook.definition.id.subscriber()).collect())
    }

    /// Returns at most `limit` letters after the letter `after`, the oldest first. With `cause`, only letters of this
    /// cause.
    pub(in crate::gateway) async fn list(
        &self,
        cause: Option<&CauseId>,
        after: Option<&DeadLetterId>,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, Problem> {
        let is_of_cause = |letter: &DeadLetter| cause.is_none_or(|cause| CauseId::of(letter) == *cause);
        let mut pages = self.pages(after).await;
        let mut found = Vec::new();
        while found.len() < limit
            && let Some(page) = pages.next().await?
        {
            found.extend(page.into_iter().filter(is_of_cause).take(limit - found.len()));
        }
        Ok(found)
    }

    /// All letters after the letter `after`, in pages, so that never all of them are in memory.
    async fn pages(&self, after: Option<&DeadLetterId>) -> Pages<'a> {
        Pages { tertulia: self.tertulia, own: self.own().await, after: after.cloned(), is_last: false }
    }

    /// The number of letters.
    pub(in crate::gateway) async fn count(&self) -> Result<usize, Problem> {
        if self.reach.is_everything() {
            return self.tertulia.dead_letters().held().await.map_err(unreadable);
        }
        let (mut pages, mut count) = (self.pages(None).await, 0);
        while let Some(page) = pages.next().await? {
            count += page.len();
        }
        Ok(count)
    }

    pub(in crate::gateway) async fn get(&self, id: &DeadLetterId) -> Result<DeadLetter, Problem> {
        let found = self.tertulia.dead_letters().get(id).await.map_err(unreadable)?;
        let letter = found.ok_or_else(|| ReplayError::Unknown(id.clone()))?;
        if !self.own().await.has(&letter) {
            return Err(ReplayError::Unknown(id.clone()).into());
        }
        Ok(letter)
    }

    /// Hands a letter over to its recipient again and deletes it.
    pub(in crate::gateway) async fn replay(&self, id: &DeadLetterId) -> Result<(), Problem> {
        let letter = self.get(id).await?;
        if Webhooks::sent(&letter) {
            self.webhooks.replay(&letter).await?;
            self.tertulia.dead_letters().remove(id).await?;
        } else {
            self.tertulia.replay_dead_letter(id).await?;
        }
        Ok(())
    }

    /// Returns the causes of the letters. The cause with the newest letter is first.
    pub(in crate::gateway) async fn causes(&self) -> Result<Vec<Cause>, Problem> {
        let mut causes: HashMap<CauseId, Cause> = HashMap::new();
        let mut pages = self.pages(None).await;
        while let Some(page) = pages.next().await? {
            for letter in page {
                match causes.entry(CauseId::of(&letter)) {
                    Entry::Occupied(mut known) => known.get_mut().add(&letter),
                    Entry::Vacant(new) => drop(new.insert(Cause::new(&letter))),
                }
            }
        }
        let mut causes: Vec<Cause> = causes.into_values().collect();
        causes.sort_unstable_by(|one, other| other.newest.id.cmp(&one.newest.id));
        Ok(causes)
    }

    /// Deletes the letters of one cause. Returns their number.
    pub(in crate::gateway) async fn remove_all(&self, cause: &CauseId) -> Result<usize, Problem> {
        let (mut pages, mut removed) = (self.pages(None).await, 0);
        while let Some(page) = pages.next().await? {
            let of_cause = page.iter().filter(|letter| CauseId::of(letter) == *cause);
            let ids: Vec<DeadLetterId> = of_cause.map(|letter| letter.id.clone()).collect();
            removed += self.tertulia.dead_letters().remove_all(&ids).await?;
        }
        Ok(removed)
    }

    /// Deletes a letter.
    pub(in crate::gateway) async fn remove(&self, id: &DeadLetterId) -> Result<(), Problem> {
        self.get(id).await?;
        self.tertulia.dead_letters().remove(id).await?;
        Ok(())
    }
}

/// A caller's letters, read a page at a time.
struct Pages<'a> {
    tertulia: &'a Tertulia,
    own: Own<'a>,
    after: Option<DeadLetterId>,
    is_last: bool,
}

impl Pages<'_> {
    /// The caller's letters among the next letters; `None` after the last one.
    async fn next(&mut self) -> Result<Option<Vec<DeadLetter>>, Problem> {
        if self.is_last {
            return Ok(None);
        }
        let mut page = self.tertulia.dead_letters().list(self.after.as_ref(), PAGE).await.map_err(unreadable)?;
        self.is_last = page.len() < PAGE;
        self.after = page.last().map(|letter| letter.id.clone());
        page.retain(|letter| self.own.has(letter));
        Ok(Some(page))
    }
}

fn unreadable(error: StoreError) -> Problem {
    tracing::error!(%error, "the dead letters cannot be read");
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "store-unavailable", "the store cannot be read now; try again")
}
