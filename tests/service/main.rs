//! The service as operators, callers and readers of its documents meet it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod bulk;
mod check_connect;
mod cli;
mod cluster;
mod emulate;
mod engine;
mod first_hour;
mod fleet;
mod gateway;
mod health;
mod logins;
mod mcp;
mod metrics;
mod operations;
mod postgres;
mod run;
mod running;
mod secrets;
mod streams;
mod tail;
mod walk;
mod webhooks;
