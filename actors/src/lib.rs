//! The actors of Tertulia: connections, conversations and subscribers, their supervision, and the platform's HTTP side.

pub mod connection;
pub mod conversation;
pub mod metrics;
pub mod platform;
pub mod request;
pub mod subscriber;
pub mod supervision;
mod tertulia;

pub use tertulia::{Builder, NotReady, StartError, Tertulia};
pub use tertulia_core as core;
