//! The reading half of one websocket: from the first frame to the last, idle and grace times included.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix_web::web::{Bytes, Data};
use actix_ws::{AggregatedMessage, AggregatedMessageStream};
use serde_json::value::RawValue;
use tokio::time::timeout;

use super::body::Outgoing;
use super::upgrade::consumer_of;
use crate::account::{Account, now};
use crate::client_properties;
use crate::dialect::{Dialect, Operation, Request, response_frame, text_of};
use crate::faults::{Asked, Outcome, Side, Verdict};
use crate::hub::{SocketHandle, refusal};
use crate::identity::SessionNumber;
use crate::platform::{Caller, Party, Refusal, SocketId};

/// How long the other end may take to answer a close frame.
const CLOSE_GRACE: Duration = Duration::from_secs(2);

/// Who a socket belongs to.
pub(crate) struct Identity {
    pub(crate) party: Party,
    pub(crate) dialect: Dialect,
    pub(crate) client_properties: Option<Arc<RawValue>>,
    pub(crate) token: Option<String>,
    pub(crate) session: Option<SessionNumber>,
}

/// A socket that the platform knows.
pub(crate) struct Admitted {
    socket: SocketId,
    dialect: Dialect,
}

/// What was read.
enum Read {
    Frame(Bytes),
    /// The socket lives, nothing to do.
    Beat,
    Closed(Option<u16>),
    /// Gone without a word, or it broke the protocol.
    Gone,
    /// Silent for too long.
    Silent,
    /// The shell ends it.
    Ending,
}

/// Takes in a socket whose owner is known.
pub(crate) fn admit(account: &Account, handle: &mut SocketHandle, identity: Identity) -> Admitted {
    let Identity { party, dialect, client_properties, token, session } = identity;
    (handle.token, handle.session) = (token, session);
    let caller = Caller { socket: SocketId(0), party, dialect, client_properties, app: None };
    Admitted { socket: account.hub().open(caller, handle.clone()), dialect }
}

/// Serves a socket until it ends. One that is not admitted yet says who it is first; its handshake may have described
/// the device.
pub(crate) async fn serve(
    account: Data<Account>,
    mut stream: AggregatedMessageStream,
    mut handle: SocketHandle,
    admitted: Result<Admitted, Option<Arc<RawValue>>>,
) {
    let admitted = match admitted {
        Ok(admitted) => Some(admitted),
        Err(described) => {
            let introduction = introduce(&account, &mut stream, &handle, described);
            let identity = timeout(account.config.init_grace, introduction).await.unwrap_or(None);
            identity.map(|identity| admit(&account, &mut handle, identity))
        }
    };
    let Some(Admitted { socket, dialect }) = admitted else {
        end(&handle, &mut stream, Some(4401)).await;
        return;
    };
    loop {
        match read(&mut stream, &handle, account.config.idle_close).await {
            Read::Beat => {}
            Read::Frame(_) if handle.stalled.load(Ordering::Relaxed) => {}
            Read::Frame(frame) => request(&account, socket, dialect, &frame),
            Read::Closed(code) => {
                account.hub().close(socket);
                let _ = handle.queue.try_send(Outgoing::Close(code));
                return;
            }
            Read::Gone => {
                account.hub().close(socket);
                return;
            }
            Read::Silent => {
                account.hub().close(socket);
                return end(&handle, &mut stream, Some(1001)).await;
            }
            Read::Ending => return end(&handle, &mut stream, None).await,
        }
    }
}

/// Sends a close frame, if one is still to be sent, and waits a moment for the other end's.
async fn end(handle: &SocketHandle, stream: &mut AggregatedMessageStream, code: Option<u16>) {
    if let Some(code) = code {
        let _ = handle.queue.try_send(Outgoing::Close(Some(code)));
    }
    let closed = async {
        while let Some(Ok(message)) = stream.recv().await {
            if matches!(message, AggregatedMessage::Close(_)) {
                break;
            }
        }
    };
    let _ = timeout(CLOSE_GRACE, closed).await;
}

