//! `/`: the dashboard, one page of static files that reads the endpoints of this gateway.
//!
//! The files contain no secrets and are served to everybody. The data comes from the endpoints, with the token that the
//! user enters. The page must load nothing from elsewhere and must never interpret text as markup: the headers tell the
//! browser to enforce both, and the dashboard's tests check both.

use actix_web::{
    HttpRequest, HttpResponse, get,
    http::header::{self, ETag, EntityTag, Header as _, IfNoneMatch},
    web::Path,
};
use rust_embed::{EmbeddedFile, RustEmbed};
use utoipa_actix_web::service_config::ServiceConfig;

use super::problem::Problem;

/// What the page may do: load its own files and call this gateway. No foreign scripts, styles or frames, and no string
/// becomes script or markup (Trusted Types).
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'; trusted-types 'none'";

/// The browser revalidates the files at each visit and gets "not modified" until the service's version changes.
const CACHE_CONTROL: &str = "no-cache";

/// The page's files.
#[derive(RustEmbed)]
#[folder = "src/gateway/dashboard/page"]
struct Files;

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(page).service(file);
}

/// Returns the dashboard.
#[utoipa::path(
    operation_id = "getDashboard",
    tag = "internal",
    responses(
        (status = 200, description = "The page", body = String, content_type = "text/html"),
        (status = 304, description = "The caller's copy is current"),
    )
)]
#[get("/")]
async fn page(request: HttpRequest) -> Result<HttpResponse, Problem> {
    answer("index.html", &request)
}

/// Returns one file of the dashboard.
#[utoipa::path(
    operation_id = "getDashboardFile",
    tag = "internal",
    path = "/dashboard/{file}",
    params(("file" = String, Path, description = "The file's path, relative to the page")),
    responses(
        (status = 200, description = "The file", content(
            (String = "text/html"),
            (String = "text/css"),
            (String = "text/javascript"),
            (String = "text/plain"),
            (String = "image/svg+xml"),
            (String = "font/woff2"),
        )),
        (status = 304, description = "The caller's copy is current"),
    )
)]
#[get("/dashboard/{file:.+}")]
async fn file(request: HttpRequest, name: Path<String>) -> Result<HttpResponse, Problem> {
    answer(&name, &request)
}

fn answer(name: &str, request: &HttpRequest) -> Result<HttpResponse, Problem> {
    let EmbeddedFile { data, metadata } =
        Files::get(name).ok_or_else(|| Problem::not_found("no such file of the dashboard"))?;
    let tag = EntityTag::new_strong(hex(&metadata.sha256_hash()));
    let mut response = if is_known(request, &tag) { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header((header::CONTENT_TYPE, content_type(name)))
        .insert_header((header::CACHE_CONTROL, CACHE_CONTROL))
        .insert_header((header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .insert_header(("cross-origin-opener-policy", "same-origin"))
        .insert_header(("cross-origin-resource-policy", "same-origin"))
        .insert_header(ETag(tag.clone()));
    Ok(if is_known(request, &tag) { response.finish() } else { response.body(data.into_owned()) })
}

/// Whether the caller already has this version of the file.
fn is_known(request: &HttpRequest, tag: &EntityTag) -> bool {
    match IfNoneMatch::parse(request) {
        Ok(IfNoneMatch::Any) => true,
        Ok(IfNoneMatch::Items(tags)) => tags.iter().any(|known| known.weak_eq(tag)),
        Err(_) => false,
    }
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("woff2") => "font/woff2",
        _ => "text/plain; charset=utf-8",
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
