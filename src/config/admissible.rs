//! What a connection that is added over HTTP may refer to: `gateway.secrets`, `gateway.platforms`, `gateway.proxies`.
//!
//! The right to add connections must not be the right to read every file and variable of this process, or to send their
//! content anywhere.

use super::{connection::Connection, field::Field};

/// What a connection that is added over HTTP may refer to. Nothing by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Admissible {
    /// Patterns of names of environment variables.
    variables: Vec<Pattern>,
    /// Patterns of paths.
    files: Vec<Pattern>,
    /// Patterns of proxies' hosts.
    proxies: Vec<Host>,
    /// The secrets that the configuration's own connections refer to.
    used: Vec<SecretSource>,
    /// The proxies that the configuration's own connections go through.
    used_proxies: Vec<(String, u16)>,
}

/// Where a secret is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SecretSource {
    Variable(String),
    File(String),
}

/// The addresses at which a host may be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Any address, because the configuration names exactly this host.
    Anywhere,
    /// Public addresses only, because a pattern may match hosts that its author does not know.
    Public,
}

/// A text in which each `*` stands for any characters.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern(String);

/// A host, with a port if only that port is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Host {
    name: Pattern,
    port: Option<u16>,
}

impl Admissible {
    pub(super) fn read(secrets: Field<'_>, platforms: Field<'_>, proxies: Field<'_>) -> Self {
        let mut admissible = Self::default();
        for source in secrets.list().into_iter().filter_map(|field| field.parse(secret_pattern)) {
            match source {
                SecretSource::Variable(pattern) => admissible.variables.push(Pattern(pattern)),
                SecretSource::File(pattern) => admissible.files.push(Pattern(pattern)),
            }
        }
        let hosts = |field: Field<'_>| field.list().into_iter().filter_map(|field| field.parse(host_pattern)).collect();
        admissible.proxies = hosts(proxies);
        // A definition cannot name a platform, so every connection uses the configured platform.
        let _: Vec<Host> = hosts(platforms);
        admissible
    }

    /// Also allows the secrets and proxies that the configuration's own connections use.
    pub(super) fn add_used(&mut self, used: Vec<SecretSource>, connections: &[Connection]) {
        self.used = used;
        let proxies = connections.iter().filter_map(|connection| connection.proxy.as_ref());
        self.used_proxies = proxies.map(|proxy| (proxy.host.to_ascii_lowercase(), proxy.port)).collect();
    }

    pub(super) fn admits_secret(&self, source: &SecretSource) -> bool {
        self.used.contains(source)
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
    pub(super) fn admits_proxy(&self, host: &str, port: u16) -> Option<Reach> {
        let host = host.to_ascii_lowercase();
        if self.used_proxies.iter().any(|(used, at)| *used == host && *at == port) {
            return Some(Reach::Anywhere);
        }
        let matching = self.proxies.iter().filter(|pattern| pattern.matches(&host, port));
        let reaches = matching.map(|pattern| if pattern.is_exact() { Reach::Anywhere } else { Reach::Public });
        reaches.max_by_key(|reach| *reach == Reach::Anywhere)
    }
}

impl Pattern {
    /// Whether the pattern matches `text`. A `*` does not match the character `apart`.
    fn matches(&self, text: &str, apart: Option<char>) -> bool {
        let mut pieces = self.0.split('*');
        let Some(mut rest) = pieces.next().and_then(|first| text.strip_prefix(first)) else { return false };
        let mut pieces: Vec<&str> = pieces.collect();
        let Some(last) = pieces.pop() else { return rest.is_empty() };
        let within = |skipped: &str| apart.is_none_or(|apart| !skipped.contains(apart));
        for piece in pieces {
            // The first match is enough: a later one would leave less text for the other pieces.
            let Some(at) = rest.find(piece) else { return false };
            if !within(&rest[..at]) {
                return false;
            }
            rest = &rest[at + piece.len()..];
        }
        rest.strip_suffix(last).is_some_and(within)
    }
}

impl Host {
    fn is_exact(&self) -> bool {
        !self.name.0.contains('*')
    }

    fn matches(&self, host: &str, port: u16) -> bool {
        self.port.is_none_or(|own| own == port) && self.name.matches(host, None)
    }
}

fn secret_pattern(text: &str) -> Result<SecretSource, String> {
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

fn host_pattern(text: &str) -> Result<Host, String> {
    let expected =
        || format!("{text:?} is not a host such as \"proxy.example\", \"proxy.example:3128\" or \"*.example\"");
    if text.parse::<std::net::IpAddr>().is_ok() {
        return Ok(Host { name: Pattern(text.to_owned()), port: None });
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
    Ok(Host { name: Pattern(name.to_ascii_lowercase()), port })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admissible(secrets: &[&str], proxies: &[&str]) -> Admissible {
        let mut admissible = Admissible::default();
        for secret in secrets {
            match secret_pattern(secret).unwrap() {
                SecretSource::Variable(pattern) => admissible.variables.push(Pattern(pattern)),
                SecretSource::File(pattern) => admissible.files.push(Pattern(pattern)),
            }
        }
        admissible.proxies = proxies.iter().map(|proxy| host_pattern(proxy).unwrap()).collect();
        admissible
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
        nothing.used = vec![SecretSource::File("relative/password".to_owned())];
        assert!(nothing.admits_secret(&SecretSource::File("relative/password".to_owned())));
        assert!(!nothing.admits_secret(&SecretSource::File("relative/other".to_owned())));
    }

    /// The author of a pattern does not know to which addresses the matching names resolve.
    #[test]
    fn a_named_proxy_may_have_any_address_and_a_matched_one_only_public_addresses() {
        let admissible = admissible(&[], &["proxy.example", "10.0.0.9:3128", "*.corp.example", "fd00::1"]);
        for (host, port, expected) in [
            ("proxy.example", 1, Some(Reach::Anywhere)),
            ("PROXY.example", 3128, Some(Reach::Anywhere)),
            ("10.0.0.9", 3128, Some(Reach::Anywhere)),
            ("fd00::1", 80, Some(Reach::Anywhere)),
            ("10.0.0.9", 22, None),
            ("a.corp.example", 3128, Some(Reach::Public)),
            ("corp.example", 3128, None),
            ("proxy.example.attacker.test", 3128, None),
            ("169.254.169.254", 80, None),
        ] {
            assert_eq!(admissible.admits_proxy(host, port), expected, "{host}:{port}");
        }
    }
}
