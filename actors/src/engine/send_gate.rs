//! The last look before something is sent: whether this process may still act.

use tertulia_core::tenure::Standing;
use tokio::sync::watch;

/// Lets through what is sent to others, as long as this process may act. A process that stood still can wake up with
/// requests that were queued before, while another process already has its duties; so the gate is passed immediately
/// before each write.
#[derive(Clone, Debug)]
pub(crate) struct SendGate(watch::Receiver<Standing>);

/// This process may never act again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this process was fenced and may send nothing any more")]
pub(crate) struct FencedError;

impl SendGate {
    pub(crate) fn new(standing: watch::Receiver<Standing>) -> Self {
        Self(standing)
    }

    /// Waits while this process is suspended.
    pub(crate) async fn pass(&self) -> Result<(), FencedError> {
        if *self.0.borrow() == Standing::Valid {
            return Ok(());
        }
        let mut standing = self.0.clone();
        match standing.wait_for(|standing| *standing != Standing::Suspended).await.as_deref() {
            Ok(Standing::Valid) => Ok(()),
            Ok(_) | Err(_) => Err(FencedError),
        }
    }
}

impl Default for SendGate {
    /// A gate that is always open.
    fn default() -> Self {
        let (standing, always) = watch::channel(Standing::Valid);
        drop(standing);
        Self(always)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn what_is_sent_waits_while_the_process_is_suspended_and_is_dropped_when_it_was_fenced() {
        let (standing, receiver) = watch::channel(Standing::Valid);
        let gate = SendGate::new(receiver);
        assert_eq!(gate.pass().now_or_never(), Some(Ok(())));
        standing.send_replace(Standing::Suspended);
        let mut waits = Box::pin(gate.pass());
        assert_eq!((&mut waits).now_or_never(), None);
        standing.send_replace(Standing::Valid);
        assert_eq!(waits.now_or_never(), Some(Ok(())));
        standing.send_replace(Standing::Over);
        assert_eq!(gate.pass().now_or_never(), Some(Err(FencedError)));
        assert_eq!(SendGate::default().pass().now_or_never(), Some(Ok(())));
    }
}
