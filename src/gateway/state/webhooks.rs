//! The webhooks of a caller: those that deliver only events of the caller's own connections.

use std::time::Duration;

use tertulia_actors::dead_letters::DeadLetter;

use crate::{
    reach::Reach,
    webhooks::{
        Changes, Created, Delivery, NewWebhook, Rotated, Secret, Tested, Webhook, WebhookError, WebhookId, Webhooks,
    },
};

/// The webhooks of a caller. Each operation fails for other webhooks as for webhooks that do not exist.
pub(in crate::gateway) struct CallersWebhooks<'a> {
    pub(super) webhooks: &'a Webhooks,
    pub(super) reach: &'a Reach,
}

impl CallersWebhooks<'_> {
    pub(in crate::gateway) async fn list(&self) -> Result<Vec<Webhook>, WebhookError> {
        let mut webhooks = self.webhooks.list().await?;
        webhooks.retain(|webhook| self.reach.covers(&webhook.definition.reach));
        Ok(webhooks)
    }

    pub(in crate::gateway) async fn get(&self, id: &WebhookId) -> Result<Webhook, WebhookError> {
        let webhook = self.webhooks.get(id.clone()).await?;
        if self.reach.covers(&webhook.definition.reach) { Ok(webhook) } else { Err(WebhookError::Unknown(id.clone())) }
    }

    pub(in crate::gateway) async fn create(
        &self,
        new: NewWebhook,
        key: Option<(String, String)>,
    ) -> Result<Created, WebhookError> {
        self.webhooks.create(NewWebhook { reach: self.reach.clone(), ..new }, key).await
    }

    pub(in crate::gateway) async fn change(&self, id: WebhookId, changes: Changes) -> Result<Webhook, WebhookError> {
        self.get(&id).await?;
        self.webhooks.change(id, changes).await
    }

    pub(in crate::gateway) async fn delete(&self, id: WebhookId) -> Result<(), WebhookError> {
        self.get(&id).await?;
        self.webhooks.delete(id).await
    }

    pub(in crate::gateway) async fn rotate(
        &self,
        id: WebhookId,
        secret: Secret,
        overlap: Duration,
    ) -> Result<Rotated, WebhookError> {
        self.get(&id).await?;
        self.webhooks.rotate(id, secret, overlap).await
    }

    pub(in crate::gateway) async fn test(&self, id: WebhookId) -> Result<Tested, WebhookError> {
        self.get(&id).await?;
        self.webhooks.test(id).await
    }

    pub(in crate::gateway) async fn deliveries(
        &self,
        id: WebhookId,
        after: Option<String>,
        limit: usize,
    ) -> Result<Vec<(String, Delivery)>, WebhookError> {
        self.get(&id).await?;
        self.webhooks.deliveries(id, after, limit).await
    }

    /// Delivers the event of a dead letter again. The letter is known to be the caller's.
    pub(super) async fn replay(&self, letter: &DeadLetter) -> Result<(), WebhookError> {
        self.webhooks.replay(letter).await
    }
}
