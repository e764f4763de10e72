//! `[gateway]`: where the HTTP interface listens and who may call.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{Ipv4Addr, SocketAddr},
};

use actix_web::http::uri::Authority;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use super::{
    admissible::{Admissible, HostPattern, host_pattern, secret_pattern},
    field::Field,
    limits::Limits,
    tls::Tls,
};
use crate::reach::{Pattern, Reach};

/// The shortest token: shorter tokens could be found by trying.
const SHORTEST_TOKEN: usize = 6;

const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// Where the HTTP interface listens and who may call.
#[derive(Debug)]
pub struct Gateway {
    /// The address to listen on; must be a loopback address if there are no tokens.
    pub listen: SocketAddr,
    /// The tokens that callers may use. If empty, every caller on the loopback address is accepted.
    pub tokens: Vec<Token>,
    /// The certificate to present; `None` means plain HTTP.
    pub tls: Option<Tls>,
    /// The origins whose pages may call from a browser; none if empty.
    pub allowed_origins: Vec<String>,
    /// How much each token may request.
    pub limits: Limits,
    /// What connections that are added over HTTP may refer to.
    pub admissible: Admissible,
}

/// A bearer token of callers.
#[derive(Debug)]
pub struct Token {
    /// Unique name, for logs and limits.
    pub name: String,
    /// The secret value.
    pub token: SecretString,
    /// What the caller may do.
    pub scope: Scope,
    /// The connections that the caller sees and reaches.
    pub reach: Reach,
}

/// What a token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Read only.
    Read,
    /// Read, and act on conversations and connections.
    Write,
    /// Read, act, and copy the whole store, secrets included.
    Admin,
}

fn admissible(secrets: Field<'_>, platforms: Field<'_>, proxies: Field<'_>) -> Admissible {
    let secrets: Vec<_> = secrets.list().into_iter().filter_map(|field| field.parse(secret_pattern)).collect();
    let hosts = |field: Field<'_>| field.list().into_iter().filter_map(|field| field.parse(host_pattern)).collect();
    let proxies = hosts(proxies);
    // A definition cannot name a platform, so every connection uses the configured platform.
    let _: Vec<HostPattern> = hosts(platforms);
    Admissible::new(secrets, proxies)
}

impl Gateway {
    pub(super) fn read(field: Field<'_>) -> Option<Self> {
        let mut section = field.section();
        let listen = section.field("listen");
        let tokens = section.field("tokens");
        let origins = section.field("allowed_origins").list();
        let tls = Tls::read(section.field("tls"));
        let limits = Limits::read(section.field("limits"));
        let (secrets, platforms) = (section.field("secrets"), section.field("platforms"));
        let admissible = admissible(secrets, platforms, section.field("proxies"));
        section.finish();

        let (mut names, mut values) = (BTreeSet::new(), BTreeMap::new());
        let tokens: Vec<Option<Token>> =
            tokens.list().into_iter().map(|token| Token::read(token, &mut names, &mut values)).collect();
        // A mistaken token also counts here: its own mistake is already reported.
        let is_open = tokens.is_empty();
        let listen = if listen.is_present() { listen.parse(|text| address(text, is_open))? } else { DEFAULT_LISTEN };
        let allowed_origins = origins.into_iter().filter_map(|field| field.parse(origin)).collect();
        let tokens = tokens.into_iter().flatten().collect();
        Some(Self { listen, tokens, tls, allowed_origins, limits, admissible })
    }
}

impl Token {
    /// `names` and `values` are those of the earlier tokens; `values` has their paths.
    fn read(field: Field<'_>, names: &mut BTreeSet<String>, values: &mut BTreeMap<String, String>) -> Option<Self> {
        let own_path = field.path.clone();
        let mut section = field.section();
        let name = section.field("name").required().parse(|name| {
            if names.insert(name.to_owned()) { Ok(name.to_owned()) } else { Err(format!("{name:?} is already used")) }
        });
        let token = section.field("token").required();
        let (reading, place, path) = (token.reading, token.place.clone(), token.path.clone());
        let token = token.secret();
        let scope = section.field("scope").required().word(&[
            ("read", Scope::Read),
            ("write", Scope::Write),
            ("admin", Scope::Admin),
        ]);
        let reach = reach(section.field("connections"));
        section.finish();
        let token = token?;
        if let Some(mistake) = mistake(token.expose_secret(), own_path, values) {
            reading.report(&place, &path, mistake);
            return None;
        }
        Some(Self { name: name?, token, scope: scope?, reach: reach? })
    }
}

/// The reach of a token: everything if the field is absent. A list without a pattern is a mistake, because its token
/// would reach nothing.
fn reach(field: Field<'_>) -> Option<Reach> {
    if !field.is_present() {
        return Some(Reach::EVERYTHING);
    }
    let (reading, place, path) = (field.reading, field.place.clone(), field.path.clone());
    let is_list = field.is_list();
    let entries = field.list();
    if is_list && entries.is_empty() {
        reading.report(&place, &path, "must name at least one connection, such as \"shop-*\"");
    }
    let patterns: Vec<Option<Pattern>> = entries.into_iter().map(|field| field.parse(pattern)).collect();
    let patterns: Option<Vec<Pattern>> = patterns.into_iter().collect();
    patterns.filter(|patterns| !patterns.is_empty()).map(Reach::within)
}

/// A pattern of connection ids.
fn pattern(text: &str) -> Result<Pattern, String> {
    let is_valid = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._~-*".contains(&byte));
    if is_valid {
        Ok(Pattern::new(text))
    } else {
        Err(format!("{text:?} is not the id of a connection or a pattern such as \"shop-*\""))
    }
}

/// An origin as a browser sends it: a scheme and a host in lower case, and a port unless the port is the scheme's own.
fn origin(text: &str) -> Result<String, String> {
    let is_origin = || {
        let (scheme, authority) = text.split_once("://")?;
        let own_port = match scheme {
            "https" => 443,
            "http" => 80,
            _ => return None,
        };
        let parsed: Authority = authority.parse().ok()?;
        let host = parsed.host();
        let port = match authority.strip_prefix(host)? {
            "" => None,
            rest => Some(rest.strip_prefix(':')?.parse::<u16>().ok()?),
        };
        let is_host = !host.is_empty() && !host.contains(|letter: char| letter == '*' || letter.is_ascii_uppercase());
        (is_host && port != Some(own_port)).then_some(())
    };
    is_origin().map(|()| text.to_owned()).ok_or_else(|| {
        format!("{text:?} is not an origin as a browser sends it, such as \"https://workspace.example\"")
    })
}

/// Why this value cannot be a token. The message does not repeat the value.
fn mistake(token: &str, path: String, values: &mut BTreeMap<String, String>) -> Option<String> {
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Some("a token must have only visible ASCII characters: no spaces, no line ends".to_owned());
    }
    if token.len() < SHORTEST_TOKEN {
        return Some(format!("a token must have at least {SHORTEST_TOKEN} characters"));
    }
    match values.get(token) {
        Some(other) => Some(format!("the same value as the token of {other}")),
        None => {
            values.insert(token.to_owned(), path);
            None
        }
    }
}

fn address(text: &str, is_open: bool) -> Result<SocketAddr, String> {
    let address: SocketAddr =
        text.parse().map_err(|_| format!("{text:?} is not an IP address with a port, such as {DEFAULT_LISTEN}"))?;
    if is_open && !address.ip().is_loopback() {
        return Err("without gateway.tokens the gateway may listen only on a loopback address".to_owned());
    }
    Ok(address)
}
