//! A webhook of the platform at a node of several: it is taken by the holder of its connection, here or at another node.
//! If the holder does not take it in time, the inbox does, because the platform does not wait for a move.

use std::time::Duration;

use actix_web::{HttpResponse, http::StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use tertulia_actors::{
    connection::ConnectionError,
    core::{
        placement::DutyName,
        webhook::{SignatureError, check_form, verify},
    },
};
use tokio::time::{Instant, timeout_at};

use super::{
    report,
    webhook::{Arrived, Arriving, refused},
};
use crate::{
    cluster::{Holder, peers::PeerRequest},
    fleet::Described,
    gateway::{
        nodes::{self, Neighbours},
        problem::Problem,
    },
};

/// How long the holder may take to answer.
const HOLDER_WITHIN: Duration = Duration::from_secs(2);
/// How long the inbox may take in addition. Together less than the 2.5 s after which the platform calls an endpoint slow
/// (protocol [§10.4](crate::protocol#104)).
const INBOX_WITHIN: Duration = Duration::from_millis(400);

/// What the holder made of a webhook.
enum AtHolder {
    Answered(HttpResponse),
    /// It is not known to have taken the webhook.
    NotTaken,
}

/// Takes a webhook that arrived from the platform.
pub(super) async fn take(arriving: Arriving, neighbours: &Neighbours) -> Result<HttpResponse, Problem> {
    if !neighbours.members.tenure().may_act() {
        return Err(nodes::suspended());
    }
    let (state, id) = (&arriving.state, &arriving.connection);
    let unknown = || refused(ConnectionError::UnknownConnection(id.clone()));
    let secret = match neighbours.duties.described(id) {
        Some(Described::Webhooks(settings)) => Some(settings.app.secret),
        Some(Described::Socket(_)) => return Err(unknown()),
        None => None,
    };
    let view = neighbours.view();
    let exists = state.everything().connection(id).status().is_some()
        || view.holder(&DutyName::Connection(id.clone())) != Holder::Unknown
        // Before the first look at the database nothing is known of any duty.
        || (!neighbours.are_known_now() && secret.is_some());
    if !exists {
        return Err(unknown());
    }
    check_form(arriving.signature()).map_err(|error| bad_signature(&arriving, error))?;
    // The body is not authenticated yet, so it is read from a smaller memory.
    let room = state.unknown_bodies.clone();
    arriving.read(&room, async |arrived| take_read(&arrived, secret.as_ref(), neighbours).await).await
}

async fn take_read(
    arrived: &Arrived,
    secret: Option<&SecretString>,
    neighbours: &Neighbours,
) -> Result<HttpResponse, Problem> {
    let Arrived { state, connection, body, .. } = arrived;
    if let Some(secret) = secret {
        verify(secret.expose_secret().as_bytes(), body, arrived.signature()).map_err(|error| {
            state.everything().metrics().webhooks_refused.inc();
            refused(error.into())
        })?;
        arrived.is_known();
    }
    let deadline = Instant::now() + HOLDER_WITHIN;
    // The webhooks that this node has kept for the holder are older than this one.
    let is_behind = secret.is_some() && state.inbox.unreported(connection) > 0;
    if !is_behind && let AtHolder::Answered(answer) = at_holder(arrived, neighbours, deadline).await? {
        if answer.status().is_success() {
            arrived.is_known();
        }
        return Ok(answer);
    }
    if secret.is_none() {
        // This node does not have the secret of the connection, so it could not check the signature.
        return Err(nodes::moving(format!("no node took the webhook for connection {connection}")));
    }
    let within = (deadline + INBOX_WITHIN).saturating_duration_since(Instant::now());
    state.inbox.keep(connection, body.clone(), within).await?;
    report::report(state, neighbours, connection);
    Ok(HttpResponse::Ok().finish())
}

/// Lets the holder of the connection take the webhook.
async fn at_holder(arrived: &Arrived, neighbours: &Neighbours, deadline: Instant) -> Result<AtHolder, Problem> {
    let (view, duty) = (neighbours.view(), DutyName::Connection(arrived.connection.clone()));
    if arrived.state.everything().connection(&arrived.connection).status().is_some() && !view.is_leaving(&duty) {
        return match timeout_at(deadline, arrived.take_here()).await {
            Ok(Ok(())) => Ok(AtHolder::Answered(HttpResponse::Ok().finish())),
            Ok(Err(
                error @ (ConnectionError::BadSignature(_)
                | ConnectionError::MalformedNotification(_)
                | ConnectionError::NotSupported { .. }),
            )) => Err(refused(error)),
            Ok(Err(_)) | Err(_) => Ok(AtHolder::NotTaken),
        };
    }
    let Holder::Other(node) = view.holder(&duty) else { return Ok(AtHolder::NotTaken) };
    let Some(peer) = view.nodes.get(&node) else { return Ok(AtHolder::NotTaken) };
    let within = deadline.saturating_duration_since(Instant::now());
    let request = PeerRequest {
        method: arrived.request.method().clone(),
        address: &peer.about.address,
        path: arrived.request.path(),
        headers: nodes::passed_on(arrived.request.headers(), within),
        within,
    };
    match request.send(&neighbours.trust, arrived.body.clone()).await {
        Ok(answer) if is_final(answer.status()) => Ok(AtHolder::Answered(nodes::pass_on(answer))),
        Ok(answer) => {
            tracing::debug!(%node, status = answer.status().as_u16(), "a node did not take a webhook");
            Ok(AtHolder::NotTaken)
        }
        Err(error) => {
            tracing::debug!(%node, %error, "a node did not take a webhook");
            Ok(AtHolder::NotTaken)
        }
    }
}

/// Whether another node decided on a webhook. Otherwise it could not take the webhook now, or not any more.
fn is_final(status: StatusCode) -> bool {
    let is_transient = [
        StatusCode::MISDIRECTED_REQUEST,
        StatusCode::REQUEST_TIMEOUT,
        StatusCode::CONFLICT,
        StatusCode::TOO_MANY_REQUESTS,
    ];
    !status.is_server_error() && !is_transient.contains(&status)
}

/// Takes a webhook that another node passes on.
pub(super) async fn take_for_another(arriving: Arriving, neighbours: &Neighbours) -> Result<HttpResponse, Problem> {
    let (view, duty) = (neighbours.view(), DutyName::Connection(arriving.connection.clone()));
    let handle = arriving.state.everything().connection(&arriving.connection);
    if handle.status().is_none() || view.is_leaving(&duty) {
        return Err(nodes::misdirected());
    }
    handle.expects_webhook(arriving.signature()).map_err(refused)?;
    let within = nodes::time_left(arriving.request.headers()).map_or(HOLDER_WITHIN, |left| left.min(HOLDER_WITHIN));
    let deadline = Instant::now() + within;
    let room = arriving.state.bodies.clone();
    let taking = arriving.read(&room, async |arrived| arrived.take_here().await.map_err(refused));
    let late = || {
        let detail = "the webhook did not become durable in time";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", detail)
    };
    timeout_at(deadline, taking).await.unwrap_or_else(|_| Err(late()))?;
    Ok(HttpResponse::Ok().finish())
}

fn bad_signature(arriving: &Arriving, error: SignatureError) -> Problem {
    arriving.state.everything().metrics().webhooks_refused.inc();
    refused(error.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_that_a_node_could_not_take_now_goes_into_the_inbox() {
        for status in [200, 204, 400, 401, 404, 413] {
            assert!(is_final(StatusCode::from_u16(status).unwrap()), "{status}");
        }
        for status in [408, 409, 421, 429, 500, 502, 503, 504] {
            assert!(!is_final(StatusCode::from_u16(status).unwrap()), "{status}");
        }
    }
}
