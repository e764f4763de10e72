//! The actors against a platform stand-in, over real sockets and real HTTP.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod bad_input;
mod class_page;
mod commands;
mod dead_letters;
mod durability;
mod early_hints;
mod echo;
mod errors;
mod examples;
mod files;
mod forwarding;
mod identity;
mod lookups;
mod lost_duties;
mod news;
mod notes;
mod notifications;
mod own_identity;
mod proxy;
mod reconnect;
mod refusals;
mod refused_commands;
mod refused_logins;
mod rings;
mod snapshot;
mod special_requests;
mod stage;
mod step_up;
mod storm;
mod subscriptions;
mod supervision;
mod suspended;
mod token_provider;
mod trouble;
mod updates;
mod webhooks;
