//! How a socket ended.

use serde::Serialize;

/// How a socket ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Closure {
    /// Who ended it.
    pub by: ClosedBy,
    /// The close code, if there was a close frame with one.
    pub code: Option<u16>,
}

/// Who ended a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ClosedBy {
    /// The platform sent a close frame.
    Platform,
    /// This side closed it.
    Us,
    /// The link broke without a close frame.
    Transport,
}
