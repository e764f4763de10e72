//! The UMS wire protocol and the conversation model of Tertulia, pure: no I/O, no clock, no threads, no actors.
//!
//! - [`address`]: which network addresses are internal.
//! - [`ums`]: the wire. Envelope, requests, responses, notifications and enumerations of both dialects (brand v2.1,
//!   consumer v3) as one typed model, read leniently and written strictly.
//! - [`conversation`]: what a conversation is and what a notification changes in it.
//! - [`command`]: what a caller may ask of a conversation, validated, and the requests it becomes.
//! - [`note`]: the note field as the list of agents' notes that it holds, and how one is written among the others.
//! - [`readiness`]: what a connection lacks on its socket.
//! - [`refusal`]: what one refusal of the platform concerns, and at which pace is asked again.
//! - [`rest`]: what of it an agent can ask by HTTP, without a socket.
//! - [`rich_content`]: what structured content, quick replies and metadata must look like.
//! - [`rules`], [`protocol`]: the rules of behaviour and the facts of the protocol that the comments cite.
//! - [`session`]: the life of one connection as a state machine, with time as an argument.
//! - [`subscription`]: what a connection sees, over all its sockets: snapshots, who joined and who left.
//! - [`websocket`]: what a frame of a websocket declares before it has come.
//! - [`webhook`]: what a notification that comes by webhook needs beside: its signature, and the order of chat states.

pub mod address;
pub mod command;
pub mod conversation;
pub mod id;
pub mod note;
pub mod readiness;
pub mod reference;
pub mod refusal;
pub mod rest;
pub mod rich_content;
pub mod session;
pub mod subscription;
pub mod time;
pub mod ums;
pub mod webhook;
pub mod websocket;

#[doc(no_inline)]
pub use reference::{protocol, rules};
