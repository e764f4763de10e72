//! The directory of an embedded store: one process at a time, a known format, and damage that is reported.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, process, thread, time::Duration};

use rlimit::Resource;
use tertulia::engine::embedded::{EmbeddedStore, OpenError};
use tertulia_actors::engine::{Store, Table};

use super::{
    append, change,
    child::{self, Child},
    events, new_events, put, try_to_commit,
};

/// A closed store with some of everything.
fn written(directory: &Path) {
    let store = EmbeddedStore::open(directory).unwrap();
    for first in [1, 201, 401] {
        append(&store, first..first + 200);
        change(&store, Table::ALL.map(|table| put(table, &["a"], "1")).to_vec());
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
fn a_store_is_open_once_and_its_holder_is_reported() {
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
        append(&store, 1..=3);
        println!("\nopen");
        std::io::stdin().read_line(&mut String::new()).unwrap();
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let mut child =
        Child::start("engine::directory::another_process_has_the_store_until_it_is_killed", directory.path());
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
    for unknown in ["tertulia store 3\n", "tertulia store 0\n", "tertulia store 1", "a diary\n", ""] {
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
    append(&store, 1..=1);
}

#[test]
fn a_directory_that_cannot_be_made_is_reported() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let error = EmbeddedStore::open(&file.join("store")).unwrap_err();
    assert!(matches!(&error, OpenError::System { .. }), "{error}");
    assert!(error.to_string().contains("file/store"), "{error}");
}

#[test]
fn a_store_that_acknowledged_nothing_begins_again() {
    let journal = vec![0; 64 << 20];
    let makings: [fn(&Path); 3] = [
        |_| {},
        |directory| fs::create_dir_all(directory.join("data/keyspaces")).unwrap(),
        |directory| fs::create_dir_all(directory.join("data.new/keyspaces/0")).unwrap(),
    ];
    for making in makings {
        let directory = tempfile::tempdir().unwrap();
        drop(EmbeddedStore::open(directory.path()).unwrap());
        // As an earlier version left it when it was killed in the middle of its making.
        fs::remove_dir_all(directory.path().join("data")).unwrap();
        fs::write(directory.path().join("acknowledged"), "").unwrap();
        making(directory.path());
        if directory.path().join("data").exists() {
            fs::write(directory.path().join("data/0.jnl"), &journal).unwrap();
        }
        let store = EmbeddedStore::open(directory.path()).unwrap();
        append(&store, 1..=1);
        drop(store);
        assert_eq!(EmbeddedStore::open(directory.path()).unwrap().history().newest, 1);
        assert!(!directory.path().join("data.new").exists(), "nothing stays of the making");
    }
}

#[test]
fn a_store_that_acknowledged_something_never_begins_again() {
    type Loss = fn(&Path);
    let losses: [(&str, Loss); 3] = [
        ("its data is missing", |directory| fs::remove_dir_all(directory.join("data")).unwrap()),
        ("the count of its commits is missing", |directory| fs::write(directory.join("acknowledged"), "").unwrap()),
        ("its data is missing", |directory| {
            fs::remove_dir_all(directory.join("data")).unwrap();
            fs::create_dir(directory.join("data.new")).unwrap();
        }),
    ];
    for (told, lose) in losses {
        let directory = tempfile::tempdir().unwrap();
        written(directory.path());
        lose(directory.path());
        let error = EmbeddedStore::open(directory.path()).unwrap_err();
        assert!(matches!(&error, OpenError::Damaged { what, .. } if what == told), "{error}");
    }
}

#[test]
fn a_first_start_that_is_killed_at_any_moment_can_be_made_again() {
    if let Some(directory) = child::directory() {
        println!("\nbegun");
        let _store = EmbeddedStore::open(&directory).unwrap();
        println!("\nopen");
        std::io::stdin().read_line(&mut String::new()).unwrap();
        return;
    }
    for moment in 0..24 {
        let directory = tempfile::tempdir().unwrap();
        let mut child = Child::start(
            "engine::directory::a_first_start_that_is_killed_at_any_moment_can_be_made_again",
            directory.path(),
        );
        child.told("begun").unwrap();
        thread::sleep(Duration::from_millis(moment));
        child.kill();
        let store = EmbeddedStore::open(directory.path()).unwrap_or_else(|error| panic!("after {moment} ms: {error}"));
        append(&store, 1..=3);
    }
}

#[test]
fn a_first_start_without_room_does_no_harm() {
    if let Some(directory) = child::directory() {
        let (soft, hard) = Resource::FSIZE.get().unwrap();
        Resource::FSIZE.set(8 * 1_024, hard).unwrap();
        let error = EmbeddedStore::open(&directory).unwrap_err();
        println!("\nrefused {}", matches!(error, OpenError::System { .. }));
        Resource::FSIZE.set(soft, hard).unwrap();
        append(&EmbeddedStore::open(&directory).unwrap(), 1..=2);
        println!("\nwritten");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let mut child = Child::start("engine::directory::a_first_start_without_room_does_no_harm", directory.path());
    assert_eq!(child.told("refused ").unwrap(), "true");
    child.told("written").unwrap();
}

#[test]
fn nobody_else_reads_the_data_whatever_the_directory_around_it_allows() {
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    written(directory.path());
    let data = directory.path().join("data");
    assert_eq!(mode(&data), 0o700);
    for file in ["lock", "format", "acknowledged"] {
        assert_eq!(mode(&directory.path().join(file)), 0o600, "{file}");
    }
    // As an earlier version made it.
    fs::set_permissions(&data, fs::Permissions::from_mode(0o755)).unwrap();
    drop(EmbeddedStore::open(directory.path()).unwrap());
    assert_eq!(mode(&data), 0o700);
}

#[test]
fn a_directory_that_is_deleted_is_noticed_and_nothing_is_made_in_its_place() {
    let around = tempfile::tempdir().unwrap();
    let (path, elsewhere) = (around.path().join("store"), around.path().join("elsewhere"));
    let store = EmbeddedStore::open(&path).unwrap();
    append(&store, 1..=3);
    store.check().unwrap();

    fs::rename(&path, &elsewhere).unwrap();
    for _ in 0..2 {
        let refused = try_to_commit(&store, new_events(4..=4), Vec::new()).unwrap_err().to_string();
        for error in [store.check().unwrap_err().to_string(), refused] {
            assert!(error.contains("was deleted or replaced"), "{error}");
        }
    }
    assert!(!path.exists());
    fs::create_dir_all(path.join("data")).unwrap();
    fs::write(path.join("acknowledged"), "").unwrap();
    assert!(store.check().is_err(), "others with their names are not its files");
    assert!(try_to_commit(&store, new_events(4..=4), Vec::new()).is_err());
    assert_eq!(fs::read_dir(path.join("data")).unwrap().count(), 0);

    fs::remove_dir_all(&path).unwrap();
    fs::rename(&elsewhere, &path).unwrap();
    store.check().unwrap();
    append(&store, 4..=4);
    drop(store);
    assert_eq!(EmbeddedStore::open(&path).unwrap().history().newest, 4);
}
