//! The directory of an embedded store: one process at a time, a format that is known, and damage that is told.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, process};

use tertulia::engine::embedded::{EmbeddedStore, OpenError};
use tertulia_actors::engine::{Store, Table};

use crate::{
    appends,
    child::{self, Child},
    events, put,
};

/// A closed store with some of everything.
fn written(directory: &Path) {
    let store = EmbeddedStore::open(directory).unwrap();
    for first in [1, 201, 401] {
        store.commit(appends(first..first + 200)).unwrap();
        store.commit(Table::ALL.map(|table| put(table, &["a"], "1")).to_vec()).unwrap();
    }
}

#[test]
fn a_store_has_its_epoch_for_life_and_others_have_others() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let epoch = |directory: &tempfile::TempDir| EmbeddedStore::open(directory.path()).unwrap().history().epoch;
    assert_eq!(epoch(&one), epoch(&one));
    assert_ne!(epoch(&one), epoch(&other));
}

#[test]
fn the_directory_is_made_for_its_owner_only() {
    let above = tempfile::tempdir().unwrap();
    let directory = above.path().join("data/tertulia");
    drop(EmbeddedStore::open(&directory).unwrap());
    assert_eq!(fs::metadata(&directory).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn a_store_is_open_once_and_who_has_it_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(directory.path()).unwrap();
    let error = EmbeddedStore::open(directory.path()).unwrap_err();
    let expected = format!("the store in {} is in use by process {}", directory.path().display(), process::id());
    assert_eq!(error.to_string(), expected);

    drop(store);
    EmbeddedStore::open(directory.path()).unwrap();
}

#[test]
fn another_process_has_the_store_until_it_is_killed() {
    if let Some(directory) = child::directory() {
        let store = EmbeddedStore::open(&directory).unwrap();
        store.commit(appends(1..=3)).unwrap();
        println!("\nopen");
        std::io::stdin().read_line(&mut String::new()).unwrap();
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let mut child = Child::start("directory::another_process_has_the_store_until_it_is_killed", directory.path());
    child.told("open").unwrap();
    let error = EmbeddedStore::open(directory.path()).unwrap_err();
    assert!(matches!(error, OpenError::InUse { holder: Some(holder), .. } if holder == child.id()), "{error}");

    child.kill();
    assert_eq!(EmbeddedStore::open(directory.path()).unwrap().events(0, 10).unwrap(), events(1..=3));
}

#[test]
fn a_newer_format_and_one_that_is_none_are_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    written(directory.path());
    let format = directory.path().join("format");
    let known = fs::read(&format).unwrap();
    for unknown in ["tertulia store 2\n", "tertulia store 1", "a diary\n", ""] {
        fs::write(&format, unknown).unwrap();
        let error = EmbeddedStore::open(directory.path()).unwrap_err();
        assert!(matches!(&error, OpenError::UnknownFormat { .. }), "{error}");
        assert!(error.to_string().contains(unknown.trim()), "{error}");
    }
    fs::remove_file(&format).unwrap();
    let error = EmbeddedStore::open(directory.path()).unwrap_err();
    assert!(matches!(&error, OpenError::Damaged { what, .. } if what.contains("format")), "{error}");

    fs::write(&format, known).unwrap();
    assert_eq!(EmbeddedStore::open(directory.path()).unwrap().history().newest, 600);
}

#[test]
fn a_store_whose_making_was_interrupted_is_made() {
    let directory = tempfile::tempdir().unwrap();
    written(directory.path());
    // As it is between the two: the format is written first.
    fs::remove_dir_all(directory.path().join("data")).unwrap();
    fs::write(directory.path().join("acknowledged"), "").unwrap();
    let store = EmbeddedStore::open(directory.path()).unwrap();
    assert_eq!((store.history().oldest, store.history().newest), (1, 0));
    store.commit(appends(1..=1)).unwrap();
}

#[test]
fn a_directory_that_cannot_be_made_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let error = EmbeddedStore::open(&file.join("store")).unwrap_err();
    assert!(matches!(&error, OpenError::System { .. }), "{error}");
    assert!(error.to_string().contains("file/store"), "{error}");
}
