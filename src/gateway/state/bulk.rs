//! The bulk jobs of a caller: those that act only on the caller's own connections.

use std::sync::Arc;

use tertulia_actors::core::id::ConversationId;

use crate::{
    bulk::{AskedAs, Bulk, BulkError, DryRun, Item, JobId, Order, Progress},
    reach::Reach,
};

/// The jobs of a caller. Each operation fails for other jobs as for jobs that do not exist.
pub(in crate::gateway) struct CallersJobs<'a> {
    pub(super) bulk: &'a Arc<Bulk>,
    pub(super) reach: &'a Reach,
    pub(super) name: Option<Arc<str>>,
}

impl CallersJobs<'_> {
    fn own(&self, order: Order) -> Order {
        Order { reach: self.reach.clone(), caller: self.name.clone(), ..order }
    }

    pub(in crate::gateway) async fn add(&self, order: Order, asked_as: Option<AskedAs>) -> Result<Progress, BulkError> {
        self.bulk.add(self.own(order), asked_as).await
    }

    pub(in crate::gateway) async fn dry_run(&self, order: Order) -> Result<DryRun, BulkError> {
        self.bulk.dry_run(&self.own(order)).await
    }

    pub(in crate::gateway) async fn list(&self, before: Option<&JobId>) -> Result<Vec<Progress>, BulkError> {
        let mut jobs = self.bulk.list(before).await?;
        jobs.retain(|progress| self.reach.covers(&progress.job.reach));
        Ok(jobs)
    }

    pub(in crate::gateway) async fn progress(&self, id: &JobId) -> Result<Progress, BulkError> {
        let progress = self.bulk.progress(id).await?;
        if self.reach.covers(&progress.job.reach) { Ok(progress) } else { Err(BulkError::UnknownJob(id.clone())) }
    }

    pub(in crate::gateway) async fn items(
        &self,
        id: &JobId,
        outcome: Option<String>,
        after: Option<ConversationId>,
        limit: usize,
    ) -> Result<(Vec<Item>, Option<ConversationId>), BulkError> {
        self.progress(id).await?;
        self.bulk.items(id, outcome, after, limit).await
    }

    pub(in crate::gateway) async fn pause(&self, id: &JobId) -> Result<Progress, BulkError> {
        self.progress(id).await?;
        self.bulk.pause(id).await
    }

    pub(in crate::gateway) async fn resume(&self, id: &JobId) -> Result<Progress, BulkError> {
        self.progress(id).await?;
        self.bulk.resume(id).await
    }

    pub(in crate::gateway) async fn cancel(&self, id: &JobId) -> Result<Progress, BulkError> {
        self.progress(id).await?;
        self.bulk.cancel(id).await
    }
}
