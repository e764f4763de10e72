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

/// Gives the duty of a connection back that has ended. If what the connection wrote does not become durable in time, or if
/// the connection `is_added_again`, this process keeps the duty.
pub(crate) async fn hand_back(process: &ProcessContext, connection: &ConnectionId, is_added_again: impl Fn() -> bool) {
    let handing_back = async {
        process.journal.settled().await;
        if is_added_again() {
            return;
        }
        if let Some(acting) = process.log.release(connection) {
            process.cluster.hand_back(&acting).await;
        }
    };
    if timeout(WITHIN, handing_back).await.is_err() {
        tracing::warn!(%connection, "the duty was not given back in time; it is free when this process has ended");
    }
}