async fn read(stream: &mut AggregatedMessageStream, handle: &SocketHandle, patience: Duration) -> Read {
    let received = tokio::select! {
        received = timeout(patience, stream.recv()) => received,
        () = handle.ending.cancelled() => return Read::Ending,
    };
    match received {
        Err(_) => Read::Silent,
        Ok(None | Some(Err(_))) => Read::Gone,
        Ok(Some(Ok(message))) => match message {
            AggregatedMessage::Text(text) => Read::Frame(text.into_bytes()),
            AggregatedMessage::Binary(bytes) => Read::Frame(bytes),
            AggregatedMessage::Ping(payload) => {
                let _ = handle.queue.try_send(Outgoing::Pong(payload));
                Read::Beat
            }
            AggregatedMessage::Pong(_) => Read::Beat,
            AggregatedMessage::Close(reason) => Read::Closed(reason.map(|reason| reason.code.into())),
        },
    }
}

/// Waits for `InitConnection`; requests before it are refused with 401.
async fn introduce(
    account: &Account,
    stream: &mut AggregatedMessageStream,
    handle: &SocketHandle,
    described: Option<Arc<RawValue>>,
) -> Option<Identity> {
    loop {
        let frame = match read(stream, handle, account.config.init_grace).await {
            Read::Frame(frame) => frame,
            Read::Beat => continue,
            _ => return None,
        };
        let Ok(request) = Request::read(&frame) else { continue };
        let answer = |text: String| handle.queue.try_send(Outgoing::Answer(text.into()));
        if Operation::of(&request.type_name) != Some(Operation::InitConnection) {
            let _ = answer(Refusal::new(401, "InitConnection is missing").frame(&request.id, Dialect::V3));
            continue;
        }
        let header = |name: &str| {
            request.headers.iter().find(|header| header["type"].as_str().is_some_and(|kind| kind.ends_with(name)))
        };
        let token = header("ConsumerAuthentication").and_then(|header| text_of(&header["jwt"]));
        let Some((id, token)) = token.and_then(|token| Some((consumer_of(account, &token)?, token))) else {
            let _ = answer(Refusal::new(401, "Invalid token").frame(&request.id, Dialect::V3));
            return None;
        };
        let asked = Asked {
            request: request.name(),
            side: Some(Side::Consumer),
            user: id.as_str(),
            conversations: Vec::new(),
            body: request.raw_body(),
        };
        let verdict = account.hub().decide(asked, now());
        if let Some(Verdict { outcome, .. }) = verdict {
            match outcome {
                Outcome::Close(code) => {
                    let _ = handle.queue.try_send(Outgoing::Close(Some(code)));
                    return None;
                }
                Outcome::Drop => {
                    let _ = handle.queue.try_send(Outgoing::Cut);
                    return None;
                }
                _ if outcome.changes_the_right_answer() => {}
                _ => {
                    let _ = refusal(outcome, &request, Dialect::V3).map(answer);
                    continue;
                }
            }
        }
        let told = header("ClientProperties").map(|told| client_properties::of_frame(told, described.as_deref()));
        let client_properties = match told.transpose() {
            Ok(properties) => properties.or_else(|| described.clone()),
            Err(fault) => {
                let _ = answer(Refusal::bad(fault).frame(&request.id, Dialect::V3));
                continue;
            }
        };
        let text = response_frame(&request.id, 200, Dialect::V3.string_response(), r#""OK Connection initialized""#);
        let _ = answer(text);
        return Some(Identity {
            party: Party::Consumer(id),
            dialect: Dialect::V3,
            client_properties,
            token: Some(token),
            session: None,
        });
    }
}

fn request(account: &Account, socket: SocketId, dialect: Dialect, frame: &[u8]) {
    let request = match Request::read(frame) {
        Ok(request) => request,
        Err(text) => return account.hub().answer(socket, Refusal::bad(text).frame("", dialect)),
    };
    let operation = Operation::of(&request.type_name);
    match operation {
        Some(operation @ (Operation::GenerateUrlForUpload | Operation::GenerateUrlForDownload)) => {
            let text = match account.file_url(operation, &request.tree()) {
                Ok(url) => response_frame(&request.id, 200, operation.response_type(dialect), &url.to_string()),
                Err(refusal) => refusal.frame(&request.id, dialect),
            };
            account.hub().respond(socket, &request, text, now());
        }
        _ => account.hub().request(socket, &request, now()),
    }
}
