//! A connection without a socket. Notifications arrive by webhook or from a queue. Requests use the Send API or, in an
//! agent's name, the platform's REST API.
//!
//! [`IntakeSettings`] describes one of two roles. A *connector* speaks for many consumers and keeps its conversations
//! in memory, like a connection with a socket. An *intake* serves stateless workers: load a conversation, feed it a
//! notification, act, take its snapshot, unload it ([WH-2](crate::rules#wh-2)). The conversation actors are the same as
//! with a socket; only the receiver of their requests differs. A missing history is waited for during
//! [`IntakeSettings::hold`], because a late notification may still fill the hole. After that time a connection with an
//! agent reads the history; without an agent the missing messages become a gap.

pub use crate::connection::webhook::IntakeSettings;
