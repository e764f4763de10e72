//! Who may call: bearer tokens with a scope. Without tokens, callers on this machine only.

use std::{net::IpAddr, sync::Arc};

use actix_web::{
    Error, HttpMessage as _, ResponseError as _,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method, StatusCode,
        header::{self, HeaderMap},
        uri::Authority,
    },
    middleware::Next,
    web::Data,
};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::{
    clients::Client,
    limits::{Allowance, Turn},
    problem::Problem,
    state::State,
};
use crate::config::{Limits, Scope, Token};

/// The subprotocol of the gateway's WebSockets. It has no meaning: a browser that offers a token as a subprotocol needs
/// another one that the gateway can choose.
pub(super) const SUBPROTOCOL: &str = "tertulia";

/// Who may call, and how much.
pub(super) struct Access {
    callers: Vec<Caller>,
    /// The shared limit of all callers if there are no tokens.
    local: Allowance,
}

/// A token's holder. Tokens are compared and kept as digests, so that comparing reveals nothing about a token, not even
/// its length.
struct Caller {
    name: CallerName,
    digest: [u8; 32],
    scope: Scope,
    allowance: Allowance,
}

/// The name of the token that a request came with.
#[derive(Clone)]
pub(super) struct CallerName(pub(super) Arc<str>);

impl Access {
    pub(super) fn new(tokens: &[Token], limits: &Limits) -> Self {
        let caller = |token: &Token| Caller {
            name: CallerName(token.name.as_str().into()),
            digest: digest(token.token.expose_secret()),
            scope: token.scope,
            allowance: Allowance::new(limits),
        };
        Self { callers: tokens.iter().map(caller).collect(), local: Allowance::new(limits) }
    }

    /// Admits a request if its caller may make it and has not reached a limit.
    fn admit(&self, request: &ServiceRequest) -> Result<Turn, Problem> {
        let (method, headers) = (request.method(), request.headers());
        if self.callers.is_empty() {
            from_this_machine(headers)?;
            from_no_other_page(headers)?;
            return self.local.enter();
        }
        let Some(caller) = self.shown(headers) else {
            let problem = Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", "a bearer token is required");
            return Err(problem.header(header::WWW_AUTHENTICATE, "Bearer"));
        };
        request.extensions_mut().insert(caller.name.clone());
        let turn = caller.allowance.enter()?;
        if only_looks(method) || caller.scope >= Scope::Write {
            return Ok(turn);
        }
        Err(Problem::new(
            StatusCode::FORBIDDEN,
            "not-permitted",
            "the token has the scope read, and this request changes something",
        ))
    }

    /// What an admitted caller may do: everything if there are no tokens.
    pub(super) fn scope(&self, headers: &HeaderMap) -> Scope {
        if self.callers.is_empty() {
            return Scope::Admin;
        }
        self.shown(headers).map_or(Scope::Read, |caller| caller.scope)
    }

    /// Fails for an admitted caller who may not administer the service.
    pub(super) fn require_admin(&self, headers: &HeaderMap) -> Result<(), Problem> {
        if self.scope(headers) >= Scope::Admin {
            return Ok(());
        }
        Err(Problem::new(StatusCode::FORBIDDEN, "not-permitted", "this request needs a token with the scope admin"))
    }

    fn shown(&self, headers: &HeaderMap) -> Option<&Caller> {
        match headers.get(header::AUTHORIZATION) {
            Some(value) => self.caller(value.to_str().ok().and_then(bearer)?),
            None => self.caller(&offered(headers)?),
        }
    }

    /// Compares with every token in constant time, so that the duration reveals nothing about the tokens.
    fn caller(&self, shown: &str) -> Option<&Caller> {
        let shown = digest(shown);
        self.callers.iter().fold(None, |found, caller| {
            let is_known = bool::from(caller.digest.ct_eq(&shown));
            if is_known { Some(caller) } else { found }
        })
    }
}

fn only_looks(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The subprotocols that a caller offers for a WebSocket.
pub(super) fn subprotocols(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let offers = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).filter_map(|value| value.to_str().ok());
    offers.flat_map(|offers| offers.split(',')).map(str::trim)
}

/// The token offered as a subprotocol: a browser page can set no other header of a WebSocket.
fn offered(headers: &HeaderMap) -> Option<String> {
    let upgrade = headers.get(header::UPGRADE).and_then(|value| value.to_str().ok())?;
    if !upgrade.eq_ignore_ascii_case("websocket") {
        return None;
    }
    let token = subprotocols(headers).find_map(|offered| offered.strip_prefix("bearer."))?;
    String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(token).ok()?).ok()
}

/// Fails for a request to another host name. A browser page can reach the loopback address under its own name (DNS
/// rebinding), but its `Host` header shows that name.
fn from_this_machine(headers: &HeaderMap) -> Result<(), Problem> {
    let Some(host) = headers.get(header::HOST) else { return Ok(()) };
    let authority: Option<Authority> = host.to_str().ok().and_then(|host| host.parse().ok());
    let is_here = authority.is_some_and(|authority| {
        let name = authority.host().trim_matches(['[', ']']);
        name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    });
    if is_here {
        return Ok(());
    }
    let detail = "without tokens the gateway answers only requests to localhost or a loopback address";
    Err(Problem::new(StatusCode::FORBIDDEN, "not-permitted", detail))
}

/// Fails for a request from a page of another origin. Without tokens a browser on this machine would let any page call
/// the gateway: it asks no permission (CORS) for a `POST` without a JSON body, nor for a WebSocket. The browser sends
/// the page's origin, and only the gateway's own pages may call.
fn from_no_other_page(headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let is_own = |origin: &str| {
        let authority = origin.split_once("://").map(|(_, authority)| authority);
        authority.zip(text("host")).is_some_and(|(own, host)| own.eq_ignore_ascii_case(host))
    };
    let by_site = text("sec-fetch-site").is_none_or(|site| matches!(site, "same-origin" | "none"));
    if by_site && text("origin").is_none_or(is_own) {
        return Ok(());
    }
    let detail = "without tokens the gateway refuses requests from pages of other origins";
    Err(Problem::new(StatusCode::FORBIDDEN, "not-permitted", detail))
}

/// Passes a request on if its caller may make it.
pub(super) async fn require(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some(state) = request.app_data::<Data<State>>().cloned() else {
        return Ok(next.call(request).await?.map_into_boxed_body());
    };
    match state.access.admit(&request) {
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
