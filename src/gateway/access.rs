//! Who may call: bearer tokens with a scope, or, without any, whoever is on this machine.

use std::net::IpAddr;

use actix_web::{
    Error,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method, StatusCode,
        header::{self, HeaderMap},
        uri::Authority,
    },
    middleware::Next,
    web::Data,
};
use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::{problem::Problem, state::State};
use crate::config::{Scope, Token};

/// Who may call.
pub(super) struct Access {
    tokens: Vec<Known>,
}

/// A token as it is compared: by its digest, so that its length tells nothing either.
struct Known {
    digest: [u8; 32],
    scope: Scope,
}

impl Access {
    pub(super) fn new(tokens: &[Token]) -> Self {
        let known = |token: &Token| Known { digest: digest(token.token.expose_secret()), scope: token.scope };
        Self { tokens: tokens.iter().map(known).collect() }
    }

    fn judge(&self, method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
        if self.tokens.is_empty() {
            return from_this_machine(headers);
        }
        let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(bearer);
        let Some(scope) = shown.and_then(|shown| self.scope_of(shown)) else {
            let problem = Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", "a bearer token is needed");
            return Err(problem.header(header::WWW_AUTHENTICATE, "Bearer"));
        };
        let only_looks = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
        if only_looks || scope == Scope::Write {
            return Ok(());
        }
        Err(Problem::new(
            StatusCode::FORBIDDEN,
            "not-permitted",
            "the token's scope is read, and this changes something",
        ))
    }

    /// Compares with every token, each in constant time: how long it takes tells nothing about any.
    fn scope_of(&self, shown: &str) -> Option<Scope> {
        let shown = digest(shown);
        self.tokens.iter().fold(None, |found, known| {
            let is_known = bool::from(known.digest.ct_eq(&shown));
            if is_known { Some(known.scope) } else { found }
        })
    }
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// A page in a browser on this machine can reach the loopback address by a name of its own (DNS rebinding); the `Host`
/// that it sends then tells.
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

/// Lets a request pass whose caller may make it.
pub(super) async fn require(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    if let Some(state) = request.app_data::<Data<State>>() {
        state.access.judge(request.method(), request.headers())?;
    }
    next.call(request).await
}
