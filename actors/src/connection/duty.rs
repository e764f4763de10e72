//! The duty of running a connection. A process takes it before it reads what is stored of the connection, because the
//! last holder may write until then.

use std::time::Duration;

use tertulia_core::{id::ConnectionId, placement::DutyName};
use tokio::time::timeout;

use super::ProcessContext;

/// How long giving a duty back may take.
const WITHIN: Duration = Duration::from_secs(10);

/// Takes the duty, and waits while another process has it. Everything that this process writes for the connection from
/// then on is written with it.
pub(super) async fn take(process: &ProcessContext, connection: &ConnectionId) {
    // The store refuses steps with an older right, so those that wait must be kept first.
    process.journal.settled().await;
    let acting = process.cluster.take_when_free(DutyName::Connection(connection.clone())).await;
    process.log.assign(connection, acting);
}

/// Gives the duty of a connection back that has ended, once its actors are gone and what they wrote is durable. If that
/// takes too long, the duty is given back later. If the connection `is_added_again`, this process keeps the duty.
pub(crate) async fn hand_back(
    process: &ProcessContext,
    connection: &ConnectionId,
    is_added_again: impl Fn() -> bool + Send + 'static,
) {
    let (process, id) = (process.clone(), connection.clone());
    // Its own task, because a duty that nobody gives back stays here although nothing runs. It ends with the journal.
    let handing_back = tokio::spawn(async move {
        process.log.unwritten(&id).await;
        if is_added_again() || !process.journal.settled().await || is_added_again() {
            return;
        }
        if let Some(acting) = process.log.release(&id) {
            process.cluster.hand_back(&acting).await;
        }
    });
    if timeout(WITHIN, handing_back).await.is_err() {
        tracing::warn!(%connection, "the duty cannot be given back yet; it follows when the connection's writes are kept");
    }
}
