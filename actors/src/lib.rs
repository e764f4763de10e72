//! The actors of Tertulia: connections, conversations and subscribers, their supervision, and the platform's HTTP side.

mod builder;
pub mod class_page;
pub mod connection;
pub mod conversation;
pub mod dead_letters;
pub mod engine;
pub mod files;
mod fleet;
pub mod intake;
pub mod metrics;
pub mod platform;
pub mod request;
pub mod subscriber;
pub mod supervision;
mod tertulia;

pub use builder::Builder;
pub use tertulia::{NotReady, StartError, Tertulia};
pub use tertulia_core as core;
