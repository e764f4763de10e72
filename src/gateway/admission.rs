//! Admits the requests of callers who may make them.

use std::sync::Arc;

use actix_web::{
    Error, HttpMessage as _, ResponseError as _,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{Method, StatusCode},
    middleware::Next,
    web::Data,
};

use super::{access::Holder, clients::Client, limits::Turn, nodes::ForCaller, problem::Problem, state::State};

/// Marks a request that this process makes for a caller. The caller was admitted, and counted, with another request.
pub(super) struct Admitted;

/// Passes a request on if its caller may make it.
pub(super) async fn require(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    pass_on(request, next, Holder::permit).await
}

/// Passes a request on if its caller is known, whatever the scope.
pub(super) async fn admit(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    pass_on(request, next, |_, _| Ok(())).await
}

async fn pass_on(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
    permit: impl Fn(&Holder, &Method) -> Result<(), Problem>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some(state) = request.app_data::<Data<State>>().cloned() else {
        return Ok(next.call(request).await?.map_into_boxed_body());
    };
    if request.extensions().contains::<ForCaller>() {
        // The first node has admitted the caller, and counts its requests.
        return Ok(next.call(request).await?.map_into_boxed_body());
    }
    match turn(&state, &request, permit) {
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

/// The turn of a request that is admitted; `None` if its caller has one already.
fn turn(
    state: &State,
    request: &ServiceRequest,
    permit: impl Fn(&Holder, &Method) -> Result<(), Problem>,
) -> Result<Option<Turn>, Problem> {
    let is_admitted = request.extensions().contains::<Admitted>();
    let turn = if is_admitted { None } else { Some(state.access.load().admit(request)?) };
    if let Some(holder) = request.extensions().get::<Arc<Holder>>() {
        permit(holder, request.method())?;
    }
    Ok(turn)
}
