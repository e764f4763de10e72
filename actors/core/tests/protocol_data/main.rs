//! The wire model, and the rules of what is sent in it, against data that others published: captured samples and the
//! platform's own JSON schemas.
//!
//! The data lies beside the project, in `../shared/reference/protocol-data`, or where `TERTULIA_PROTOCOL_DATA` says.
//! Without it these tests fail; leave the binary `protocol_data` out if the data are not available.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod catalogue;
mod data;
mod elements;
mod mutation;
mod samples;
mod schema_uses;
mod schemas;
mod written;
