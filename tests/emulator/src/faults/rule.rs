//! One rule of refusal: which request, whose, how often, and what comes of it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Side;
use crate::dialect::REQUESTS;

/// Names of the requests over HTTP that are no request of a socket too.
const ENDPOINTS: [&str; 27] = [
    "discovery",
    "login",
    "refresh",
    "logout",
    "upgrade",
    "signup",
    "authorize",
    "authenticate",
    "app-token",
    "consumer-token",
    "upload",
    "download",
    "shift-status",
    "statistics",
    "skills",
    "agent-profile",
    "connectors",
    "users",
    "agent-groups",
    "applications",
    "history",
    "agent-status",
    "queue-health",
    "read-conversation",
    "read-dialog",
    "read-participant",
    "*",
];

/// How often a rule strikes the requests that it covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HowOften {
    /// The next requests, that many of them.
    Times(u64),
    /// Every request.
    Always,
    /// Every request beyond that many within one second, counted for each user and each name of a request.
    AbovePerSecond(u32),
}

/// What becomes of a request that a rule strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// An answer with this code, in the form of the platform's errors.
    Code(u16),
    /// An answer with this code whose body is an HTML page.
    Html(u16),
    /// An answer with this code whose body is the body of the request.
    Echo(u16),
    /// No answer at all.
    Never,
    /// The connection ends without an answer, a socket without a close frame.
    Drop,
    /// The socket is closed with this code. Over HTTP the same as [`Self::Drop`].
    Close(u16),
    /// The right answer, that many milliseconds late.
    Late(u64),
    /// The right answer, one byte in that many milliseconds. Over HTTP only: the body dribbles, the head does not.
    Dribble(u64),
    /// The right answer after a `103 Early Hints`. Over HTTP only.
    EarlyHints,
    /// The right answer, but of a history at most that many records, the first ones.
    Clamp(usize),
    /// The right answer, but the history's record with this sequence cannot be read.
    Unreadable(u64),
}

impl Outcome {
    /// Whether the request is carried out as usual and only its answer differs.
    pub(crate) fn changes_the_right_answer(self) -> bool {
        matches!(self, Self::Late(_) | Self::Dribble(_) | Self::EarlyHints | Self::Clamp(_) | Self::Unreadable(_))
    }
}

/// Which request is struck, whose, how often, and with what outcome. The first rule that strikes decides.
///
/// As JSON: `{"request":"QueryMessages","user":"bot1","often":{"times":3},"outcome":{"code":429}}`. `request` and
/// `outcome` are required.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FaultRule {
    /// The request's name: the last part of its type on a socket (`QueryMessages`), whether it comes by a socket, by
    /// REST or by the Send API; the name of an endpoint (`discovery`, `login`, `upgrade`, …) for other HTTP requests; `*` for
    /// every request.
    pub request: String,
    /// Only requests of one side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub side: Option<Side>,
    /// Only requests of one user: an agent's login, a consumer's id, an application's client id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Only requests that name this conversation, one of its dialogs or one of its rings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<String>,
    /// Only requests whose body contains this text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub containing: Option<String>,
    /// How often; once unless told otherwise.
    #[serde(default = "once")]
    pub often: HowOften,
    /// The rule ends after that many seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// The request is carried out before its outcome strikes.
    #[serde(default)]
    pub carried_out: bool,
    /// What comes of the request.
    pub outcome: Outcome,
}

fn once() -> HowOften {
    HowOften::Times(1)
}

impl FaultRule {
    /// Returns a rule that strikes the next request of this name from any client.
    pub fn new(request: impl Into<String>, outcome: Outcome) -> Self {
        Self {
            request: request.into(),
            side: None,
            user: None,
            conversation: None,
            containing: None,
            often: once(),
            seconds: None,
            carried_out: false,
            outcome,
        }
    }

    /// The same for one side only.
    #[must_use]
    pub fn side(self, side: Side) -> Self {
        Self { side: Some(side), ..self }
    }

    /// The same for one user only.
    #[must_use]
    pub fn user(self, user: impl Into<String>) -> Self {
        Self { user: Some(user.into()), ..self }
    }

    /// The same for one conversation only.
    #[must_use]
    pub fn conversation(self, conversation: impl Into<String>) -> Self {
        Self { conversation: Some(conversation.into()), ..self }
    }

    /// The same for bodies that contain this text.
    #[must_use]
    pub fn containing(self, text: impl Into<String>) -> Self {
        Self { containing: Some(text.into()), ..self }
    }

    /// The same for the next so many requests.
    #[must_use]
    pub fn times(self, times: u64) -> Self {
        Self { often: HowOften::Times(times), ..self }
    }

    /// The same for every request.
    #[must_use]
    pub fn always(self) -> Self {
        Self { often: HowOften::Always, ..self }
    }

    /// The same for every request beyond so many a second, of each user and each name.
    #[must_use]
    pub fn above_per_second(self, granted: u32) -> Self {
        Self { often: HowOften::AbovePerSecond(granted), ..self }
    }

    /// The same for a time.
    #[must_use]
    pub fn lasting(self, time: Duration) -> Self {
        Self { seconds: Some(time.as_secs_f64()), ..self }
    }

    /// The same, and the request is carried out first.
    #[must_use]
    pub fn carried_out(self) -> Self {
        Self { carried_out: true, ..self }
    }

    /// What is wrong with the rule.
    pub(crate) fn check(&self) -> Result<(), RuleError> {
        let name = self.request.as_str();
        if !REQUESTS.contains(&name) && !ENDPOINTS.contains(&name) {
            return Err(RuleError::UnknownRequest(name.to_owned()));
        }
        if self.seconds.is_some_and(|seconds| !(0.0..=1e9).contains(&seconds)) {
            return Err(RuleError::Seconds);
        }
        Ok(())
    }
}

/// Why a rule is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RuleError {
    /// No request has that name.
    #[error("no request is called {0}; the names are {names}", names = REQUESTS.iter().chain(&ENDPOINTS).copied().collect::<Vec<_>>().join(", "))]
    UnknownRequest(String),
    /// Not a length of time.
    #[error("seconds must be between 0 and 1000000000")]
    Seconds,
}

/// The id of a rule, as `r1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleId(pub(crate) u32);

impl std::fmt::Display for RuleId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "r{}", self.0)
    }
}

impl std::str::FromStr for RuleId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.strip_prefix('r').unwrap_or(text).parse().map(Self)
    }
}

/// What a rule has done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct RuleCounts {
    /// Requests that the rule covers and let pass.
    pub granted: u64,
    /// Requests that the rule struck.
    pub refused: u64,
}
