//! Finds the command that makes the platform close the socket, at the cost of two sockets.
//!
//! A close over content names no request. Every command that was in flight is suspected, and is sent again with no
//! other command in flight ([`super::Isolation`]). If the platform closes that socket too, the command is the cause.

use serde::{Deserialize, Serialize};

use crate::session::{ClosedBy, Closure};

/// The suspicion that a command makes the platform close the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Suspicion {
    /// The command was in flight when the platform closed the socket. It is sent again alone.
    Suspected {
        /// The platform's close code.
        code: u16,
    },
    /// The command was in flight alone at a second such close. It is not sent again.
    Proved {
        /// The platform's close code.
        code: u16,
    },
}

impl Suspicion {
    /// Returns the suspicion after one more close over content. `alone` says that no other command was in flight.
    #[must_use]
    pub fn after(before: Option<Self>, code: u16, alone: bool) -> Self {
        match before {
            Some(Self::Proved { code }) => Self::Proved { code },
            Some(Self::Suspected { .. }) if alone => Self::Proved { code },
            Some(Self::Suspected { .. }) | None => Self::Suspected { code },
        }
    }

    /// The platform's close code.
    #[must_use]
    pub fn code(self) -> u16 {
        match self {
            Self::Suspected { code } | Self::Proved { code } => code,
        }
    }
}

/// Returns the close code if the platform closed the socket because of what was sent on it: 4410, and the codes of RFC
/// 6455 for data that cannot be accepted. 1008 may have other causes too; an innocent command then succeeds at its
/// second attempt.
#[must_use]
pub fn closed_over_content(closure: Closure) -> Option<u16> {
    let Closure { by, code } = closure;
    code.filter(|code| by == ClosedBy::Platform && matches!(code, 1003 | 1007 | 1008 | 1009 | 4410))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_close_proves_it_only_of_what_was_alone() {
        let first = Suspicion::after(None, 4410, true);
        assert_eq!(first, Suspicion::Suspected { code: 4410 }, "another reason may have been at hand");
        let among_others = Suspicion::after(Some(first), 1009, false);
        assert_eq!(among_others, Suspicion::Suspected { code: 1009 });
        let proved = Suspicion::after(Some(among_others), 4410, true);
        assert_eq!(proved, Suspicion::Proved { code: 4410 });
        assert_eq!(Suspicion::after(Some(proved), 1009, false), proved);
    }

    #[test]
    fn only_the_platforms_own_close_over_content_counts() {
        let closed = |by, code| closed_over_content(Closure { by, code });
        for code in [1003, 1007, 1008, 1009, 4410] {
            assert_eq!(closed(ClosedBy::Platform, Some(code)), Some(code));
            assert_eq!(closed(ClosedBy::Us, Some(code)), None);
        }
        for code in [None, Some(1000), Some(1001), Some(1006), Some(1011), Some(4401), Some(4407)] {
            assert_eq!(closed(ClosedBy::Platform, code), None);
        }
    }
}
