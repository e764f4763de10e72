//! `connections.proxy`: the proxy between one connection and the platform.

use secrecy::SecretString;

use super::{admissible::Addresses, field::Field};

/// An HTTP proxy that supports tunnels (CONNECT).
#[derive(Debug)]
pub struct Proxy {
    /// Host name or address.
    pub host: String,
    /// Port, 1 to 65,535.
    pub port: u16,
    /// User name and password, both or none. The user name has no colon.
    pub credentials: Option<(String, SecretString)>,
    /// Whether only public addresses are allowed; `false` for a proxy of the configuration.
    pub only_public: bool,
}

impl Proxy {
    pub(super) fn read(field: Field<'_>) -> Option<Self> {
        if !field.is_present() {
            return None;
        }
        let (reading, place, path) = (field.reading, field.place.clone(), field.path.clone());
        if !field.is_table() {
            field.report("a proxy is { host, port }, with { username, password } if the proxy requires them");
            return None;
        }
        let mut section = field.section();
        let host = section.field("host").required().parse(host);
        let port = section.field("port").required().number(1..=u64::from(u16::MAX));
        let (username, password) = (section.field("username"), section.field("password"));
        section.finish();

        if username.is_present() != password.is_present() {
            reading.report(&place, &path, "give both username and password of a proxy, or neither");
        }
        let (at, username_path) = (username.place.clone(), username.path.clone());
        let username = username.text_or_secret();
        if username.as_ref().is_some_and(|username| username.contains(':')) {
            reading.report(&at, &username_path, "a proxy's user name must not contain a colon");
        }
        let credentials = username.zip(password.secret());
        let (host, port) = (host?, u16::try_from(port?).ok()?);
        let Some(addresses) = reading.reach_of_proxy(&host, port) else {
            let message = "connections added over HTTP may not use this proxy: see gateway.proxies";
            reading.report(&place, &path, message);
            return None;
        };
        Some(Self { host, port, credentials, only_public: addresses == Addresses::Public })
    }
}

/// Parses a name or address. A scheme, a port or credentials in the text would become part of the name, so they are
/// refused. The message does not repeat the text, because it may contain a password.
fn host(text: &str) -> Result<String, String> {
    let is_name = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    if is_name || text.parse::<std::net::IpAddr>().is_ok() {
        Ok(text.to_owned())
    } else {
        Err("expected only a name or an address; port, username and password have their own keys".to_owned())
    }
}
