//! Code shared by the micro-benchmarks and the load run.

pub mod crowd;
pub mod notification;
