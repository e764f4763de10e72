//! The two dialects of the protocol ([§0.3](crate::protocol#03)).

use serde::{Deserialize, Serialize};

/// Which of the two dialects a socket speaks. The socket decides, not the request (protocol
/// [§0.3](crate::protocol#03)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Dialect {
    /// The agent's side, v2.1: `.ams.…` names, participants as maps of roles, messages without a subscription.
    Brand,
    /// The consumer's side, v3: `cm.…`, `cqm.…`, `ms.…` names, participants as a list, messages by subscription.
    Consumer,
}

impl Dialect {
    /// Both dialects.
    pub const ALL: [Self; 2] = [Self::Brand, Self::Consumer];
}
