//! What goes wrong on purpose: modes by seed, single faults, rules of refusal, and the count of all.

mod plan;
mod rule;
mod rules;
mod weather;

use serde::{Deserialize, Serialize};

pub(crate) use plan::{FaultPlan, FrameFate, LoginFate, RequestFate, Strike, Target};
pub use rule::{FaultRule, HowOften, Outcome, RuleCounts, RuleError, RuleId};
pub(crate) use rules::{Asked, Rules, Verdict};
pub(crate) use weather::Weather;

/// How the platform behaves on its own account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FaultMode {
    /// Everything works.
    #[default]
    None,
    /// A bad day: forced disconnects, duplicated, delayed and reordered notifications, lost last content events,
    /// sockets that drop between accepting a message and answering it, and now and then a moment in which one kind of
    /// request is answered with 429, 500, 502 or an HTML page.
    Flaky,
    /// A hostile day: all of that, and half-open sockets, authentication closes, refused and slow logins, bursts of
    /// 429, malformed and oversize frames, stale snapshots, late notifications after a DELETE, refused refreshes, and
    /// about every second a moment in which one kind of request, also by HTTP, is refused, gets no response, or is
    /// carried out and then refused. Requests that bring a connection up to date are also refused with 401 and 403.
    Hostile,
}

/// One thing that can go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// The TCP connection ends without a close frame.
    Drop,
    /// The socket is closed with a code (default 1011).
    Close,
    /// The socket stays open, but nothing comes out of it and nothing is read.
    HalfOpen,
    /// The next logins are refused (default 401; `code` chooses another status).
    RefuseLogin,
    /// The next logins take three seconds.
    SlowLogin,
    /// The user's token is taken back and its sockets are closed with 4401 (consumers 4407), or with `code`. An agent
    /// without a socket loses its bearer too, after the sockets have been counted.
    ExpireToken,
    /// The next frames come late.
    Delay,
    /// The next notifications come twice.
    Duplicate,
    /// The next notifications are overtaken by later ones.
    Reorder,
    /// A frame that is not JSON arrives.
    Malformed,
    /// A frame of 20 MiB arrives.
    Oversize,
    /// The next requests are answered with 429 and not carried out.
    Throttle,
    /// The next requests are answered with 500 (or `code`) and not carried out.
    Error,
    /// The next snapshot arrives after changes that are newer than it.
    StaleSnapshot,
    /// The next message comes only after the DELETE of a conversation, or a second late.
    DeleteThenLate,
}

impl FaultKind {
    /// Whether it can happen to an agent who asks by REST and has no socket, once the agent has asked: to what changes
    /// something and to histories. `Drop` loses the answer to the next request then, which is carried out.
    pub(crate) fn strikes_rest(self) -> bool {
        matches!(self, Self::Drop | Self::Throttle | Self::Error)
    }

    /// Whether it can happen to a connector's consumer, who has webhooks instead of a socket. `Drop` loses the answer
    /// to the next request then, which is carried out, and `ExpireToken` takes back the application's token.
    pub(crate) fn strikes_webhooks(self) -> bool {
        matches!(
            self,
            Self::Drop
                | Self::ExpireToken
                | Self::Delay
                | Self::Duplicate
                | Self::Reorder
                | Self::Throttle
                | Self::Error
        )
    }
}

/// Which kind of socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// Agents.
    Brand,
    /// Consumers.
    Consumer,
}

/// One fault to happen now, or to the next frames or requests of the sockets it names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// What happens.
    #[serde(rename = "fault")]
    pub kind: FaultKind,
    /// Only sockets of one side.
    #[serde(default)]
    pub side: Option<Side>,
    /// Only sockets of one user: an agent's login or a consumer's id. What is for the next frames or requests of a user
    /// without a socket waits for that user's next one, or for an agent's first request by REST.
    #[serde(default)]
    pub user: Option<String>,
    /// How often: sockets for `drop`, `close`, `half-open`, `expire-token`, `malformed`, `oversize`; logins; else
    /// frames or requests of each socket.
    #[serde(default = "once")]
    pub count: usize,
    /// Close code or status, where one fits.
    #[serde(default)]
    pub code: Option<u16>,
}

fn once() -> usize {
    1
}

impl Fault {
    /// One fault of a kind, at any socket.
    pub fn new(kind: FaultKind) -> Self {
        Self { kind, side: None, user: None, count: 1, code: None }
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

    /// The same that many times.
    #[must_use]
    pub fn count(self, count: usize) -> Self {
        Self { count, ..self }
    }

    /// The same with a close code or a status.
    #[must_use]
    pub fn code(self, code: u16) -> Self {
        Self { code: Some(code), ..self }
    }
}
