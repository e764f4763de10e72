//! The names of duties.

use std::{fmt, sync::Arc};

use crate::id::ConnectionId;

const CONNECTION: &str = "connection/";

/// The name of a duty: work that exactly one node does at a time.
///
/// The text form is `connection/<id>`, `webhooks`, `bulk` or `housekeeping`. Names are ordered as a draining node hands
/// its duties over.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DutyName {
    /// Runs a connection, with its conversations.
    Connection(ConnectionId),
    /// Delivers events to webhooks.
    Webhooks,
    /// Runs bulk jobs.
    Bulk,
    /// Removes what need not be kept any longer.
    Housekeeping,
    /// A duty unknown to this version, as stored.
    Unlisted(Arc<str>),
}

impl From<&str> for DutyName {
    fn from(name: &str) -> Self {
        match name {
            "webhooks" => Self::Webhooks,
            "bulk" => Self::Bulk,
            "housekeeping" => Self::Housekeeping,
            _ => match name.strip_prefix(CONNECTION) {
                Some(id) => Self::Connection(id.into()),
                None => Self::Unlisted(name.into()),
            },
        }
    }
}

impl fmt::Display for DutyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connection(id) => write!(f, "{CONNECTION}{id}"),
            Self::Webhooks => f.write_str("webhooks"),
            Self::Bulk => f.write_str("bulk"),
            Self::Housekeeping => f.write_str("housekeeping"),
            Self::Unlisted(name) => f.write_str(name),
        }
    }
}
