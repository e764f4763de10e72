//! A value that no enumeration of the protocol lists.

/// A value unknown to this version, as sent. As large as one pointer, because a conversation in memory has a dozen
/// enumerations and almost never such a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Unlisted(Box<Box<str>>);

impl Unlisted {
    /// The value as sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Unlisted {
    fn from(value: &str) -> Self {
        Self(Box::new(value.into()))
    }
}

#[cfg(test)]
mod tests {
    use crate::ums::ParticipantRole;

    #[test]
    fn an_enumeration_is_no_larger_than_two_words() {
        assert_eq!(size_of::<Option<ParticipantRole>>(), 2 * size_of::<usize>());
    }

    #[test]
    fn an_unlisted_value_is_kept_as_sent() {
        let role = ParticipantRole::from("ORACLE");
        assert_eq!((role.as_str(), &role), ("ORACLE", &ParticipantRole::Unlisted("ORACLE".into())));
    }
}
