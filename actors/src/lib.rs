//! Tertulia as a library: thousands of conversations of LivePerson messaging (UMS) in one process, each an actor.
//!
//! A [`Tertulia`] has connections, one for each login. A connection keeps its session alive, reconnects, fetches what
//! it missed, and runs a conversation actor for each conversation it sees. Each conversation emits typed
//! [events](subscriber::Event), in order and in one common stream. A program acts on a conversation through a
//! [`ConversationHandle`](conversation::ConversationHandle), whose commands return when the platform has confirmed
//! them, or fail with a typed error. Actors that fail are restarted.
//!
//! # The smallest program
//!
//! A bot that accepts every conversation offered to it and answers what the consumer says:
//!
//! ```no_run
//! use tertulia_actors::{
//!     Tertulia,
//!     connection::ConnectionSettings,
//!     core::ums::ParticipantRole,
//!     platform::AgentLogin,
//!     subscriber::{EventKind, Filter},
//! };
//!
//! #[actix_rt::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let login = AgentLogin::Password { username: "bot1".into(), password: std::env::var("BOT1_PASSWORD")?.into() };
//!     let tertulia = Tertulia::builder()
//!         .discovery("https://adminlogin.liveperson.net")
//!         .connection(ConnectionSettings::bot("bots-1", "12345678", login))
//!         .start()?;
//!     let mut messages = tertulia.events(Filter::everything().kind(EventKind::Message));
//!     while let Some(event) = messages.next().await {
//!         let event = event?;
//!         let Some(message) = event.message() else { continue };
//!         let Some(id) = event.conversation.as_ref().filter(|_| message.role == Some(ParticipantRole::Consumer)) else {
//!             continue;
//!         };
//!         if let Some(conversation) = tertulia.connection(&event.origin.connection).conversation(id) {
//!             // A separate task, so that a slow answer does not delay other conversations.
//!             actix_rt::spawn(async move { conversation.send_text("I heard you").await });
//!         }
//!     }
//!     Ok(())
//! }
//! ```
//!
//! The library needs a running actix system (`actix_rt::main`, or [`actix::System`]). Without an account, try it with
//! `tertulia emulate`, a stand-in for the platform; the programs in `actors/examples` run against it.
//!
//! # Modules by task
//!
//! | you want to | read |
//! |---|---|
//! | find a member, method or event of the conversation class page | [`class_page`] |
//! | read the rules and the facts of the protocol that comments cite | [`rules`], [`protocol`] |
//! | configure a system, and make its data persistent | [`Builder`], [`engine`] |
//! | configure logins, subscriptions, rings and proxies | [`connection`], [`platform`] |
//! | write, transfer, close, note, upload, and read the members of a conversation | [`conversation`], [`core::command`] |
//! | receive events, in a stream or in an actor | [`subscriber`] |
//! | speak for consumers of another channel, or work without a socket by webhooks and REST | [`intake`] |
//! | send a request that no command has, or read raw notifications | [`ConnectionHandle::request`], [`Tertulia::notifications`] |
//! | send and read files | [`files`] |
//! | know what is restarted and when, or inspect dead letters | [`supervision`], [`dead_letters`] |
//! | export metrics | [`metrics`] |
//! | know what a notification changes, without actors | [`core::conversation`] |
//! | know which actors there are, who may call whom, and what is promised | [`architecture`] |

pub mod architecture;
mod builder;
pub mod class_page;
pub mod connection;
pub mod conversation;
pub mod dead_letters;
pub mod engine;
pub mod files;
mod fleet;
mod frame_window;
mod handle;
pub mod intake;
mod log;
pub mod metrics;
pub mod platform;
mod request;
mod role;
pub mod subscriber;
pub mod supervision;
mod tertulia;

#[doc(no_inline)]
pub use tertulia_core::{self as core, protocol, rules};

pub use builder::Builder;
pub use handle::ConnectionHandle;
pub use tertulia::{StartError, Tertulia};

/// The programs of the page beside `Cargo.toml`, as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
