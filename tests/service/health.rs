//! `tertulia health`, as a container's health check runs it.

use std::net::TcpListener;

use rustix::process::Signal;

use crate::running::{
    BOT, configuration, emulator,
    process::{Process, program},
};

/// The exit code of `tertulia health`, and what it writes to standard output and standard error.
fn health(gateway: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
    let url = format!("http://{gateway}");
    let output = program(&["health", "--url", &url]).args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn health_succeeds_while_the_service_is_alive_or_with_ready_while_it_is_ready() {
    let emulator = emulator();
    let sections = format!("{BOT}\n[drain]\nnotice = \"20s\"");
    let (_directory, file) = configuration(&emulator, &sections);
    let process = Process::start(&file);
    assert_eq!(health(&process.gateway, &[]), (Some(0), "{\"alive\":true}\n".into(), String::new()));

    process.get_until("/readyz", "\"ready\":true");
    assert_eq!(health(&process.gateway, &["--ready"]), (Some(0), "{\"ready\":true}\n".into(), String::new()));

    process.signal(Signal::TERM);
    process.get_until("/readyz", "\"code\":\"stopping\"");
    let (code, said, stderr) = health(&process.gateway, &["--ready"]);
    assert!(code == Some(1) && said.contains("\"code\":\"stopping\"") && stderr.is_empty(), "{said}{stderr}");
    assert_eq!(health(&process.gateway, &[]).0, Some(0), "the process is alive while it stops");
}

#[test]
fn health_fails_where_nothing_listens_and_names_the_address() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let (code, said, stderr) = health(&free, &[]);
    assert!(code == Some(1) && said.is_empty(), "{said}");
    assert!(stderr.starts_with(&format!("error: the request to http://{free}/healthz failed: ")), "{stderr}");
}
