//! The newest events of the log in memory, so that readers that keep up never read the disk.

use std::{
    collections::VecDeque,
    sync::{Arc, PoisonError, RwLock},
};

use super::StoredEvent;

/// The most events held.
const EVENTS: usize = 16_384;
/// The most bytes of JSON held.
const BYTES: usize = 16 << 20;

/// The newest events, without holes.
#[derive(Default)]
pub(super) struct Window(RwLock<Held>);

#[derive(Default)]
struct Held {
    events: VecDeque<Arc<StoredEvent>>,
    bytes: usize,
}

impl Window {
    /// Adds the newest events and removes the oldest if there are too many. If the events do not follow the last one,
    /// all earlier events are removed.
    pub(super) fn extend(&self, events: Vec<Arc<StoredEvent>>) {
        let mut held = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let (Some(last), Some(next)) = (held.events.back(), events.first())
            && last.offset + 1 != next.offset
        {
            *held = Held::default();
        }
        for event in events {
            held.bytes += event.json.len();
            held.events.push_back(event);
            while held.events.len() > EVENTS || held.bytes > BYTES {
                let Some(oldest) = held.events.pop_front() else { break };
                held.bytes -= oldest.json.len();
            }
        }
    }

    /// The bytes of JSON held.
    pub(super) fn bytes(&self) -> usize {
        self.0.read().unwrap_or_else(PoisonError::into_inner).bytes
    }

    /// Returns at most `limit` events after `after`; `None` if the next event is not in the window.
    pub(super) fn after(&self, after: u64, limit: usize) -> Option<Vec<Arc<StoredEvent>>> {
        let held = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let first = held.events.front()?.offset;
        let skip = usize::try_from((after + 1).checked_sub(first)?).ok()?;
        (skip < held.events.len()).then(|| held.events.iter().skip(skip).take(limit).cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(offset: u64, bytes: usize) -> Arc<StoredEvent> {
        let json = vec![b' '; bytes].into();
        Arc::new(StoredEvent { offset, connection: "c".into(), conversation: None, name: "message".into(), json })
    }

    fn offsets(window: &Window, after: u64) -> Option<Vec<u64>> {
        window.after(after, 3).map(|events| events.iter().map(|event| event.offset).collect())
    }

    #[test]
    fn a_reader_who_keeps_up_finds_what_comes_next() {
        let window = Window::default();
        assert_eq!(offsets(&window, 0), None);
        window.extend((5..10).map(|offset| event(offset, 10)).collect());
        assert_eq!(offsets(&window, 3), None, "event 4 is only in the store");
        assert_eq!(offsets(&window, 4), Some(vec![5, 6, 7]));
        assert_eq!(offsets(&window, 8), Some(vec![9]));
        assert_eq!(offsets(&window, 9), None, "event 10 does not exist yet");
    }

    #[test]
    fn events_that_do_not_follow_the_last_one_leave_no_hole() {
        let window = Window::default();
        window.extend((1..=3).map(|offset| event(offset, 10)).collect());
        window.extend((5..=6).map(|offset| event(offset, 10)).collect());
        assert_eq!(offsets(&window, 0), None);
        assert_eq!(offsets(&window, 4), Some(vec![5, 6]));
        assert_eq!(window.bytes(), 20);
    }

    #[test]
    fn large_events_and_many_events_push_out_old_ones() {
        let window = Window::default();
        window.extend((1..=3).map(|offset| event(offset, BYTES / 2)).collect());
        assert_eq!(offsets(&window, 0), None);
        assert_eq!(offsets(&window, 1), Some(vec![2, 3]));
        window.extend((4..).take(EVENTS).map(|offset| event(offset, 1)).collect());
        assert_eq!(offsets(&window, 2), None);
        assert_eq!(offsets(&window, 3), Some(vec![4, 5, 6]));
    }
}
