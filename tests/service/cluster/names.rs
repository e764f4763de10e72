//! Two processes and one name of a node.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    process::{ExitStatus, Stdio},
    thread,
    time::Instant,
};

use rustix::process::Signal;
use tokio::task::spawn_blocking;

use super::{Cluster, NAMES};
use crate::running::{
    self, LOOK_EVERY, PATIENCE, Port,
    process::{OwnedChild, command},
};

/// A process that starts under the name of node 0 while another process has the name.
fn start(cluster: &Cluster, sections: &str) -> (tempfile::TempDir, OwnedChild) {
    let (files, file) = running::configuration(&cluster.emulator, sections);
    let mut command = command(&file);
    command.envs(cluster.secrets()).stderr(Stdio::piped());
    (files, OwnedChild::start(&mut command))
}

/// Waits until a process has ended by itself.
fn ended(process: &mut OwnedChild) -> ExitStatus {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = process.try_wait().unwrap() {
            return status;
        }
        assert!(Instant::now() < deadline, "the process still runs");
        thread::sleep(LOOK_EVERY);
    }
}

#[actix_rt::test]
async fn a_second_process_under_the_name_of_a_running_node_ends_and_says_who_has_the_name() {
    let cluster = Cluster::start(1, "").await;
    let port = Port::free();
    let (_files, mut second) = start(&cluster, &cluster.sections_of(0, port.number));
    let (status, log) = spawn_blocking(move || {
        let status = ended(&mut second);
        let mut log = String::new();
        second.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        (status, log)
    })
    .await
    .unwrap();
    assert_eq!(status.code(), Some(1), "{log}");
    let first = format!("the node name {} is taken by the process at 127.0.0.1:{}", NAMES[0], cluster.ports[0].number);
    assert!(log.contains(&first), "{log}");
    assert_eq!(cluster.node(0).get("/readyz").await.status, 200);
}

#[actix_rt::test]
async fn a_process_that_waits_for_its_name_ends_when_it_is_told_to() {
    let cluster = Cluster::prepare(1, "");
    // A node that joined and does not beat.
    let engine = cluster.database.engine();
    let silent = spawn_blocking(move || {
        tertulia::engine::postgres::open(&engine, &NAMES[0].into(), &crate::postgres::about()).unwrap()
    });
    let silent = silent.await.unwrap();
    let sections = cluster.sections_of(0, cluster.ports[0].number).replace("lease = \"5s\"", "lease = \"120s\"");
    let (_files, mut process) = start(&cluster, &sections);
    let (status, silent) = spawn_blocking(move || {
        let mut log = BufReader::new(process.stderr.take().unwrap()).lines();
        let waits = log.find(|line| line.as_ref().unwrap().contains("waiting for its end"));
        assert!(waits.is_some(), "it does not wait");
        process.signal(Signal::TERM);
        (ended(&mut process), silent)
    })
    .await
    .unwrap();
    assert!(status.success(), "{status}");
    // Its sessions have runtimes of their own, which no asynchronous task may drop.
    thread::spawn(move || drop(silent)).join().unwrap();
}
