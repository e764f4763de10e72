//! Frames as the platform sends them, for measurements. They need nothing but `tertulia-core`, so that the
//! micro-benchmarks are built in seconds.

pub mod crowd;
pub mod notification;
pub mod receiver;
pub mod record;
