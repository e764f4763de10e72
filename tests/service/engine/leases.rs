//! Leases: one process at a time for each login, and a number that grows.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, process};

use tertulia::engine::embedded::FileLeases;
use tertulia_actors::{
    core::id::AccountId,
    engine::{Lease, LeaseError, LoginName},
};

use super::child::{self, Child};

fn login(account: &str, user: &str) -> LoginName {
    LoginName { platform: "https://platform.test".to_owned(), account: AccountId::from(account), user: user.to_owned() }
}

fn bot() -> LoginName {
    login("12345678", "bot1")
}

/// Asks in a runtime of its own, as two processes would.
fn acquire(directory: &Path, login: LoginName) -> Result<Lease, LeaseError> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(FileLeases::new(directory).acquire(login))
}

#[test]
fn a_login_is_held_once_until_it_is_given_back() {
    let directory = tempfile::tempdir().unwrap();
    let lease = acquire(directory.path(), bot()).unwrap();
    assert_eq!(lease.login, bot());
    assert!(!lease.lost.is_cancelled());

    let refused = acquire(directory.path(), bot()).unwrap_err();
    assert_eq!(refused, LeaseError::Held { login: bot(), holder: format!("process {}", process::id()) });

    drop(lease);
    acquire(directory.path(), bot()).unwrap();
}

#[test]
fn each_lease_of_a_login_has_the_next_number() {
    let directory = tempfile::tempdir().unwrap();
    for number in 1..=3 {
        let lease = acquire(directory.path(), bot()).unwrap();
        assert_eq!(lease.token, number);
        assert!(acquire(directory.path(), bot()).is_err(), "who is refused uses up no number");
    }
}

#[test]
fn logins_differ_by_account_and_by_user() {
    let directory = tempfile::tempdir().unwrap();
    let logins = [login("1", "23"), login("12", "3"), login("1", "2"), login("1", "../2"), login("1", "a\0b")];
    let leases: Vec<Lease> = logins.into_iter().map(|login| acquire(directory.path(), login).unwrap()).collect();
    assert!(leases.iter().all(|lease| lease.token == 1));
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), leases.len());
}

#[test]
fn another_process_is_refused_until_the_holder_is_killed() {
    if let Some(directory) = child::directory() {
        let lease = acquire(&directory, bot()).unwrap();
        println!("\nheld {}", lease.token);
        std::io::stdin().read_line(&mut String::new()).unwrap();
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let mut child =
        Child::start("engine::leases::another_process_is_refused_until_the_holder_is_killed", directory.path());
    assert_eq!(child.told("held "), Some("1".to_owned()));

    let refused = acquire(directory.path(), bot()).unwrap_err();
    assert_eq!(refused, LeaseError::Held { login: bot(), holder: format!("process {}", child.id()) });

    child.kill();
    assert_eq!(acquire(directory.path(), bot()).unwrap().token, 2);
}

#[test]
fn a_directory_that_others_can_write_gives_no_lease() {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let error = acquire(directory.path(), bot()).unwrap_err();
    assert!(matches!(&error, LeaseError::Unavailable { reason, .. } if reason.contains("alone")), "{error}");
}

#[test]
fn the_directory_is_made_for_its_owner_only() {
    let above = tempfile::tempdir().unwrap();
    let directory = above.path().join("leases");
    acquire(&directory, bot()).unwrap();
    assert_eq!(fs::metadata(&directory).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn a_damaged_file_gives_no_lease_rather_than_an_old_number() {
    let directory = tempfile::tempdir().unwrap();
    drop(acquire(directory.path(), bot()).unwrap());
    let file = fs::read_dir(directory.path()).unwrap().next().unwrap().unwrap().path();
    for damaged in ["nothing", "\u{0}", "1 2"] {
        fs::write(&file, damaged).unwrap();
        let error = acquire(directory.path(), bot()).unwrap_err();
        assert!(matches!(&error, LeaseError::Unavailable { reason, .. } if reason.contains("damaged")), "{error}");
    }
}

#[test]
fn the_default_directory_is_the_same_for_all_processes_of_a_user() {
    let directory = FileLeases::default_directory();
    assert!(directory.is_absolute());
    assert_eq!(directory, FileLeases::default_directory());
}
