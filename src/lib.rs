//! Tertulia, the service: its command line, configuration and telemetry around the actors of `tertulia-actors`.

#[doc(no_inline)]
pub use tertulia_actors::{protocol, rules};

mod archive;
pub mod bulk;
pub mod cli;
pub mod cluster;
pub mod config;
pub mod demo;
pub mod engine;
mod event_blocks;
pub mod fleet;
pub mod gateway;
mod harmless;
mod mcp;
mod nearest;
pub mod panics;
mod percent;
pub mod reach;
pub mod service;
pub mod telemetry;
pub mod webhooks;

/// The programs of the README, as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
