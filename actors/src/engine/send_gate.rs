//! The last look before something is sent: whether this process may still act.

use tertulia_core::tenure::Standing;

use super::Tenure;

/// Lets through what is sent to others, as long as this process may act. A process that stood still can wake up with
/// requests that were queued before, while another process already has its duties; so the gate is passed immediately
/// before each write.
#[derive(Clone, Debug, Default)]
pub(crate) struct SendGate(Tenure);

/// This process may never act again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this process was fenced and may send nothing any more")]
pub(crate) struct FencedError;

impl SendGate {
    pub(crate) fn new(tenure: Tenure) -> Self {
        Self(tenure)
    }

    /// Whether something may be sent now.
    pub(crate) fn is_open(&self) -> bool {
        self.0.may_act()
    }

    /// Waits while this process is suspended.
    pub(crate) async fn pass(&self) -> Result<(), FencedError> {
        let mut standing = None;
        while !self.is_open() {
            // The clock may be ahead of what others were notified of.
            self.0.look();
            let standing = standing.get_or_insert_with(|| self.0.standing());
            match standing.wait_for(|standing| *standing != Standing::Suspended).await.as_deref() {
                Ok(Standing::Valid) => {}
                Ok(_) | Err(_) => return Err(FencedError),
            }
        }
        Ok(())
    }

    /// Completes when sockets may not be open any longer.
    pub(crate) async fn sockets_must_close(&self) {
        let mut may_be_open = self.0.may_keep_sockets();
        // The sender is part of the tenure.
        let _ = may_be_open.wait_for(|may_be_open| !may_be_open).await;
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn what_is_sent_waits_while_the_process_is_suspended_and_is_dropped_when_it_was_fenced() {
        let tenure = Tenure::default();
        let gate = SendGate::new(tenure.clone());
        assert_eq!(gate.pass().now_or_never(), Some(Ok(())));
        assert!(gate.is_open());
        tenure.suspend(true);
        assert!(!gate.is_open());
        let mut waits = Box::pin(gate.pass());
        assert_eq!((&mut waits).now_or_never(), None);
        tenure.suspend(false);
        assert_eq!(waits.now_or_never(), Some(Ok(())));
        assert_eq!(gate.sockets_must_close().now_or_never(), None);
        tenure.fenced();
        assert_eq!(gate.pass().now_or_never(), Some(Err(FencedError)));
        assert_eq!(gate.sockets_must_close().now_or_never(), Some(()));
        assert_eq!(SendGate::default().pass().now_or_never(), Some(Ok(())));
    }
}
