//! Collects the OpenAPI document from the routes.

use std::mem;

use actix_web::{App, dev::ResourceDef, http::Method};
use serde_json::{Value, json};
use utoipa::{
    OpenApi,
    openapi::{
        ContentBuilder, Ref, ResponseBuilder,
        path::{Operation, PathItem, Paths},
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};
use utoipa_actix_web::AppExt as _;

use super::{document::Document, events, finish};
use crate::{
    gateway::{
        problem::{self, Details},
        routes::routes,
    },
    webhooks::Answer,
};

const SCHEME: &str = "token";
/// The tag of endpoints that the document leaves out: only the service's own pages use them, or another protocol
/// describes them.
const INTERNAL: &str = "internal";

/// The description of the whole document.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Tertulia",
        description = "Conversations of LivePerson messaging, over HTTP. Every error is an RFC 9457 problem whose \
                       `code` is a stable word.",
        license(name = "MIT", identifier = "MIT"),
        contact(name = "The operators of this service"),
    ),
    servers((url = "/", description = "This service")),
    tags(
        (name = "connections", description = "The logins at the platform: their state, and what concerns no \
                                              conversation."),
        (name = "rings", description = "Conversations that the platform offers to agents."),
        (name = "conversations", description = "Conversations: their members, messages and files, and every action."),
        (name = "events", description = "What happens, as CloudEvents: streams, pages, and what a webhook receives."),
        (name = "webhooks", description = "Delivery of events to HTTP receivers, signed by Standard Webhooks."),
        (name = "bulk", description = "The same operation on many conversations, at a steady rate."),
        (name = "supervision", description = "What failed, and what was given up."),
        (name = "dead letters", description = "Notifications, commands and deliveries that could not be handled."),
        (name = "intake", description = "The platform's own webhooks."),
        (name = "service", description = "The service itself: health, metrics, backups and this document."),
    ),
    components(schemas(Details, Answer))
)]
struct Head;

/// Collects the document from the routes.
pub(in crate::gateway) fn gather() -> Document {
    let (_, mut document) = App::new().into_utoipa_app().openapi(Head::openapi()).configure(routes).split_for_parts();
    let scheme = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
    document.components.get_or_insert_default().add_security_scheme(SCHEME, scheme);
    let mut paths = Vec::new();
    for (path, item) in &mut document.paths.paths {
        let is_guarded = path.starts_with("/v1/") && !path.starts_with("/v1/intake/") || path == "/metrics";
        let methods = operations(item).map(|(method, operation)| {
            if ![Method::POST, Method::PUT, Method::PATCH].contains(&method) {
                operation.request_body = None;
            }
            complete(operation, is_guarded);
            method
        });
        let methods = methods.collect();
        name_by_method(item);
        // The path at a service of the platform may have slashes.
        let pattern = path.replace("{path}", "{path:.*}");
        paths.push((ResourceDef::new(pattern.as_str()), methods));
    }
    leave_out_internal(&mut document.paths);
    // Tests ensure that the document can be serialized.
    let mut document = json!(document);
    events::describe(&mut document);
    finish::finish(&mut document);
    Document { json: in_order(&document).into(), paths }
}

/// Returns the document as text. It begins with the members that readers look for first.
fn in_order(document: &Value) -> String {
    let order = ["openapi", "info", "servers", "tags", "paths", "webhooks", "components"];
    let members = order.iter().map(|name| format!("\"{name}\":{}", document[*name]));
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}

/// Puts the method before the id that several operations of a path share, because ids are unique.
fn name_by_method(item: &mut PathItem) {
    let ids: Vec<Option<String>> = operations(item).map(|(_, operation)| operation.operation_id.clone()).collect();
    for (method, operation) in operations(item) {
        if let Some(id) = &mut operation.operation_id
            && ids.iter().flatten().filter(|other| *other == id).count() > 1
        {
            let (first, rest) = id.split_at(1);
            *id = format!("{}{}{rest}", method.as_str().to_lowercase(), first.to_uppercase());
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (Method, &mut Operation)> {
    [
        (Method::GET, &mut item.get),
        (Method::POST, &mut item.post),
        (Method::PUT, &mut item.put),
        (Method::PATCH, &mut item.patch),
        (Method::DELETE, &mut item.delete),
        (Method::HEAD, &mut item.head),
        (Method::OPTIONS, &mut item.options),
    ]
    .into_iter()
    .filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

/// Adds the errors that every operation may return, and whether a token is required.
fn complete(operation: &mut Operation, is_guarded: bool) {
    let responses = &mut operation.responses.responses;
    for (status, description) in [("4XX", "The request was refused"), ("5XX", "The request could not be carried out")] {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
        let response = ResponseBuilder::new().description(description).content(problem::CONTENT_TYPE, content).build();
        responses.entry(status.to_owned()).or_insert_with(|| response.into());
    }
    let security = operation.security.get_or_insert_default();
    if is_guarded {
        security.push(SecurityRequirement::new::<_, _, &str>(SCHEME, []));
    }
}

fn leave_out_internal(paths: &mut Paths) {
    let is_internal = |operation: &Operation| operation.tags.iter().flatten().any(|tag| tag == INTERNAL);
    let all = mem::take(&mut paths.paths);
    paths.paths = all.into_iter().filter(|(_, item)| !item.get.iter().chain(&item.post).any(is_internal)).collect();
}
