//! Which connections a caller sees and reaches, by patterns of their ids.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// A text in which each `*` stands for any characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pattern(String);

impl Pattern {
    /// A pattern with this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Whether the pattern matches only its own text.
    pub(crate) fn is_exact(&self) -> bool {
        !self.0.contains('*')
    }

    /// Whether the pattern matches `text`. A `*` does not match the character `apart`.
    pub(crate) fn matches(&self, text: &str, apart: Option<char>) -> bool {
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

/// The connections that a caller sees and reaches: all of them, or those whose ids match a pattern.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Reach(Option<Arc<[Pattern]>>);

impl Reach {
    /// All connections.
    pub const EVERYTHING: Self = Self(None);

    /// The connections whose ids match one of `patterns`.
    #[must_use]
    pub fn within(mut patterns: Vec<Pattern>) -> Self {
        patterns.sort_unstable();
        patterns.dedup();
        Self(Some(patterns.into()))
    }

    /// Whether the reach is all connections.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.0.is_none()
    }

    /// A name of the same length for every reach, for the keys of records: a SHA-256 in hexadecimal.
    #[must_use]
    pub(crate) fn digest(&self) -> String {
        // A reach can always be serialized.
        let text = serde_json::to_vec(self).unwrap_or_default();
        Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whether the connection with this id is within the reach.
    #[must_use]
    pub fn sees(&self, connection: &str) -> bool {
        self.0.as_ref().is_none_or(|patterns| patterns.iter().any(|pattern| pattern.matches(connection, None)))
    }

    /// Whether every connection within `other` is within this reach.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        let (Some(own), Some(others)) = (&self.0, &other.0) else { return self.is_everything() };
        // A star of this pattern matches a star of the other like any other character.
        others.iter().all(|other| own.iter().any(|pattern| pattern.matches(&other.0, None)))
    }
}

/// The patterns; empty for all connections.
impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let patterns = self.0.iter().flat_map(|patterns| patterns.iter());
        for (at, pattern) in patterns.enumerate() {
            let separator = if at == 0 { "" } else { " " };
            write!(f, "{separator}{}", pattern.0)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn within(patterns: &[&str]) -> Reach {
        Reach::within(patterns.iter().map(|text| Pattern::new(*text)).collect())
    }

    #[test]
    fn a_reach_sees_the_connections_that_match_one_of_its_patterns() {
        let shop = within(&["shop-*", "till"]);
        assert!(["shop-1", "shop-", "till"].into_iter().all(|id| shop.sees(id)));
        assert!(!["shop", "a-shop-1", "tills", "Till", ""].into_iter().any(|id| shop.sees(id)));
        assert!(Reach::EVERYTHING.sees("shop-1") && !within(&[]).sees("shop-1"));
    }

    #[test]
    fn a_reach_covers_only_what_it_sees_all_of() {
        for (wide, narrow) in
            [(&["shop-*"][..], &["shop-1", "shop-a*"][..]), (&["*"], &["shop-*"]), (&["a*c", "b"], &["b", "a*b*c"])]
        {
            assert!(within(wide).covers(&within(narrow)), "{wide:?} {narrow:?}");
            assert!(!within(narrow).covers(&within(wide)), "{wide:?} {narrow:?}");
        }
        let shop = within(&["shop-*"]);
        assert!(shop.covers(&shop) && Reach::EVERYTHING.covers(&shop) && Reach::EVERYTHING.covers(&Reach::EVERYTHING));
        assert!(!shop.covers(&Reach::EVERYTHING) && !shop.covers(&within(&["bar-1"])));
        assert!(!within(&["*"]).covers(&Reach::EVERYTHING), "what a caller without patterns made is their own");
    }

    #[test]
    fn reaches_have_different_digests_of_the_same_length() {
        let long: Vec<String> = (0..1_000).map(|number| format!("shop-{number}")).collect();
        let long = within(&long.iter().map(String::as_str).collect::<Vec<_>>());
        let digests =
            [Reach::EVERYTHING, within(&[]), within(&["a", "b"]), within(&["a b"]), long].map(|it| it.digest());
        assert!(digests.iter().all(|digest| digest.len() == 64));
        let different: BTreeSet<&String> = digests.iter().collect();
        assert_eq!(different.len(), digests.len());
    }

    #[test]
    fn a_reach_survives_a_round_trip() {
        for (reach, text) in [(Reach::EVERYTHING, "null"), (within(&["b", "a-*", "b"]), r#"["a-*","b"]"#)] {
            assert_eq!(serde_json::to_string(&reach).unwrap(), text);
            assert_eq!(serde_json::from_str::<Reach>(text).unwrap(), reach);
        }
        assert_eq!(
            (Reach::EVERYTHING.to_string(), within(&["b", "a-*"]).to_string()),
            (String::new(), "a-* b".to_owned())
        );
    }
}
