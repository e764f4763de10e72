//! Receives the notifications for a connection without a socket.

use std::{sync::Arc, time::Duration};

use actix::{Addr, ArbiterHandle, AsyncContext};
use bytes::Bytes;
use secrecy::{ExposeSecret, SecretString};
use tertulia_core::{id::ConnectionId, webhook};
use tokio::{sync::watch, time::timeout};

use super::{Intake, IntakeSettings, WebhookArrived, backlog::Backlog, escalation::Replay};
use crate::{
    connection::{ConnectionError, ConnectionStatus, ProcessContext, Restart, Stop},
    conversation::{FramePermit, Handled},
    dead_letters::{DeadLetter, DeadLetterKind, ReplayError},
    frame_window::FrameWindow,
    metrics::Metrics,
    supervision::{GuardOptions, start_guarded_in},
};

/// How long a notification may take to become durable: less than the platform waits for a response
/// ([WH-1](crate::rules#wh-1)).
const KEPT_WITHIN: Duration = Duration::from_secs(4);

/// The entrance of a connection without a socket: checks notifications and limits their number.
#[derive(Clone)]
pub(crate) struct WebhookInbox {
    id: ConnectionId,
    pub(crate) address: Addr<Intake>,
    secret: SecretString,
    metrics: Arc<Metrics>,
    /// Limits the notifications that are accepted but not handled yet.
    window: FrameWindow,
    /// The webhooks that other processes accepted for this connection.
    pub(crate) backlog: Arc<Backlog>,
    /// Whether the effect of a notification survives the process.
    keeps: bool,
}

impl WebhookInbox {
    pub(crate) fn start(
        arbiter: &ArbiterHandle,
        options: GuardOptions,
        settings: IntakeSettings,
        process: ProcessContext,
        status: Arc<watch::Sender<ConnectionStatus>>,
    ) -> Self {
        let (id, secret) = (settings.id.clone(), settings.app.secret.clone());
        let window = FrameWindow::new(settings.max_unhandled, Arc::clone(&process.unhandled));
        let metrics = Arc::clone(&process.metrics);
        let keeps = process.journal.keeps();
        let backlog = Backlog::new(&process);
        let (waiting, places) = (Arc::clone(&backlog), window.clone());
        let address = start_guarded_in(arbiter, options, move |ctx| {
            Intake::new(settings, process, status, waiting, places, &ctx.address())
        });
        Self { id, address, secret, metrics, window, backlog, keeps }
    }

    pub(crate) fn stop(&self) {
        self.address.do_send(Stop);
    }

    /// Restarts the connection; `false` if its actor has ended.
    pub(crate) fn restart(&self) -> bool {
        self.address.connected() && self.address.try_send(Restart).is_ok()
    }

    /// Checks a webhook's signature; counts a wrong signature.
    pub(crate) fn verify(&self, signature: Option<&str>, body: &[u8]) -> Result<(), ConnectionError> {
        webhook::verify(self.secret.expose_secret().as_bytes(), body, signature).map_err(|error| {
            self.metrics.webhooks_refused.inc();
            error.into()
        })
    }

    /// Checks the form of a webhook's signature; counts a missing or malformed signature.
    pub(crate) fn expects(&self, signature: Option<&str>) -> Result<(), ConnectionError> {
        webhook::check_form(signature).map_err(|error| {
            self.metrics.webhooks_refused.inc();
            error.into()
        })
    }

    /// Takes a webhook that has just arrived. Webhooks that other processes accepted are handled first.
    pub(crate) async fn take_new(&self, body: Bytes) -> Result<(), ConnectionError> {
        if !self.backlog.is_empty() {
            return Err(ConnectionError::Overloaded(self.id.clone()));
        }
        self.take(body).await
    }

    async fn take(&self, body: Bytes) -> Result<(), ConnectionError> {
        let overloaded = || ConnectionError::Overloaded(self.id.clone());
        let place = self.window.try_take(body.len()).ok_or_else(overloaded)?;
        let (place, freed) = FramePermit::watched(place);
        // A send fails when the actor is being restarted or was stopped.
        self.address.send(WebhookArrived { body, place }).await.unwrap_or_else(|_| Err(overloaded()))?;
        // The platform does not repeat a webhook after a success, so the webhook must be durable first.
        if !self.keeps {
            return Ok(());
        }
        match timeout(KEPT_WITHIN, freed).await {
            Ok(Ok(Handled::Kept)) => Ok(()),
            // The platform sends it again.
            Ok(Ok(Handled::Lost) | Err(_)) | Err(_) => Err(overloaded()),
        }
    }

    /// Retries a dead letter.
    pub(crate) async fn replay(&self, letter: Arc<DeadLetter>) -> Result<(), ReplayError> {
        let id = letter.id.clone();
        if letter.kind == DeadLetterKind::Frame {
            return match self.take(letter.body.clone()).await {
                Err(ConnectionError::Overloaded(_)) => Err(ReplayError::Overloaded(id)),
                // A letter that still cannot be parsed has become a new dead letter.
                Ok(()) | Err(_) => Ok(()),
            };
        }
        let Some(place) = self.window.try_take(letter.body.len()) else { return Err(ReplayError::Overloaded(id)) };
        let place = FramePermit::new(place);
        self.address.send(Replay { letter, place }).await.unwrap_or(Err(ReplayError::NobodyThere(id)))
    }
}
