//! Many lives of a connection against a model of the platform, over a link that delays, reorders and breaks, in simulated
//! time: whatever happens, it ends with exactly what the platform has.

mod client;
mod late;
mod link;
mod platform;
mod schedules;
mod world;
