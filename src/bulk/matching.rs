//! Finds the conversations of a filter, and the connection that acts on each. Reads the store by conversation id, over
//! all connections at once, with one page per connection in memory.

use std::{collections::VecDeque, time::Duration, vec};

use futures_util::future::join_all;
use tertulia_actors::{
    Tertulia,
    conversation::{ConversationFilter, ConversationSummary},
    core::{
        command::Identity,
        id::{ConnectionId, ConversationId},
    },
    engine::StoreError,
};
use tokio::time::{Instant, sleep};

use super::{
    acting::Standing,
    connections::{ConnectionState, Connections, Presence},
    filter::Filter,
    operation::Operation,
};
use crate::reach::Reach;

/// The most summaries in memory, over all connections.
const IN_MEMORY: usize = 20_000;
/// The most summaries in memory of one connection.
const PAGE: usize = 1_000;
/// How often the state of a connection that is not ready is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A matching conversation and the connection that acts on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Match {
    pub(super) conversation: ConversationId,
    /// `None` if the filter lists the conversation but no connection sees it.
    pub(super) connection: Option<ConnectionId>,
}

/// The conversations that a filter selects.
pub(super) struct Candidates<'a> {
    tertulia: &'a Tertulia,
    conditions: ConversationFilter,
    is_for_agents: bool,
    sources: Vec<Source>,
    listed: Option<vec::IntoIter<ConversationId>>,
}

/// The conversations of one connection.
struct Source {
    connection: ConnectionId,
    identity: Option<Identity>,
    page: VecDeque<ConversationSummary>,
    /// The position after which the next page begins.
    next: Option<ConversationId>,
    is_read: bool,
}

impl<'a> Candidates<'a> {
    /// Waits at most `patience` until every relevant connection is ready or has failed. For a connection that is not
    /// ready by then, only conversations known from a previous run or session are read.
    pub(super) async fn open(
        tertulia: &'a Tertulia,
        reachable: &dyn Connections,
        filter: &Filter,
        reach: &Reach,
        operation: &Operation,
        patience: Duration,
    ) -> Self {
        let mut connections = match &filter.connection {
            Some(connection) => vec![connection.clone()],
            None => reachable.all(),
        };
        connections.retain(|connection| reach.sees(connection.as_str()));
        connections.sort_unstable();
        let sources = connections.into_iter().map(|connection| async move {
            let state = ready(reachable, &connection, patience).await;
            if state.as_ref().is_none_or(|state| state.presence != Presence::Ready) {
                tracing::warn!(%connection, "a bulk job reads a connection that is not ready");
            }
            let identity = state.and_then(|state| state.identity());
            Source { connection, identity, page: VecDeque::new(), next: None, is_read: false }
        });
        let sources = join_all(sources).await;
        // All earlier events are in the store now.
        tertulia.journal().settled().await;
        let listed = filter.conversations.as_deref().map(|listed| {
            let mut listed = listed.to_vec();
            listed.sort_unstable();
            listed.dedup();
            listed.into_iter()
        });
        let (conditions, is_for_agents) = (filter.conditions(), operation.is_for_agents());
        Self { tertulia, conditions, is_for_agents, sources, listed }
    }

    /// The next match, by conversation id.
    pub(super) async fn next(&mut self) -> Result<Option<Match>, StoreError> {
        if self.listed.is_some() { self.next_listed().await } else { self.next_found().await }
    }

    async fn next_listed(&mut self) -> Result<Option<Match>, StoreError> {
        while let Some(conversation) = self.listed.as_mut().and_then(Iterator::next) {
            let (mut seen, mut best) = (false, None);
            for source in &self.sources {
                let summary = self.tertulia.connection(&source.connection).summary(&conversation).await?;
                let Some(summary) = summary.filter(ConversationSummary::belongs) else { continue };
                seen = true;
                let summary = Some(summary).filter(|summary| self.conditions.matches(&summary.outline));
                let standing = summary.and_then(|it| Standing::of(&it, source.identity.as_ref(), self.is_for_agents));
                best = best_of(best, standing.map(|standing| (standing, &source.connection)));
            }
            if !seen || best.is_some() {
                let connection = best.map(|(_, connection)| connection.clone());
                return Ok(Some(Match { conversation, connection }));
            }
        }
        Ok(None)
    }

    async fn next_found(&mut self) -> Result<Option<Match>, StoreError> {
        let limit = (IN_MEMORY / self.sources.len().max(1)).clamp(1, PAGE);
        loop {
            for source in &mut self.sources {
                source.fill(self.tertulia, &self.conditions, limit).await?;
            }
            let heads = self.sources.iter().filter_map(|source| source.page.front());
            let Some(conversation) = heads.map(|summary| &summary.id).min().cloned() else { return Ok(None) };
            let mut best = None;
            for source in &mut self.sources {
                if let Some(summary) = source.page.pop_front_if(|summary| summary.id == conversation) {
                    let standing = Standing::of(&summary, source.identity.as_ref(), self.is_for_agents);
                    best = best_of(best, standing.map(|standing| (standing, &source.connection)));
                }
            }
            if let Some((_, connection)) = best {
                return Ok(Some(Match { conversation, connection: Some(connection.clone()) }));
            }
        }
    }
}

impl Source {
    async fn fill(
        &mut self,
        tertulia: &Tertulia,
        conditions: &ConversationFilter,
        limit: usize,
    ) -> Result<(), StoreError> {
        while self.page.is_empty() && !self.is_read {
            let page = tertulia.connection(&self.connection).summaries(conditions, self.next.take(), limit).await?;
            self.is_read = page.len() < limit;
            self.next = page.last().map(|last| last.id.clone());
            self.page = page.into();
        }
        Ok(())
    }
}

/// Waits at most `patience` until a connection is ready or has ended. Returns its last state.
async fn ready(
    connections: &dyn Connections,
    connection: &ConnectionId,
    patience: Duration,
) -> Option<ConnectionState> {
    let deadline = Instant::now() + patience;
    loop {
        let state = connections.state(connection).await;
        let is_away = state.as_ref().is_some_and(|state| state.presence == Presence::Away);
        if !is_away || Instant::now() >= deadline {
            return state;
        }
        sleep(LOOK_EVERY).await;
    }
}

type Claim<'a> = (Standing, &'a ConnectionId);

/// The claim with the better standing; among equals the earlier one, which is first by name.
fn best_of<'a>(best: Option<Claim<'a>>, claim: Option<Claim<'a>>) -> Option<Claim<'a>> {
    match (best, claim) {
        (Some(best), Some(claim)) => Some(best.min(claim)),
        (best, claim) => best.or(claim),
    }
}
