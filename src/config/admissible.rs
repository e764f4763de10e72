//! What a connection that is added over HTTP may refer to: `gateway.secrets`, `gateway.platforms`, `gateway.proxies`.
//!
//! The right to add connections must not be the right to read every file and variable of this process, or to send their
//! content anywhere.

use crate::reach::{Pattern, Reach};

/// What a connection that is added over HTTP may refer to. Nothing by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Admissible {
    /// Patterns of names of environment variables.
    variables: Vec<Pattern>,
    /// Patterns of paths.
    files: Vec<Pattern>,
    /// Patterns of proxies' hosts.
    proxies: Vec<HostPattern>,
    /// The secrets that the configuration's own connections refer to, with the connections' ids.
    used: Vec<(String, SecretSource)>,
    /// The proxies that the configuration's own connections go through, with the connections' ids.
    used_proxies: Vec<(String, (String, u16))>,
}

/// Where a secret is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SecretSource {
    Variable(String),
    File(String),
}

/// The addresses at which a host may be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Addresses {
    /// Any address, because the configuration names exactly this host.
    Anywhere,
    /// Public addresses only, because a pattern may match hosts that its author does not know.
    Public,
}

/// A host, with a port if only that port is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HostPattern {
    name: Pattern,
    port: Option<u16>,
}

impl Admissible {
    /// Allows the secrets and proxies that match a pattern; the text of each secret's source is a pattern.
    pub(super) fn new(secrets: impl IntoIterator<Item = SecretSource>, proxies: Vec<HostPattern>) -> Self {
        let mut admissible = Self { proxies, ..Self::default() };
        for source in secrets {
            match source {
                SecretSource::Variable(pattern) => admissible.variables.push(Pattern::new(pattern)),
                SecretSource::File(pattern) => admissible.files.push(Pattern::new(pattern)),
            }
        }
        admissible
    }

    /// Also allows the secrets that the configuration's own connections use, each with the path of its value. `ids` are
    /// the connections' ids, in the order of the file.
    pub(super) fn add_used_secrets(&mut self, used: Vec<(String, SecretSource)>, ids: &[&str]) {
        let user = |path: &str| {
            let place = path.strip_prefix("connections[")?.split(']').next()?.parse::<usize>().ok()?;
            Some((*ids.get(place)?).to_owned())
        };
        self.used = used.into_iter().filter_map(|(path, source)| Some((user(&path)?, source))).collect();
    }

    /// Also allows the proxy that the configuration's own connection `id` uses.
    pub(super) fn add_used_proxy(&mut self, id: &str, host: &str, port: u16) {
        self.used_proxies.push((id.to_owned(), (host.to_ascii_lowercase(), port)));
    }

    /// What a caller with this reach may refer to. A caller who does not see every connection may refer only to the
    /// secrets that the configured connections within the reach use: a pattern could also match the secrets of others.
    #[must_use]
    pub fn within(mut self, reach: &Reach) -> Self {
        if !reach.is_everything() {
            self.variables.clear();
            self.files.clear();
            self.used.retain(|(connection, _)| reach.sees(connection));
            self.used_proxies.retain(|(connection, _)| reach.sees(connection));
        }
        self
    }

    pub(super) fn admits_secret(&self, source: &SecretSource) -> bool {
        self.used.iter().any(|(_, used)| used == source)
            || match source {
                SecretSource::Variable(name) => self.variables.iter().any(|pattern| pattern.matches(name, None)),
                SecretSource::File(path) => {
                    // A path must not match a pattern and then lead out of the directory.
                    let is_plain = path.split('/').skip(1).all(|part| !matches!(part, "" | "." | ".."));
                    is_plain && self.files.iter().any(|pattern| pattern.matches(path, Some('/')))
                }
            }
    }

    /// The addresses at which the proxy may be reached; `None` if the proxy may not be used.
    pub(super) fn admits_proxy(&self, host: &str, port: u16) -> Option<Addresses> {
        let host = host.to_ascii_lowercase();
        if self.used_proxies.iter().any(|(_, (used, at))| *used == host && *at == port) {
            return Some(Addresses::Anywhere);
        }
        let matching = self.proxies.iter().filter(|pattern| pattern.matches(&host, port));
        let addresses =
            matching.map(|pattern| if pattern.is_exact() { Addresses::Anywhere } else { Addresses::Public });
        addresses.max_by_key(|addresses| *addresses == Addresses::Anywhere)
    }
}

impl HostPattern {
    fn is_exact(&self) -> bool {
        self.name.is_exact()
    }

    fn matches(&self, host: &str, port: u16) -> bool {
        self.port.is_none_or(|own| own == port) && self.name.matches(host, None)
    }
}

/// Parses the pattern of a variable's name or of a path.
pub(super) fn secret_pattern(text: &str) -> Result<SecretSource, String> {
    if text.starts_with('/') {
        let is_plain = text.split('/').skip(1).all(|part| !matches!(part, "" | "." | ".."));
        return match is_plain {
            true => Ok(SecretSource::File(text.to_owned())),
            false => Err(format!("{text:?} is not a valid path: it has an empty part, \".\" or \"..\"")),
        };
    }
    let is_name = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_*".contains(&byte));
    if is_name {
        Ok(SecretSource::Variable(text.to_owned()))
    } else {
        Err(format!("{text:?} is neither the name of an environment variable nor an absolute path"))
    }
}

