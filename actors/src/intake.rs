//! A connection without a socket: notifications arrive by webhook or from a queue. Requests leave by the Send API, or by
//! the platform's REST in an agent's name.
//!
//! [`IntakeSettings`] describes one of two roles. A *connector* speaks for many consumers and keeps its conversations in
//! memory as a connection does. An *intake* works for stateless workers: load a conversation, feed it a notification,
//! act, take its snapshot, unload it ([WH-2](crate::rules#wh-2)). The conversations are the same actors as behind a
//! socket; only what answers their requests differs. A missing history is awaited for [`IntakeSettings::hold`], because a
//! late notification may still fill the hole. After that time an agent reads the history; for every other role the
//! missing messages become a gap.

pub use crate::connection::webhook::{
    ConsumerProfile, IntakeRole, IntakeSettings, LoadError, UnloadError, WebhookError,
};
