//! Stores against a model of maps: any changes in any commits, and the embedded one closed and opened in between.

use std::{collections::BTreeMap, ops::Bound};

use bytes::Bytes;
use proptest::prelude::*;
use tertulia::engine::embedded::EmbeddedStore;
use tertulia_actors::engine::{Change, Record, RecordKey, Store, StoredEvent, Table};

use super::{event, memory_store};

#[derive(Clone, Debug)]
enum Step {
    /// Appends so many events.
    Append(u64),
    /// Forgets this many of the oldest events.
    Trim(u64),
    Put(Table, RecordKey, u16),
    Remove(Table, RecordKey),
}

#[derive(Default)]
struct Model {
    events: BTreeMap<u64, StoredEvent>,
    oldest: u64,
    newest: u64,
    records: BTreeMap<(Table, RecordKey), Bytes>,
}

fn key() -> impl Strategy<Value = RecordKey> {
    proptest::collection::vec(prop::sample::select(vec!["", "a", "b", "a\0", "ab"]), 1..3)
        .prop_map(|parts| RecordKey::of(&parts))
}

fn step() -> impl Strategy<Value = Step> {
    let table = || prop::sample::select(Table::ALL.to_vec());
    prop_oneof![
        3 => (1..150_u64).prop_map(Step::Append),
        1 => (0..200_u64).prop_map(Step::Trim),
        3 => (table(), key(), any::<u16>()).prop_map(|(table, key, value)| Step::Put(table, key, value)),
        2 => (table(), key()).prop_map(|(table, key)| Step::Remove(table, key)),
    ]
}

fn commits() -> impl Strategy<Value = Vec<Vec<Step>>> {
    proptest::collection::vec(proptest::collection::vec(step(), 0..12), 1..10)
}

impl Model {
    fn new() -> Self {
        Self { oldest: 1, ..Self::default() }
    }

    /// Applies the step to the model. Returns the changes to commit to a store.
    fn make(&mut self, step: Step) -> Vec<Change> {
        match step {
            Step::Append(count) => {
                let offsets = self.newest + 1..=self.newest + count;
                self.newest += count;
                self.events.extend(offsets.clone().map(|offset| (offset, event(offset))));
                offsets.map(|offset| Change::Append(event(offset))).collect()
            }
            Step::Trim(behind) => {
                let oldest = self.oldest + behind;
                self.oldest = oldest.min(self.newest + 1);
                self.events = self.events.split_off(&self.oldest);
                vec![Change::Trim { oldest }]
            }
            Step::Put(table, key, value) => {
                // About a kilobyte, and an empty value.
                let value = Bytes::from(value.to_be_bytes().repeat(usize::from(value % 500)));
                self.records.insert((table, key.clone()), value.clone());
                vec![Change::Put(table, Record { key, value })]
            }
            Step::Remove(table, key) => {
                self.records.remove(&(table, key.clone()));
                vec![Change::Remove(table, key)]
            }
        }
    }

    fn scan(&self, table: Table, prefix: &RecordKey, after: Option<&RecordKey>) -> Vec<Record> {
        let first = after.map_or(Bound::Unbounded, |after| Bound::Excluded((table, after.clone())));
        self.records
            .range((first, Bound::Unbounded))
            .filter(|((of, key), _)| *of == table && key.as_bytes().starts_with(prefix.as_bytes()))
            .map(|((_, key), value)| Record { key: key.clone(), value: value.clone() })
            .collect()
    }

    fn compare(&self, store: &impl Store, asked: &RecordKey) -> Result<(), TestCaseError> {
        let history = store.history();
        prop_assert_eq!((history.oldest, history.newest), (self.oldest, self.newest));
        prop_assert_eq!(store.events(0, usize::MAX).unwrap(), self.events.values().cloned().collect::<Vec<_>>());
        let middle = u64::midpoint(self.oldest, self.newest);
        let later: Vec<_> = self.events.range(middle + 1..).map(|(_, event)| event.clone()).take(70).collect();
        prop_assert_eq!(store.events(middle, 70).unwrap(), later);
        for table in Table::ALL {
            let value = self.records.get(&(table, asked.clone())).cloned();
            prop_assert_eq!(store.get(table, asked).unwrap(), value);
            for prefix in [RecordKey::of(&[]), RecordKey::of(&["a"]), asked.clone()] {
                for after in [None, Some(asked)] {
                    let mut expected = self.scan(table, &prefix, after);
                    prop_assert_eq!(&store.scan(table, &prefix, after, usize::MAX).unwrap(), &expected);
                    expected.truncate(2);
                    prop_assert_eq!(store.scan(table, &prefix, after, 2).unwrap(), expected);
                }
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_store_in_memory_holds_what_the_model_does(commits in commits(), asked in key()) {
        let (mut model, store) = (Model::new(), memory_store());
        for steps in commits {
            store.commit(steps.into_iter().flat_map(|step| model.make(step)).collect()).unwrap();
            model.compare(&store, &asked)?;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    #[test]
    fn an_embedded_store_holds_what_the_model_does_also_once_it_was_closed(
        commits in proptest::collection::vec((commits(), any::<bool>()), 1..4),
        asked in key(),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let (mut model, mut store) = (Model::new(), EmbeddedStore::open(directory.path()).unwrap());
        let epoch = store.history().epoch;
        for (commits, closed) in commits {
            for steps in commits {
                store.commit(steps.into_iter().flat_map(|step| model.make(step)).collect()).unwrap();
                model.compare(&store, &asked)?;
            }
            if closed {
                drop(store);
                store = EmbeddedStore::open(directory.path()).unwrap();
                model.compare(&store, &asked)?;
                prop_assert_eq!(store.history().epoch, epoch.clone());
            }
        }
    }
}
