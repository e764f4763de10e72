//! Connectors: applications that are installed on the account, and the webhooks by which they hear their consumers'
//! conversations (protocol [§10.1](crate::protocol#101), [§10.4](crate::protocol#104)). Their requests come in by
//! `http/send_api.rs`.

mod app;
mod apps;
mod delivery;
mod dispatch;
mod notification;
mod signature;

pub use app::{AppEndpoint, AppInstall, EVENT_TYPES};
pub(crate) use apps::{Apps, install};
pub use signature::SignatureKind;
