//! The link: when each frame arrives. A socket keeps the order of what is sent; what is drawn here is the platform's own
//! disorder, as far as it is known: answers and snapshots that come late, so that changes overtake them.

use std::collections::BTreeMap;

use rand::{RngExt, rngs::StdRng};

use super::platform::Frame;

/// How a schedule's link behaves.
#[derive(Debug)]
pub(super) struct Link {
    /// The longest way of a frame, in milliseconds.
    pub(super) latency: u64,
    /// One of so many answers is late; none where it is zero.
    pub(super) late_answer: u32,
    /// One of so many snapshots is late; none where it is zero.
    pub(super) late_snapshot: u32,
    /// One of so many changes comes twice; none where it is zero.
    pub(super) twice: u32,
    /// When the last frame of each direction of a socket arrives.
    last: BTreeMap<(u64, bool), u64>,
}

/// The longest that a frame is late beyond its way, in milliseconds.
pub(super) const LATE: u64 = 500;

fn one_of(random: &mut StdRng, many: u32) -> bool {
    many > 0 && random.random_range(0..many) == 0
}

impl Link {
    pub(super) fn drawn(random: &mut StdRng) -> Self {
        let often = |random: &mut StdRng| [0, 2, 5, 20][random.random_range(0..4)];
        Self {
            latency: [0, 5, 50, 200][random.random_range(0..4)],
            late_answer: often(random),
            late_snapshot: often(random),
            twice: often(random),
            last: BTreeMap::new(),
        }
    }

    fn in_order(&mut self, socket: u64, is_up: bool, now: u64, random: &mut StdRng) -> u64 {
        let last = self.last.entry((socket, is_up)).or_default();
        *last = (now + random.random_range(0..=self.latency)).max(*last);
        *last
    }

    /// When a request arrives that is sent now.
    pub(super) fn up(&mut self, socket: u64, now: u64, random: &mut StdRng) -> u64 {
        self.in_order(socket, true, now, random)
    }

    /// When a frame arrives that is sent now; twice where it says so.
    pub(super) fn down(&mut self, socket: u64, frame: &Frame, now: u64, random: &mut StdRng) -> Vec<u64> {
        let arrives = self.in_order(socket, false, now, random);
        let (late, twice) = match frame {
            Frame::Done { .. } | Frame::Subscribed { .. } | Frame::Refused { .. } => (self.late_answer, 0),
            Frame::Snapshot(_) => (self.late_snapshot, 0),
            Frame::Change(_) => (0, self.twice),
        };
        if one_of(random, late) {
            return vec![arrives + random.random_range(1..=LATE)];
        }
        if one_of(random, twice) { vec![arrives, arrives] } else { vec![arrives] }
    }

    pub(super) fn forget(&mut self, socket: u64) {
        self.last.retain(|(of, _), _| *of != socket);
    }
}
