//! The front of what consumers do beside talking: their profile, and who they are.

use tertulia_core::id::ConnectionId;
use tokio::{sync::oneshot, time::timeout};

use super::{PATIENCE, Tertulia};
use crate::{
    connection::{BeginStepUp, StepUpError, SteppedUp},
    platform::StepUp,
    request::RequestFailure,
};

impl Tertulia {
    /// Makes an anonymous consumer somebody the brand vouches for, with their open conversations (CA-4, CN-F17). The
    /// connection reconnects on the way. It goes on where the caller stops waiting, after three minutes at most.
    ///
    /// # Errors
    /// [`StepUpError`]; on [`StepUpError::Login`] the old identity goes on.
    pub async fn step_up(&self, connection: &ConnectionId, step_up: StepUp) -> Result<SteppedUp, StepUpError> {
        let (reply, stepped_up) = oneshot::channel();
        self.socket(connection)?.do_send(BeginStepUp { step_up, reply });
        // A token, a reconnect and a takeover, one after the other.
        match timeout(PATIENCE * 3, stepped_up).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(RequestFailure::ConnectionLost.into()),
            Err(_) => Err(RequestFailure::TimedOut.into()),
        }
    }
}
