//! The response to a WebSocket request.

use actix_http::{
    ResponseBuilder,
    ws::{HandshakeError, handshake},
};
use actix_web::{
    HttpRequest,
    http::{StatusCode, header},
};

use super::super::{access, problem::Problem};

/// Switches the protocol.
///
/// # Errors
/// The request is not for a WebSocket of version 13.
pub(super) fn answer(request: &HttpRequest) -> Result<ResponseBuilder, Problem> {
    let mut response = handshake(request.head()).map_err(|error| match error {
        HandshakeError::NoWebsocketUpgrade | HandshakeError::UnsupportedVersion => {
            Problem::new(StatusCode::UPGRADE_REQUIRED, "not-a-websocket", error.to_string())
                .header(header::UPGRADE, "websocket")
                .header(header::SEC_WEBSOCKET_VERSION, "13")
        }
        error => Problem::bad_request(error.to_string()),
    })?;
    // A subprotocol that contains a token is never chosen, because the response would repeat the token.
    if access::subprotocols(request.headers()).any(|offered| offered == access::SUBPROTOCOL) {
        response.insert_header((header::SEC_WEBSOCKET_PROTOCOL, access::SUBPROTOCOL));
    }
    Ok(response)
}
