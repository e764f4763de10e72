//! Who may call: bearer tokens with a scope and a reach. Without tokens, callers on this machine only.

use std::{net::IpAddr, sync::Arc};

use actix_web::{
    HttpMessage as _,
    dev::ServiceRequest,
    http::{
        Method, StatusCode,
        header::{self, HeaderMap},
        uri::Authority,
    },
};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tokio_util::sync::CancellationToken;

use super::{
    limits::{Allowance, Turn},
    origins::Origins,
    problem::Problem,
};
use crate::{
    config::{Limits, Scope, Token},
    reach::Reach,
};

/// The subprotocol of the gateway's WebSockets. It has no meaning: a browser that offers a token as a subprotocol needs
/// another one that the gateway can choose.
pub(super) const SUBPROTOCOL: &str = "tertulia";

/// Who may call, and how much.
pub(super) struct Access {
    /// The holder of each token; without tokens one holder, which is every local caller.
    holders: Vec<Arc<Holder>>,
    origins: Origins,
}

/// The holder of a token, or every local caller if there are no tokens.
pub(super) struct Holder {
    /// The name of the token; `None` for local callers.
    pub(super) name: Option<Arc<str>>,
    pub(super) scope: Scope,
    pub(super) reach: Reach,
    /// The largest body of a request that is forwarded to the platform, in bytes.
    pub(super) forwarded_bytes: u64,
    /// Cancelled when the token is no longer valid, and when the gateway stops.
    pub(super) gone: CancellationToken,
    /// Tokens are compared and kept as digests, so that comparing reveals nothing about a token, not even its length.
    digest: Option<[u8; 32]>,
    allowance: Allowance,
}

impl Holder {
    fn of(token: &Token, limits: &Limits, gone: CancellationToken) -> Self {
        Self {
            name: Some(token.name.as_str().into()),
            scope: token.scope,
            reach: token.reach.clone(),
            forwarded_bytes: limits.forwarded_bytes,
            gone,
            digest: Some(digest(token.token.expose_secret())),
            allowance: Allowance::new(limits),
        }
    }

    fn local(limits: &Limits, gone: CancellationToken) -> Self {
        let (scope, reach, allowance) = (Scope::Admin, Reach::EVERYTHING, Allowance::new(limits));
        Self { name: None, scope, reach, forwarded_bytes: limits.forwarded_bytes, gone, digest: None, allowance }
    }

    /// The caller that another node has admitted, with the limits of that node.
    pub(super) fn of_another_node(
        name: Option<String>,
        scope: Scope,
        reach: Reach,
        forwarded_bytes: u64,
        gone: CancellationToken,
    ) -> Self {
        let (name, allowance) = (name.map(Into::into), Allowance::new(&Limits::default()));
        Self { name, scope, reach, forwarded_bytes, gone, digest: None, allowance }
    }

    /// Fails if the scope does not permit requests with this method.
    pub(super) fn permit(&self, method: &Method) -> Result<(), Problem> {
        if only_looks(method) || self.scope >= Scope::Write {
            return Ok(());
        }
        let detail = "the token has the scope read, and this request changes something";
        Err(Problem::new(StatusCode::FORBIDDEN, "not-permitted", detail))
    }

    /// Whether both are the same token with the same rights.
    fn is_same(&self, other: &Self) -> bool {
        (&self.name, self.digest, self.scope, &self.reach) == (&other.name, other.digest, other.scope, &other.reach)
    }
}

impl Access {
    /// Streams end when their holder is gone, and all streams end when `closing` is cancelled.
    pub(super) fn new(tokens: &[Token], limits: &Limits, origins: Origins, closing: &CancellationToken) -> Self {
        let mut holders: Vec<_> =
            tokens.iter().map(|token| Arc::new(Holder::of(token, limits, closing.child_token()))).collect();
        if holders.is_empty() {
            holders.push(Arc::new(Holder::local(limits, closing.child_token())));
        }
        Self { holders, origins }
    }

    /// The same access, also for pages of `origins`.
    pub(super) fn allowing(&self, origins: Origins) -> Self {
        Self { holders: self.holders.clone(), origins }
    }

    /// This access in place of `before`. A token that stays the same keeps its running streams.
    pub(super) fn after(mut self, before: &Self) -> Self {
        for holder in self.holders.iter_mut().filter_map(Arc::get_mut) {
            if let Some(same) = before.holders.iter().find(|old| old.is_same(holder)) {
                holder.gone = same.gone.clone();
            }
        }
        self
    }

    /// Ends the running streams of the holders that `after` does not have.
    pub(super) fn end_others(&self, after: &Self) {
        let gone = self.holders.iter().filter(|old| !after.holders.iter().any(|holder| holder.is_same(old)));
        gone.for_each(|holder| holder.gone.cancel());
    }

    /// The holder that every local caller is, if there are no tokens.
    fn local(&self) -> Option<&Arc<Holder>> {
        self.holders.first().filter(|holder| holder.digest.is_none())
    }

    /// The origins whose pages may call.
    pub(super) fn origins(&self) -> &Origins {
        &self.origins
    }

    /// Admits a request if its caller is known and has not reached a limit. Inserts the caller into the request.
    pub(super) fn admit(&self, request: &ServiceRequest) -> Result<Turn, Problem> {
        let headers = request.headers();
        if let Some(local) = self.local() {
            from_this_machine(headers)?;
            if !self.origins.allow(headers) {
                from_no_other_page(headers)?;
            }
            request.extensions_mut().insert(Arc::clone(local));
            return local.allowance.enter();
        }
        let Some(holder) = self.shown(headers) else {
            let problem = Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", "a bearer token is required");
            return Err(problem.header(header::WWW_AUTHENTICATE, "Bearer"));
        };
        request.extensions_mut().insert(Arc::clone(holder));
        holder.allowance.enter()
    }

    /// The reaches of all tokens, without repetitions.
    pub(super) fn reaches(&self) -> Vec<Reach> {
        let mut reaches: Vec<Reach> = Vec::new();
        for holder in &self.holders {
            if !reaches.contains(&holder.reach) {
                reaches.push(holder.reach.clone());
            }
        }
        reaches
    }

    /// Whether some tokens reach only some connections.
    pub(super) fn has_tenants(&self) -> bool {
        self.holders.iter().any(|holder| !holder.reach.is_everything())
    }

    /// The reach of the token that a request shows, for resources that need no token.
    pub(super) fn reach_shown(&self, headers: &HeaderMap) -> Option<Reach> {
        Some(self.shown(headers)?.reach.clone())
    }

    /// The holder of the token that a request shows.
    fn shown(&self, headers: &HeaderMap) -> Option<&Arc<Holder>> {
        match headers.get(header::AUTHORIZATION) {
            Some(value) => self.holder(value.to_str().ok().and_then(bearer)?),
            None => self.holder(&offered(headers)?),
        }
    }

    /// Compares with every token in constant time, so that the duration reveals nothing about the tokens.
    fn holder(&self, shown: &str) -> Option<&Arc<Holder>> {
        let shown = digest(shown);
        self.holders.iter().fold(None, |found, holder| {
            let is_known = holder.digest.is_some_and(|digest| bool::from(digest.ct_eq(&shown)));
            if is_known { Some(holder) } else { found }
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
