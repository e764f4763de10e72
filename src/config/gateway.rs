//! `[gateway]`: where and to whom the HTTP interface is open.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{Ipv4Addr, SocketAddr},
};

use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;

use super::{admissible::Admissible, field::Field, limits::Limits, tls::Tls};

/// The fewest characters of a token: fewer are found by trying.
const SHORTEST_TOKEN: usize = 6;

const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// Where and to whom the HTTP interface is open.
#[derive(Debug)]
pub struct Gateway {
    /// The address to listen on; a loopback address where there are no tokens.
    pub listen: SocketAddr,
    /// Who may call. Without any, whoever reaches the loopback address may.
    pub tokens: Vec<Token>,
    /// The certificate to show; without one the gateway speaks plain HTTP.
    pub tls: Option<Tls>,
    /// How much each of them may ask.
    pub limits: Limits,
    /// What connections that are added over HTTP may refer to.
    pub admissible: Admissible,
}

/// A bearer token that callers show.
#[derive(Debug)]
pub struct Token {
    /// Unique name, for logs and limits.
    pub name: String,
    /// What the caller shows.
    pub token: SecretString,
    /// What the caller may do.
    pub scope: Scope,
}

/// What a token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Look, change nothing.
    Read,
    /// Look and act.
    Write,
    /// Look, act, and take copies of everything that is kept, secrets included.
    Admin,
}

impl Gateway {
    pub(super) fn read(field: Field<'_>) -> Option<Self> {
        let mut section = field.section();
        let listen = section.field("listen");
        let tokens = section.field("tokens");
        let tls = Tls::read(section.field("tls"));
        let limits = Limits::read(section.field("limits"));
        let (secrets, platforms) = (section.field("secrets"), section.field("platforms"));
        let admissible = Admissible::read(secrets, platforms, section.field("proxies"));
        section.finish();

        let (mut names, mut values) = (BTreeSet::new(), BTreeMap::new());
        let tokens: Vec<Option<Token>> =
            tokens.list().into_iter().map(|token| Token::read(token, &mut names, &mut values)).collect();
        // A mistaken token counts as one here: its own mistake is enough to say.
        let is_open = tokens.is_empty();
        let listen = if listen.is_present() { listen.parse(|text| address(text, is_open))? } else { DEFAULT_LISTEN };
        Some(Self { listen, tokens: tokens.into_iter().flatten().collect(), tls, limits, admissible })
    }
}

impl Token {
    /// `names` and `values` are those of the tokens before it, the values with their paths.
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
        section.finish();
        let token = token?;
        if let Some(mistake) = mistake(token.expose_secret(), own_path, values) {
            reading.report(&place, &path, mistake);
            return None;
        }
        Some(Self { name: name?, token, scope: scope? })
    }
}

/// Why nobody can be known by this value, which is not repeated.
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
