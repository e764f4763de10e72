//! A webhook on its way to its connection.

use actix_web::{
    HttpRequest,
    http::StatusCode,
    web::{Bytes, Data, Payload},
};
use tertulia_actors::{connection::ConnectionError, core::id::ConnectionId};

use crate::gateway::{body, clients::Client, problem::Problem, room::Room, state::State};

/// The largest accepted webhook, in bytes.
const MAX_BYTES: usize = 1024 * 1024;
/// The header with the platform's signature (protocol [§10.4](crate::protocol#104)).
const SIGNATURE: &str = "x-liveperson-signature";

/// A webhook whose body may still be on its way.
pub(super) struct Arriving {
    pub(super) state: Data<State>,
    pub(super) connection: ConnectionId,
    pub(super) request: HttpRequest,
    pub(super) payload: Payload,
}

/// A webhook with its body.
pub(super) struct Arrived {
    pub(super) state: Data<State>,
    pub(super) connection: ConnectionId,
    pub(super) request: HttpRequest,
    pub(super) body: Bytes,
}

impl Arriving {
    pub(super) fn signature(&self) -> Option<&str> {
        signature(&self.request)
    }

    /// Reads the body with the memory of `room`, and passes it to `take`.
    pub(super) async fn read<T>(
        self,
        room: &Room,
        take: impl AsyncFnOnce(Arrived) -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        let Self { state, connection, request, payload } = self;
        let (body, _memory) = body::read(&request, payload, MAX_BYTES, room).await?;
        take(Arrived { state, connection, request, body }).await
    }
}

impl Arrived {
    pub(super) fn signature(&self) -> Option<&str> {
        signature(&self.request)
    }

    /// Lets the connection of this process take the webhook.
    pub(super) async fn take_here(&self) -> Result<(), ConnectionError> {
        let handle = self.state.everything().connection(&self.connection);
        handle.receive_webhook(self.signature(), self.body.clone()).await
    }

    /// The sender was authenticated by the signature.
    pub(super) fn is_known(&self) {
        if let Some(client) = self.request.conn_data::<Client>() {
            client.know();
        }
    }
}

fn signature(request: &HttpRequest) -> Option<&str> {
    request.headers().get(SIGNATURE).and_then(|value| value.to_str().ok())
}

/// The answer to the sender of a webhook that a connection does not take.
pub(super) fn refused(error: ConnectionError) -> Problem {
    let (status, code) = match &error {
        // The sender of a webhook does not learn which other connections exist.
        ConnectionError::UnknownConnection(id) | ConnectionError::NotSupported { connection: id, .. } => {
            let detail = format!("connection {id} does not accept webhooks");
            return Problem::new(StatusCode::NOT_FOUND, "unknown-connection", detail);
        }
        ConnectionError::BadSignature(_) => (StatusCode::UNAUTHORIZED, "bad-signature"),
        ConnectionError::MalformedNotification(_) => (StatusCode::BAD_REQUEST, "bad-request"),
        // The platform tries again.
        ConnectionError::Overloaded(_) => (StatusCode::SERVICE_UNAVAILABLE, "overloaded"),
        _ => return error.into(),
    };
    Problem::new(status, code, error.to_string())
}