/// Parses the pattern of a host, with or without a port.
pub(super) fn host_pattern(text: &str) -> Result<HostPattern, String> {
    let expected =
        || format!("{text:?} is not a host such as \"proxy.example\", \"proxy.example:3128\" or \"*.example\"");
    if text.parse::<std::net::IpAddr>().is_ok() {
        return Ok(HostPattern { name: Pattern::new(text), port: None });
    }
    let (name, port) = match text.rsplit_once(':') {
        Some((name, port)) => (name, Some(port.parse().ok().filter(|port| *port > 0).ok_or_else(expected)?)),
        None => (text, None),
    };
    let name = name.trim_matches(['[', ']']);
    let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-*".contains(&byte));
    if name.is_empty() || !(is_name || name.parse::<std::net::IpAddr>().is_ok()) {
        return Err(expected());
    }
    Ok(HostPattern { name: Pattern::new(name.to_ascii_lowercase()), port })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admissible(secrets: &[&str], proxies: &[&str]) -> Admissible {
        let secrets = secrets.iter().map(|secret| secret_pattern(secret).unwrap());
        Admissible::new(secrets, proxies.iter().map(|proxy| host_pattern(proxy).unwrap()).collect())
    }

    #[test]
    fn a_star_matches_within_a_name_and_within_one_part_of_a_path() {
        let admissible = admissible(&["BOT_*", "EXACT", "*_A*Z", "/run/credentials/*", "/etc/bots/*/pass*"], &[]);
        let variable = |name: &str| admissible.admits_secret(&SecretSource::Variable(name.to_owned()));
        for name in ["BOT_", "BOT_1_PASSWORD", "EXACT", "X_AYZ", "_AZ"] {
            assert!(variable(name), "{name}");
        }
        for name in ["", "BOT", "ROBOT_1", "EXACTLY", "_A", "bot_1", "TERTULIA_TOKEN", "/run/credentials/x"] {
            assert!(!variable(name), "{name}");
        }
        let file = |path: &str| admissible.admits_secret(&SecretSource::File(path.to_owned()));
        for path in ["/run/credentials/bot1", "/etc/bots/1/password"] {
            assert!(file(path), "{path}");
        }
        for path in [
            "/etc/shadow",
            "/proc/self/environ",
            "/run/credentials",
            "/run/credentials/",
            "/run/credentials/a/b",
            "/run/credentials/..",
            "/run/credentials/../../etc/shadow",
            "/etc/bots/../pass",
            "/etc/bots/1/2/password",
            "/etc/bots//password",
            "run/credentials/bot1",
            "BOT_1",
        ] {
            assert!(!file(path), "{path}");
        }
    }

    #[test]
    fn by_default_only_sources_that_the_configuration_uses_are_admitted() {
        let mut nothing = Admissible::default();
        assert!(!nothing.admits_secret(&SecretSource::Variable("BOT1_PASSWORD".to_owned())));
        assert_eq!(nothing.admits_proxy("proxy.example", 3128), None);
        nothing.used = vec![("bots-1".to_owned(), SecretSource::File("relative/password".to_owned()))];
        assert!(nothing.admits_secret(&SecretSource::File("relative/password".to_owned())));
        assert!(!nothing.admits_secret(&SecretSource::File("relative/other".to_owned())));
    }

    #[test]
    fn a_caller_with_a_reach_may_refer_only_to_the_secrets_of_the_connections_within_it() {
        let mut admissible = admissible(&["*", "/run/credentials/*"], &["proxy.example"]);
        let variable = |name: &str| SecretSource::Variable(name.to_owned());
        admissible.used = vec![("shop-1".to_owned(), variable("SHOP")), ("bar-1".to_owned(), variable("BAR"))];
        let shop = admissible.clone().within(&Reach::within(vec![Pattern::new("shop-*")]));
        assert!(shop.admits_secret(&variable("SHOP")));
        for other in [variable("BAR"), variable("ANY"), SecretSource::File("/run/credentials/bar".to_owned())] {
            assert!(!shop.admits_secret(&other) && admissible.admits_secret(&other));
        }
        assert_eq!(shop.admits_proxy("proxy.example", 1), Some(Addresses::Anywhere));
        assert_eq!(admissible.clone().within(&Reach::EVERYTHING), admissible);
    }

    /// The author of a pattern does not know to which addresses the matching names resolve.
    #[test]
    fn a_named_proxy_may_have_any_address_and_a_matched_one_only_public_addresses() {
        let admissible = admissible(&[], &["proxy.example", "10.0.0.9:3128", "*.corp.example", "fd00::1"]);
        for (host, port, expected) in [
            ("proxy.example", 1, Some(Addresses::Anywhere)),
            ("PROXY.example", 3128, Some(Addresses::Anywhere)),
            ("10.0.0.9", 3128, Some(Addresses::Anywhere)),
            ("fd00::1", 80, Some(Addresses::Anywhere)),
            ("10.0.0.9", 22, None),
            ("a.corp.example", 3128, Some(Addresses::Public)),
            ("corp.example", 3128, None),
            ("proxy.example.attacker.test", 3128, None),
            ("169.254.169.254", 80, None),
        ] {
            assert_eq!(admissible.admits_proxy(host, port), expected, "{host}:{port}");
        }
    }
}
