//! What the micro-benchmarks and the load run share.

pub mod crowd;
pub mod notification;
