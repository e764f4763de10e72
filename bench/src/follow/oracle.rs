//! The checks of what the readers received.

use std::rc::Rc;

use super::{Seen, reader::Reader};
use crate::chaos::stream::Cursor;

/// The violations, one line each.
pub(super) fn violations(start: &Cursor, whole: &[Seen], readers: &[Rc<Reader>]) -> Vec<String> {
    let mut found = Vec::new();
    // The offsets of the whole log have no gaps, which also verifies the log that was read at once.
    let expected = (start.offset + 1..).zip(whole).find(|(offset, event)| event.offset != *offset);
    if let Some((offset, event)) = expected {
        found.push(format!("the log has {} in the place of {offset}", event.offset));
    }
    for (number, reader) in readers.iter().enumerate() {
        let wanted: Vec<Seen> =
            whole.iter().filter(|event| event.is_message || !reader.messages_only).copied().collect();
        let seen = reader.seen.borrow();
        // Events after the end of the whole log are not compared.
        let compared = &seen[..seen.len().min(wanted.len())];
        if let Some(place) = wanted.iter().zip(compared).position(|(wanted, seen)| wanted != seen) {
            found.push(format!("reader {number}: {:?} instead of {:?}", compared[place], wanted[place]));
        }
        if seen.len() < wanted.len() {
            found.push(format!("reader {number}: {} events of {}", seen.len(), wanted.len()));
        }
        found.extend(reader.trouble.borrow().iter().map(|trouble| format!("reader {number}: {trouble}")));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{super::reader::Road, *};

    fn event(offset: u64) -> Seen {
        Seen { offset, digest: offset * 7, is_message: offset.is_multiple_of(2) }
    }

    fn judged(whole: &[u64], seen: &[u64], messages_only: bool) -> Vec<String> {
        let start = Cursor { epoch: "e".into(), offset: 2 };
        let reader = Reader::new(Road::ServerSent, messages_only, start.clone(), 0);
        reader.seen.borrow_mut().extend(seen.iter().copied().map(event));
        let whole: Vec<Seen> = whole.iter().copied().map(event).collect();
        violations(&start, &whole, &[Rc::new(reader)])
    }

    #[test]
    fn a_missing_repeated_or_misplaced_event_is_found() {
        assert_eq!(judged(&[3, 4, 5], &[3, 4, 5], false), Vec::<String>::new());
        assert_eq!(judged(&[3, 4, 5], &[4], true), Vec::<String>::new());
        assert_eq!(judged(&[3, 4, 5], &[3, 4], false).len(), 1);
        assert_eq!(judged(&[3, 4, 5], &[3, 5], false).len(), 2);
        assert_eq!(judged(&[3, 4, 5], &[3, 3, 4, 5], false).len(), 1);
        assert_eq!(judged(&[3, 4, 5], &[4, 3, 5], false).len(), 1);
        assert_eq!(judged(&[3, 5], &[3, 5], false).len(), 1, "the log itself has a hole");
    }
}
