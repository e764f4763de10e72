//! Lets the holder of a connection know of webhooks in its inbox. Until it does, this node puts newer webhooks behind them.

use std::time::Duration;

use actix_web::{rt, web::Data};
use tertulia_actors::core::{id::ConnectionId, placement::DutyName};
use tokio::time::timeout;

use crate::{
    cluster::{Holder, peers},
    gateway::{nodes::Neighbours, state::State},
};

/// The pause between reports to a holder that does not answer.
const AGAIN_AFTER: Duration = Duration::from_millis(500);

/// Reports the webhooks that this node has kept for a connection, until its holder knows of them.
pub(super) fn report(state: &Data<State>, neighbours: &Neighbours, connection: &ConnectionId) {
    if !state.inbox.begin_report(connection) {
        return;
    }
    let (state, neighbours, connection) = (state.clone(), neighbours.clone(), connection.clone());
    rt::spawn(async move {
        let closing = state.closing.clone();
        let reporting = async {
            let mut view = neighbours.members.view();
            loop {
                view.mark_unchanged();
                let webhooks = state.inbox.unreported(&connection);
                if is_known(&state, &neighbours, &connection).await {
                    if state.inbox.reported(&connection, webhooks) {
                        return;
                    }
                    continue;
                }
                // An error means that the node's beats have ended, and with them what it can report.
                if matches!(timeout(AGAIN_AFTER, view.changed()).await, Ok(Err(_))) {
                    return;
                }
            }
        };
        closing.run_until_cancelled(reporting).await;
    });
}

/// Reports to the holder; `true` if it knows now, or if the connection exists no more.
async fn is_known(state: &State, neighbours: &Neighbours, connection: &ConnectionId) -> bool {
    if state.everything().connection(connection).look_into_inbox().is_ok() {
        return true;
    }
    let view = neighbours.view();
    match view.holder(&DutyName::Connection(connection.clone())) {
        Holder::Other(node) => {
            let Some(peer) = view.nodes.get(&node) else { return false };
            peers::report_inbox(&peer.about.address, &neighbours.trust, connection).await
        }
        Holder::Unknown => neighbours.are_known_now(),
        Holder::Me | Holder::Nobody => false,
    }
}
