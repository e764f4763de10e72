//! Admits the requests of callers who may make them.

use actix_web::{
    Error, HttpMessage as _, ResponseError as _,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::StatusCode,
    middleware::Next,
    web::Data,
};

use super::{clients::Client, nodes::ForCaller, state::State};

/// Passes a request on if its caller may make it.
pub(super) async fn require(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some(state) = request.app_data::<Data<State>>().cloned() else {
        return Ok(next.call(request).await?.map_into_boxed_body());
    };
    if request.extensions().contains::<ForCaller>() {
        // The first node has admitted the caller, and counts its requests.
        return Ok(next.call(request).await?.map_into_boxed_body());
    }
    let access = state.access.load_full();
    match access.admit(&request) {
        Ok(turn) => {
            if let Some(client) = request.request().conn_data::<Client>() {
                client.know();
            }
            let answered = next.call(request).await;
            drop(turn);
            Ok(answered?.map_into_boxed_body())
        }
        // A response rather than an error, so that the outer middleware also processes it.
        Err(problem) => {
            if problem.status_code() == StatusCode::TOO_MANY_REQUESTS {
                state.http.limited.inc();
            }
            Ok(request.into_response(problem.error_response()))
        }
    }
}
