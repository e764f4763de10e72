//! The two websocket endpoints: the brand's, opened by the bearer in the path, and the consumer's, opened by a token in a
//! header or by `InitConnection` (protocol [§3.1](crate::protocol#31), [§3.2](crate::protocol#32)).

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use actix_web::web::{Data, Path, Payload, Query};
use actix_web::{Error, HttpRequest, HttpResponse};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::body::SocketBody;
use super::serve::{Identity, admit, serve};
use crate::account::{Account, lock};
use crate::client_properties;
use crate::dialect::Dialect;
use crate::hub::SocketHandle;
use crate::platform::{ConsumerId, Party};

/// Bytes of one incoming frame or joined message, at most.
const FRAME_LIMIT: usize = 1024 * 1024;

/// The owner of a new socket, as far as the handshake tells.
enum Comer {
    Known(Identity),
    /// `InitConnection` will tell. The URL or a header may describe the device already.
    Nameless(Option<Arc<RawValue>>),
}

#[derive(Deserialize)]
pub(crate) struct Version {
    v: Option<String>,
}

/// `/ws_api/account/{account}/messaging/brand/{bearer}`
pub(crate) async fn brand(
    account: Data<Account>,
    request: HttpRequest,
    path: Path<(String, String)>,
    version: Query<Version>,
    payload: Payload,
) -> Result<HttpResponse, Error> {
    let (asked, bearer) = path.into_inner();
    let agent = {
        let hub = account.hub();
        hub.agents.of_bearer(&bearer).map(|agent| (agent, hub.agents.latest(agent)))
    };
    let Some((agent, session)) = agent.filter(|_| asked == account.config.account) else {
        return Ok(HttpResponse::Unauthorized().json(serde_json::json!({"error": "Invalid bearer"})));
    };
    let dialect = if version.v.as_deref() == Some("2") { Dialect::V2 } else { Dialect::V21 };
    let identity =
        Identity { party: Party::Agent(agent), dialect, client_properties: None, token: None, session: Some(session) };
    upgrade(account, &request, payload, Comer::Known(identity))
}

/// `/ws_api/account/{account}/messaging/consumer`
pub(crate) async fn consumer(
    account: Data<Account>,
    request: HttpRequest,
    path: Path<String>,
    payload: Payload,
) -> Result<HttpResponse, Error> {
    if path.into_inner() != account.config.account {
        return Ok(HttpResponse::Unauthorized().finish());
    }
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let given = header("Authorization").and_then(|value| value.split_once(' ')).map(|(_, token)| token.to_owned());
    let told = client_properties::of_handshake(request.query_string(), header("Client-Properties"));
    let client_properties = match told {
        Ok(properties) => properties,
        Err(fault) => return Ok(HttpResponse::BadRequest().json(serde_json::json!({"error": fault}))),
    };
    let comer = match given {
        None => Comer::Nameless(client_properties),
        Some(token) => match consumer_of(&account, &token) {
            Some(id) => Comer::Known(Identity {
                party: Party::Consumer(id),
                dialect: Dialect::V3,
                client_properties,
                token: Some(token),
                session: None,
            }),
            None => return Ok(HttpResponse::Unauthorized().json(serde_json::json!({"error": "Invalid token"}))),
        },
    };
    upgrade(account, &request, payload, comer)
}

/// Whose token this is, when it is valid and has not been taken back.
pub(crate) fn consumer_of(account: &Account, token: &str) -> Option<ConsumerId> {
    let revoked = std::mem::take(&mut account.hub().revoked_tokens);
    let mut tokens = lock(&account.tokens);
    revoked.iter().for_each(|token| tokens.revoke(token));
    tokens.subject(token).ok().map(ConsumerId::new)
}

fn upgrade(
    account: Data<Account>,
    request: &HttpRequest,
    payload: Payload,
    comer: Comer,
) -> Result<HttpResponse, Error> {
    let (response, _session, stream) = actix_ws::handle(request, payload)?;
    let stream = stream.max_frame_size(FRAME_LIMIT).aggregate_continuations().max_continuation_size(FRAME_LIMIT);
    let (queue, outgoing) = mpsc::channel(account.config.socket_queue.max(8));
    let overflown = Arc::new(AtomicBool::new(false));
    let pause = account.config.snapshot_pause;
    let noticed = Arc::clone(&overflown);
    let network = account.network();
    let mut handle = SocketHandle {
        queue,
        ending: CancellationToken::new(),
        stalled: Arc::new(AtomicBool::new(false)),
        overflown,
        token: None,
        session: None,
    };
    // Before the response to the handshake, so that a client that has the response is admitted already.
    let comer = match comer {
        Comer::Known(identity) => Ok(admit(&account, &mut handle, identity)),
        Comer::Nameless(client_properties) => Err(client_properties),
    };
    actix_web::rt::spawn(serve(account, stream, handle, comer));
    let response = response.map_body(|_, reading| SocketBody::new(outgoing, reading, noticed, pause, network));
    Ok(response.map_into_boxed_body())
}
