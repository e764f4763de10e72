//! One webhook: posted, signed, and tried again as its installation says.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::notification::Notification;
use super::{AppEndpoint, AppInstall};

/// An endpoint that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(5);

/// Brings an application its webhooks.
pub(super) struct Courier {
    client: awc::Client,
    app: Arc<AppInstall>,
    account: String,
}

impl Courier {
    pub(super) fn new(app: Arc<AppInstall>, account: String) -> Self {
        Self { client: awc::Client::builder().timeout(PATIENCE).finish(), app, account }
    }

    /// Posts a webhook until it is taken or given up.
    pub(super) async fn deliver(&self, notification: &Notification) {
        let Some(endpoint) = self.app.endpoints.get(&notification.event_type) else { return };
        let since = Instant::now();
        let mut tries = 1;
        while !self.post(endpoint, &notification.body).await {
            let Some(pause) = self.app.next_pause(endpoint, tries, since.elapsed()) else {
                tracing::warn!(client = self.app.client_id, tries, "webhook dropped, the endpoint did not take it");
                return;
            };
            sleep(pause).await;
            tries += 1;
        }
    }

    async fn post(&self, endpoint: &AppEndpoint, body: &str) -> bool {
        let request = self
            .client
            .post(&endpoint.url)
            .insert_header(("Content-Type", "application/json"))
            .insert_header(("x-liveperson-account-id", self.account.as_str()))
            .insert_header(("x-liveperson-client-id", self.app.client_id.as_str()))
            .insert_header(("x-liveperson-signature", self.app.signature.sign(&self.app.client_secret, body)));
        match request.send_body(body.to_owned()).await {
            Ok(response) => matches!(response.status().as_u16(), 200 | 201),
            Err(_) => false,
        }
    }
}
