//! The dead letters of a caller: those of the caller's own connections, and of deliveries to the caller's own webhooks.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use tertulia_actors::{
    Tertulia,
    dead_letters::{DeadLetter, DeadLetterId, ReplayError},
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

/// Letters that are read at a time.
const PAGE: usize = 1_000;

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
    ) -> Vec<Arc<DeadLetter>> {
        let is_of_cause = |letter: &DeadLetter| cause.is_none_or(|cause| CauseId::of(letter) == *cause);
        let (own, mut found, mut after) = (self.own().await, Vec::new(), after.cloned());
        loop {
            let page = self.tertulia.dead_letters().list(after.as_ref(), PAGE);
            after = page.last().map(|letter| letter.id.clone());
            let is_last = page.len() < PAGE;
            let own = page.into_iter().filter(|letter| own.has(letter) && is_of_cause(letter));
            found.extend(own.take(limit - found.len()));
            if is_last || found.len() == limit {
                return found;
            }
        }
    }

    /// The number of letters.
    pub(in crate::gateway) async fn count(&self) -> usize {
        if self.reach.is_everything() {
            let held = self.tertulia.metrics().dead_letters_held.get();
            return usize::try_from(held).unwrap_or_default();
        }
        self.list(None, None, usize::MAX).await.len()
    }

    pub(in crate::gateway) async fn get(&self, id: &DeadLetterId) -> Option<Arc<DeadLetter>> {
        let letter = self.tertulia.dead_letters().get(id)?;
        self.own().await.has(&letter).then_some(letter)
    }

    /// Hands a letter over to its recipient again and deletes it.
    pub(in crate::gateway) async fn replay(&self, id: &DeadLetterId) -> Result<(), Problem> {
        let letter = self.get(id).await.ok_or_else(|| ReplayError::Unknown(id.clone()))?;
        if Webhooks::sent(&letter) {
            self.webhooks.replay(&letter).await?;
            self.tertulia.dead_letters().remove(id).await?;
        } else {
            self.tertulia.replay_dead_letter(id).await?;
        }
        Ok(())
    }

    /// Returns the causes of the letters. The cause with the newest letter is first.
    pub(in crate::gateway) async fn causes(&self) -> Vec<Cause> {
        let mut causes: HashMap<CauseId, Cause> = HashMap::new();
        for letter in self.list(None, None, usize::MAX).await {
            causes.entry(CauseId::of(&letter)).or_insert_with(|| Cause::new(&letter)).add(letter);
        }
        let mut causes: Vec<Cause> = causes.into_values().collect();
        causes.sort_unstable_by(|one, other| other.newest.id.cmp(&one.newest.id));
        causes
    }

    /// Deletes the letters of one cause. Returns their number.
    pub(in crate::gateway) async fn remove_all(&self, cause: &CauseId) -> Result<usize, ReplayError> {
        let letters = self.list(Some(cause), None, usize::MAX).await;
        let ids: Vec<DeadLetterId> = letters.iter().map(|letter| letter.id.clone()).collect();
        self.tertulia.dead_letters().remove_all(&ids).await
    }

    /// Deletes a letter.
    pub(in crate::gateway) async fn remove(&self, id: &DeadLetterId) -> Result<(), ReplayError> {
        self.get(id).await.ok_or_else(|| ReplayError::Unknown(id.clone()))?;
        self.tertulia.dead_letters().remove(id).await.map(drop)
    }
}
