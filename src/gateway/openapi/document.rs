//! The OpenAPI document, its resource, and the responses for unknown paths and methods.

use actix_web::{
    HttpRequest, HttpResponse, Responder,
    dev::ResourceDef,
    get,
    http::{Method, StatusCode, header},
    web::{Bytes, Data},
};
use utoipa_actix_web::service_config::ServiceConfig;

use crate::gateway::problem::Problem;

pub(in crate::gateway) fn serve(config: &mut ServiceConfig<'_>) {
    config.service(read);
}

/// The document, and the methods of each path.
pub(in crate::gateway) struct Document {
    pub(super) json: Bytes,
    pub(super) paths: Vec<(ResourceDef, Vec<Method>)>,
}

impl Document {
    /// The methods of a path; empty if the path does not exist.
    fn methods(&self, path: &str) -> Vec<&'static str> {
        // An exact path takes precedence over a path with a parameter.
        let own = self.paths.iter().find(|(known, _)| known.pattern() == Some(path));
        let any = self.paths.iter().filter(|(known, _)| own.is_none() && known.is_match(path));
        let taken = own.into_iter().chain(any).flat_map(|(_, methods)| methods);
        let mut names: Vec<&'static str> = taken.filter_map(name).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// Returns this document.
#[utoipa::path(operation_id = "getOpenApi", tag = "service", responses((status = 200, description = "OpenAPI 3.1", body = Object)))]
#[get("/openapi.json")]
async fn read(document: Data<Document>) -> impl Responder {
    HttpResponse::Ok().content_type("application/json").body(document.json.clone())
}

/// Answers requests that match no route.
pub(in crate::gateway) async fn elsewhere(document: Data<Document>, request: HttpRequest) -> Problem {
    let methods = document.methods(request.path());
    if methods.is_empty() {
        return Problem::new(StatusCode::NOT_FOUND, "not-found", "no resource has this path");
    }
    let detail = "this path does not support this method";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", detail).header(header::ALLOW, methods.join(", "))
}

fn name(method: &Method) -> Option<&'static str> {
    ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"].into_iter().find(|name| method == name)
}
