//! The UMS protocol and the conversation model of Tertulia, pure: no I/O, no clock, no threads, no actors.
//!
//! - [`address`]: which network addresses are internal.
//! - [`ums`]: the protocol. Envelope, requests, responses, notifications and enumerations of both dialects (brand v2.1,
//!   consumer v3) as one typed model, read leniently and written strictly.
//! - [`conversation`]: the state of a conversation, and how a notification changes it.
//! - [`command`]: the commands of a conversation, their validation, and the requests they become.
//! - [`note`]: the note field, which contains the notes of several agents, and how one note is changed.
//! - [`placement`]: which node does which duty, where several nodes share a database.
//! - [`readiness`]: which parts a connection lacks on its socket.
//! - [`refusal`]: what a refusal of the platform affects, and when a request is repeated.
//! - [`rest`]: which requests an agent can send by HTTP, without a socket.
//! - [`rich_content`]: the rules for structured content, quick replies and metadata.
//! - [`rules`], [`protocol`]: the rules of behaviour and the facts of the protocol that the documentation cites.
//! - [`session`]: the states of one connection as a state machine, with time as an argument.
//! - [`subscription`]: which conversations a connection sees, over all its sockets: snapshots, arrivals and departures.
//! - [`tenure`]: until when a node may act, and when another node counts as silent.
//! - [`websocket`]: the head of a websocket frame, read before its payload arrives.
//! - [`webhook`]: checks of notifications sent by webhook: the signature, and the order of chat states.

pub mod address;
pub mod command;
pub mod conversation;
pub mod id;
pub mod note;
pub mod placement;
pub mod readiness;
pub mod reference;
pub mod refusal;
pub mod rest;
pub mod rich_content;
pub mod session;
pub mod subscription;
pub mod tenure;
pub mod time;
pub mod ums;
pub mod webhook;
pub mod websocket;

#[doc(no_inline)]
pub use reference::{protocol, rules};
