//! Finds elements of a list by a key, in time linear in the length of the list.

use std::collections::HashMap;

/// Lists up to this length are searched element by element. Nearly all lists are this short.
pub(super) const SHORT: usize = 16;

/// The elements of a list, found by one of their members.
pub(super) struct Lookup<'l, T> {
    list: &'l [T],
    key: fn(&T) -> Option<&str>,
    /// The index of the first element with each key; `None` for a short list.
    places: Option<HashMap<&'l str, usize>>,
}

impl<'l, T> Lookup<'l, T> {
    pub(super) fn new(list: &'l [T], key: fn(&T) -> Option<&str>) -> Self {
        let places = (list.len() > SHORT).then(|| {
            let mut places = HashMap::with_capacity(list.len());
            for (place, element) in list.iter().enumerate() {
                if let Some(key) = key(element) {
                    places.entry(key).or_insert(place);
                }
            }
            places
        });
        Self { list, key, places }
    }

    /// Returns the first element with this key.
    pub(super) fn find(&self, key: &str) -> Option<&'l T> {
        match &self.places {
            Some(places) => places.get(key).and_then(|place| self.list.get(*place)),
            None => self.list.iter().find(|element| (self.key)(element) == Some(key)),
        }
    }
}
