//! The service for models: a Model Context Protocol server whose tools are calls of the HTTP interface.
//!
//! A tool call becomes one call of the HTTP interface with the token of the caller. The interface checks the token's
//! scope and connections, acts once for a key, records the caller in the events and passes the call on to the right
//! node. So none of these exist here a second time.
//!
//! This module knows no transport. [`Server`] answers the protocol over an [`Interface`]. There are two:
//!
//! - `tertulia mcp` speaks the protocol on standard input and output, and calls a gateway over HTTP.
//! - `POST /mcp` at the gateway speaks the protocol over HTTP (Streamable HTTP, without sessions), and calls the
//!   endpoints of the same process.
//!
//! | file | what it has |
//! |---|---|
//! | `tools.rs` | the table of tools |
//! | `tool.rs`, `argument.rs` | how a row of the table becomes a JSON Schema, and how arguments become a call |
//! | `outcome.rs` | how an answer or a problem becomes the result of a tool |
//! | `resource.rs`, `transcript.rs` | conversations as resources |
//! | `server.rs` | the methods of the protocol |

mod argument;
mod interface;
mod outcome;
mod resource;
mod server;
mod tool;
mod tools;
mod transcript;

pub(crate) use interface::{Answer, Call, Interface, LARGEST_ANSWER, Unanswered, WITHIN};
pub(crate) use server::{IN_ALL, Server};
