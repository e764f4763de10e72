//! The link: when each frame arrives. A socket keeps the order of its frames; the random part is the platform's own
//! disorder, as far as known: late responses and snapshots, which changes overtake.

use std::collections::BTreeMap;

use rand::{RngExt, rngs::StdRng};

use super::platform::Frame;

/// How a schedule's link behaves.
#[derive(Debug)]
pub(super) struct Link {
    /// The longest latency of a frame, in milliseconds.
    pub(super) latency: u64,
    /// One in this many responses is late; zero means none.
    pub(super) late_answer: u32,
    /// One in this many snapshots is late; zero means none.
    pub(super) late_snapshot: u32,
    /// One in this many changes is sent twice; zero means none.
    pub(super) twice: u32,
    /// When the last frame of each direction of a socket arrives.
    last: BTreeMap<(u64, bool), u64>,
}

/// The longest delay of a late frame beyond its latency, in milliseconds.
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

    /// When a request sent now arrives.
    pub(super) fn up(&mut self, socket: u64, now: u64, random: &mut StdRng) -> u64 {
        self.in_order(socket, true, now, random)
    }

    /// When a frame sent now arrives; two times if it is sent twice.
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
