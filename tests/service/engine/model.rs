//! Stores against a model of maps: any changes in any commits, and the embedded one closed and opened in between.

use std::{collections::BTreeMap, ops::Bound};

use bytes::Bytes;
use proptest::prelude::*;
use tertulia::engine::embedded::EmbeddedStore;
use tertulia_actors::{
    core::time::Timestamp,
    engine::{Change, Committed, NewEvent, Record, RecordKey, Store, Table},
};

use super::{commit, event, memory_store};

/// A part of a commit.
#[derive(Clone, Debug)]
enum Step {
    /// Appends so many events.
    Append(u64),
    /// Writes a record whose value is made from the number. If the flag is true, a record with the same key stays.
    Put(bool, Table, RecordKey, u16, Option<i64>),
    Remove(Table, RecordKey),
}

#[derive(Clone, Debug)]
enum Round {
    Commit(Vec<Step>),
    /// Housekeeping at this time, which forgets this many of the oldest events and leaves this many letters.
    KeepHouse(i64, u64, usize),
}

#[derive(Default)]
struct Model {
    events: BTreeMap<u64, NewEvent>,
    oldest: u64,
    newest: u64,
    records: BTreeMap<(Table, RecordKey), Record>,
}

/// Times of records and of housekeeping are below.
const TIMES: i64 = 20;

fn key() -> impl Strategy<Value = RecordKey> {
    proptest::collection::vec(prop::sample::select(vec!["", "a", "b", "a\0", "ab"]), 1..3)
        .prop_map(|parts| RecordKey::of(&parts))
}

fn step() -> impl Strategy<Value = Step> {
    let table = || prop::sample::select(Table::ALL.to_vec());
    let until = || proptest::option::of(0..TIMES);
    prop_oneof![
        3 => (1..150_u64).prop_map(Step::Append),
        4 => (any::<bool>(), table(), key(), any::<u16>(), until())
            .prop_map(|(is_new, table, key, value, until)| Step::Put(is_new, table, key, value, until)),
        2 => (table(), key()).prop_map(|(table, key)| Step::Remove(table, key)),
    ]
}

fn rounds() -> impl Strategy<Value = Vec<Round>> {
    let round = prop_oneof![
        3 => proptest::collection::vec(step(), 0..12).prop_map(Round::Commit),
        1 => (-1..TIMES, 0..200_u64, 0..6_usize)
            .prop_map(|(now, events, letters)| Round::KeepHouse(now, events, letters)),
    ];
    proptest::collection::vec(round, 1..12)
}

impl Model {
    fn new() -> Self {
        Self { oldest: 1, ..Self::default() }
    }

    /// Does the same to the model and to a store, and compares what both answer.
    fn make(&mut self, store: &dyn Store, round: Round) -> Result<(), TestCaseError> {
        match round {
            Round::Commit(steps) => {
                let (mut events, mut changes, mut not_new) = (Vec::new(), Vec::new(), Vec::new());
                let first = self.newest + 1;
                for step in steps {
                    match step {
                        Step::Append(count) => events.extend(self.append(count)),
                        step => {
                            let (change, is_made) = self.change(step);
                            if !is_made {
                                not_new.push(changes.len());
                            }
                            changes.push(change);
                        }
                    }
                }
                prop_assert_eq!(commit(store, events, changes), Committed { first, not_new });
            }
            Round::KeepHouse(now, forgotten, letters) => {
                let oldest = self.oldest + forgotten;
                let removed = self.keep_house(now, oldest, letters);
                prop_assert_eq!(store.keep_house(Timestamp(now), oldest, letters).unwrap(), removed);
            }
        }
        Ok(())
    }

    fn append(&mut self, count: u64) -> impl Iterator<Item = NewEvent> + use<> {
        let offsets = self.newest + 1..=self.newest + count;
        self.newest += count;
        self.events.extend(offsets.clone().map(|offset| (offset, event(offset))));
        offsets.map(event)
    }

    /// Returns the change for a store, and whether it changes anything.
    fn change(&mut self, step: Step) -> (Change, bool) {
        match step {
            Step::Append(_) => unreachable!("events are no change"),
            Step::Put(is_new, table, key, value, until) => {
                // About a kilobyte, and an empty value.
                let value = Bytes::from(value.to_be_bytes().repeat(usize::from(value % 500)));
                let record = Record { keep_until: until.map(Timestamp), ..Record::new(key.clone(), value) };
                let is_made = !(is_new && self.records.contains_key(&(table, key.clone())));
                if is_made {
                    self.records.insert((table, key), record.clone());
                }
                (if is_new { Change::PutNew(table, record) } else { Change::Put(table, record) }, is_made)
            }
            Step::Remove(table, key) => {
                self.records.remove(&(table, key.clone()));
                (Change::Remove(table, key), true)
            }
        }
    }

    /// Returns the number of removed records.
    fn keep_house(&mut self, now: i64, oldest: u64, letters: usize) -> usize {
        self.oldest = oldest.min(self.newest + 1);
        self.events = self.events.split_off(&self.oldest);
        let before = self.records.len();
        self.records.retain(|_, record| record.keep_until.is_none_or(|until| until > Timestamp(now)));
        let is_letter = |(table, _): &(Table, RecordKey)| *table == Table::DeadLetters;
        let count = self.records.keys().filter(|key| is_letter(key)).count();
        let mut beyond = count.saturating_sub(letters);
        self.records.retain(|key, _| {
            let is_kept = !is_letter(key) || beyond == 0;
            beyond -= usize::from(!is_kept);
            is_kept
        });
        before - self.records.len()
    }

    fn scan(&self, table: Table, prefix: &RecordKey, after: Option<&RecordKey>) -> Vec<Record> {
        let first = after.map_or(Bound::Unbounded, |after| Bound::Excluded((table, after.clone())));
        self.records
            .range((first, Bound::Unbounded))
            .filter(|((of, key), _)| *of == table && key.as_bytes().starts_with(prefix.as_bytes()))
            .map(|(_, record)| record.clone())
            .collect()
    }

    fn compare(&self, store: &dyn Store, asked: &RecordKey) -> Result<(), TestCaseError> {
        let history = store.history();
        prop_assert_eq!((history.oldest, history.newest), (self.oldest, self.newest));
        prop_assert_eq!(store.events(0, usize::MAX).unwrap(), self.events.clone().into_iter().collect::<Vec<_>>());
        let middle = u64::midpoint(self.oldest, self.newest);
        let later: Vec<_> =
            self.events.range(middle + 1..).map(|(offset, event)| (*offset, event.clone())).take(70).collect();
        prop_assert_eq!(store.events(middle, 70).unwrap(), later);
        for table in Table::ALL {
            let value = self.records.get(&(table, asked.clone())).map(|record| record.value.clone());
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
    fn a_store_in_memory_holds_what_the_model_does(rounds in rounds(), asked in key()) {
        let (mut model, store) = (Model::new(), memory_store());
        for round in rounds {
            model.make(&store, round)?;
            model.compare(&store, &asked)?;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    #[test]
    fn an_embedded_store_holds_what_the_model_does_also_once_it_was_closed(
        rounds in proptest::collection::vec((rounds(), any::<bool>()), 1..4),
        asked in key(),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let (mut model, mut store) = (Model::new(), EmbeddedStore::open(directory.path()).unwrap());
        let epoch = store.history().epoch;
        for (rounds, closed) in rounds {
            for round in rounds {
                model.make(&store, round)?;
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
