//! The arithmetic of one tenure, the watch over other nodes, and both together under clocks of different rates.

mod clocks;
mod own;
mod watching;

use std::time::Duration;

use super::*;
use crate::session::Millis;

fn lease(millis: u64) -> LeaseDuration {
    LeaseDuration::new(Duration::from_millis(millis)).unwrap()
}
