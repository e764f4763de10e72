//! The answer to a request for a WebSocket.

use actix_http::{
    ResponseBuilder,
    ws::{HandshakeError, handshake},
};
use actix_web::{
    HttpRequest,
    http::{StatusCode, header},
};

use super::super::{access, problem::Problem};

/// Switches protocols.
///
/// # Errors
/// The request is for no WebSocket of version 13.
pub(super) fn answer(request: &HttpRequest) -> Result<ResponseBuilder, Problem> {
    let mut response = handshake(request.head()).map_err(|error| match error {
        HandshakeError::NoWebsocketUpgrade | HandshakeError::UnsupportedVersion => {
            Problem::new(StatusCode::UPGRADE_REQUIRED, "not-a-websocket", error.to_string())
                .header(header::UPGRADE, "websocket")
                .header(header::SEC_WEBSOCKET_VERSION, "13")
        }
        error => Problem::bad_request(error.to_string()),
    })?;
    // What carries a token is never chosen: it would be said again.
    if access::subprotocols(request.headers()).any(|offered| offered == access::SUBPROTOCOL) {
        response.insert_header((header::SEC_WEBSOCKET_PROTOCOL, access::SUBPROTOCOL));
    }
    Ok(response)
}
