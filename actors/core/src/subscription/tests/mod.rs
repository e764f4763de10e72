//! Random schedules of a connection against a model of the platform, over a link that delays, reorders and breaks, in
//! simulated time: every schedule ends with exactly the platform's conversations.

mod client;
mod late;
mod link;
mod platform;
mod schedules;
mod world;
