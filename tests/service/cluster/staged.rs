//! A node that is not there: it has a duty in the database, beats, and answers other nodes as the test says.

use std::{sync::Arc, task::Poll, thread};

use tertulia::{
    cluster::{Members, NodeAbout, NodeTable as _},
    engine::postgres::PostgresParts,
};
use tertulia_actors::core::{
    placement::{DutyName, DutySettings},
    tenure::LeaseDuration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::spawn_blocking,
    time::timeout,
};

use super::Cluster;
use crate::{gateway::ids, postgres::about, running::PATIENCE};

/// A node of the test.
pub(crate) struct Staged {
    listener: Option<TcpListener>,
    /// `None` once it is dropped.
    node: Option<(Arc<Members>, PostgresParts)>,
}

/// A request as it came to a staged node.
pub(crate) struct Heard {
    stream: TcpStream,
    pub(crate) text: String,
}

impl Staged {
    /// Joins before the nodes of the cluster, and takes the duty of a connection. Then the nodes join and learn of it.
    pub(crate) async fn first(cluster: &mut Cluster, connection: &str) -> Self {
        let staged = Self::join(cluster, connection).await;
        for number in 0..cluster.ports.len() {
            cluster.begin(number).await;
        }
        let learning = async {
            for number in 0..cluster.ports.len() {
                cluster.until(number, "/v1/nodes", |nodes| ids(nodes, "id").contains(&"z".to_owned())).await;
            }
        };
        tokio::select! {
            () = learning => staged,
            heard = staged.hear() => panic!("{}", heard.text),
        }
    }

    async fn join(cluster: &Cluster, connection: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let about = NodeAbout { address: listener.local_addr().unwrap().to_string(), knows: 1, ..about() };
        let (engine, duty) = (cluster.database.engine(), DutyName::Connection(connection.into()));
        let joining = move || {
            let parts = tertulia::engine::postgres::open(&engine, &"z".into(), &about).unwrap();
            parts.nodes.know(&[(duty.clone(), DutySettings::default())].into()).unwrap();
            assert_eq!(parts.nodes.take(&[duty]).unwrap().len(), 1);
            let lease = LeaseDuration::new(std::time::Duration::from_secs(5)).unwrap();
            let members = Members::start(parts.nodes.clone(), parts.tenure.clone(), lease, about).unwrap();
            (members, parts)
        };
        let node = spawn_blocking(joining).await.unwrap();
        Self { listener: Some(listener), node: Some(node) }
    }

    /// Refuses connections from now on, and beats no more.
    pub(crate) fn die(self) {}

    fn listener(&self) -> &TcpListener {
        self.listener.as_ref().unwrap()
    }

    /// The next request that is neither a hint about duties nor a question about the nodes.
    pub(crate) async fn hear(&self) -> Heard {
        let hearing = async {
            loop {
                let heard = Heard::read(self.listener().accept().await.unwrap().0).await;
                if !heard.is_about_nodes() {
                    return heard;
                }
                heard.answer("204 No Content", "").await;
            }
        };
        timeout(PATIENCE, hearing).await.unwrap()
    }

    /// Whether a request came since the last one, other than about duties and nodes.
    pub(crate) async fn was_called(&self) -> bool {
        loop {
            let calling = self.listener().accept();
            tokio::pin!(calling);
            let Poll::Ready(called) = futures_util::poll!(calling) else { return false };
            if !Heard::read(called.unwrap().0).await.is_about_nodes() {
                return true;
            }
        }
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        let node = self.node.take();
        // Its sessions have runtimes of their own, which no asynchronous task may drop.
        thread::spawn(move || drop(node));
    }
}

fn is_whole(request: &str) -> bool {
    let Some((head, body)) = request.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    body.len() >= length.unwrap_or(0_usize)
}

impl Heard {
    async fn read(mut stream: TcpStream) -> Self {
        let mut bytes = Vec::new();
        loop {
            let mut more = [0; 4096];
            let count = stream.read(&mut more).await.unwrap();
            assert_ne!(count, 0, "the request broke off");
            bytes.extend_from_slice(&more[..count]);
            let text = String::from_utf8_lossy(&bytes).into_owned();
            if is_whole(&text) {
                return Self { stream, text };
            }
        }
    }

    fn is_about_nodes(&self) -> bool {
        let is_hint = self.text.starts_with("POST /internal/v1/nudge ") && self.text.ends_with("\r\n\r\n");
        is_hint || self.text.starts_with("GET /v1/nodes ")
    }

    /// A header; `None` if it is absent.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let value =
            |line: &'_ str| line.split_once(": ").filter(|(found, _)| found.eq_ignore_ascii_case(name)).is_some();
        self.text.lines().find(|line| value(line)).and_then(|line| Some(line.split_once(": ")?.1))
    }

    /// Answers, and closes the connection.
    pub(crate) async fn answer(mut self, status: &str, body: &str) {
        let length = body.len();
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
        // Whoever asked may not wait any more.
        let _ = self.stream.write_all(answer.as_bytes()).await;
        let _ = self.stream.shutdown().await;
    }
}
