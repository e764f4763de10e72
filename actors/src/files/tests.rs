//! Which failures of a transfer are repeated, against a storage with scripted responses.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use actix::{Actor, Context, Handler};
use bytes::Bytes;
use futures_util::stream;
use tertulia_core::{id::AccountId, ums::Dialect};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};

use super::{FileDownload, FileError, FileType, Storage, UploadSource};
use crate::{
    platform::{Platform, PlatformClient, PlatformSettings},
    request::{Answer, Ask},
};

/// A storage with a script: the status of each response, in order; the last one repeats.
#[derive(Clone)]
struct Scripted {
    host: String,
    statuses: Arc<Mutex<VecDeque<u16>>>,
    /// The bodies of the complete requests received.
    taken: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Scripted {
    async fn start(statuses: &[u16]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = format!("http://{}", listener.local_addr().unwrap());
        let statuses = Arc::new(Mutex::new(statuses.iter().copied().collect()));
        let scripted = Self { host, statuses, taken: Arc::default() };
        let served = scripted.clone();
        actix_rt::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let served = served.clone();
                actix_rt::spawn(async move { served.serve(socket).await });
            }
        });
        scripted
    }

    /// Serves one request; each request has a connection of its own.
    async fn serve(self, socket: TcpStream) -> Option<()> {
        let mut socket = BufReader::new(socket);
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            socket.read_line(&mut line).await.ok().filter(|read| *read > 0)?;
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
            if line == "\r\n" {
                break;
            }
            head += &line;
        }
        let mut body = vec![0; length];
        socket.read_exact(&mut body).await.ok()?;
        let (status, answer) = if head.contains("/service/swift/") {
            (200, format!(r#"{{"baseURI":"{}"}}"#, self.host))
        } else {
            self.taken.lock().unwrap().push(body);
            let mut statuses = self.statuses.lock().unwrap();
            let status = if statuses.len() > 1 { statuses.pop_front() } else { statuses.front().copied() };
            (status?, "content".to_owned())
        };
        let length = answer.len();
        let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{answer}");
        socket.write_all(answer.as_bytes()).await.ok()
    }
}

/// A connection that gives a different address each time.
#[derive(Default)]
struct Addresses(Arc<Mutex<usize>>);

impl Actor for Addresses {
    type Context = Context<Self>;
}

impl Handler<Ask> for Addresses {
    type Result = ();

    fn handle(&mut self, ask: Ask, _: &mut Self::Context) {
        let mut given = self.0.lock().unwrap();
        *given += 1;
        let body = serde_json::json!({
            "relativePath": format!("/v1/file-{given}.PNG"),
            "queryParams": { "temp_url_sig": "ab", "temp_url_expires": "1" },
        });
        let frame = serde_json::json!({ "kind": "resp", "reqId": "1", "code": 200, "body": body });
        let _ = ask.reply.send(Ok(Answer::new(frame.to_string().into())));
    }
}

struct Scene {
    scripted: Scripted,
    storage: Storage,
    addresses: Arc<Mutex<usize>>,
}

impl Scene {
    async fn set(statuses: &[u16]) -> Self {
        let scripted = Scripted::start(statuses).await;
        let settings = PlatformSettings { discovery: scripted.host.clone(), ..PlatformSettings::default() };
        let addresses = Addresses::default();
        let given = Arc::clone(&addresses.0);
        let client = PlatformClient::new(Platform::new(settings).unwrap(), AccountId::from("1"));
        let requests = addresses.start().recipient();
        let storage = Storage { client, requests, conversation: "c".into(), dialect: Dialect::Brand };
        Self { scripted, storage, addresses: given }
    }

    fn taken(&self) -> Vec<Vec<u8>> {
        self.scripted.taken.lock().unwrap().clone()
    }

    fn addresses(&self) -> usize {
        *self.addresses.lock().unwrap()
    }
}

fn picture() -> UploadSource {
    UploadSource::bytes(FileType::Png, Bytes::from_static(b"picture"))
}

fn once(size: u64) -> UploadSource {
    UploadSource::once(FileType::Png, size, stream::iter([Ok(Bytes::from_static(b"pic")), Ok("ture".into())]))
}

#[actix_rt::test]
async fn a_storage_in_trouble_is_tried_again_at_the_same_address() {
    let scene = Scene::set(&[503, 201]).await;
    assert_eq!(scene.storage.upload(picture()).await.unwrap(), "/v1/file-1.PNG");
    assert_eq!(scene.taken(), [b"picture", b"picture"]);
    assert_eq!(scene.addresses(), 1);
}

#[actix_rt::test]
async fn a_storage_that_stays_in_trouble_is_given_up() {
    let scene = Scene::set(&[500]).await;
    let error = scene.storage.upload(picture()).await.unwrap_err();
    assert_eq!(error.code(), "storage-refused");
    assert_eq!(scene.taken().len(), 3);
}

#[actix_rt::test]
async fn an_address_that_has_expired_is_renewed_once() {
    let scene = Scene::set(&[401, 201]).await;
    assert_eq!(scene.storage.upload(picture()).await.unwrap(), "/v1/file-2.PNG");
    let scene = Scene::set(&[401]).await;
    assert_eq!(scene.storage.upload(picture()).await.unwrap_err().code(), "storage-refused");
    assert_eq!(scene.addresses(), 2);
}

#[actix_rt::test]
async fn a_source_that_can_be_read_once_is_sent_once() {
    let scene = Scene::set(&[201]).await;
    scene.storage.upload(once(7)).await.unwrap();
    assert_eq!(scene.taken(), [b"picture"]);
    let scene = Scene::set(&[503, 201]).await;
    assert_eq!(scene.storage.upload(once(7)).await.unwrap_err().code(), "storage-refused");
    assert_eq!(scene.taken().len(), 1);
}

#[actix_rt::test]
async fn a_source_of_another_size_than_it_was_said_to_have_is_not_stored() {
    for size in [6, 8] {
        let scene = Scene::set(&[201]).await;
        let error = scene.storage.upload(once(size)).await.unwrap_err();
        assert!(matches!(error, FileError::OtherSize { expected, found: 7 } if expected == size), "{error:?}");
        assert!(scene.taken().is_empty());
    }
}

#[actix_rt::test]
async fn a_source_that_cannot_be_read_is_at_fault_itself() {
    let scene = Scene::set(&[201]).await;
    let broken = UploadSource::once(FileType::Png, 7, stream::iter([Err(std::io::Error::other("no disk"))]));
    assert_eq!(scene.storage.upload(broken).await.unwrap_err().code(), "file-unreadable");
}

#[actix_rt::test]
async fn a_download_tries_again_until_it_begins() {
    let scene = Scene::set(&[401, 502, 200]).await;
    let (reply, begun) = oneshot::channel::<Result<FileDownload, FileError>>();
    let (downloaded, ()) = tokio::join!(
        async {
            let mut download = begun.await.unwrap().unwrap();
            assert_eq!((download.size(), download.file_name()), (Some(7), "photo.png"));
            download.next().await.unwrap().unwrap()
        },
        scene.storage.download("/v1/photo.png".to_owned(), reply),
    );
    assert_eq!(downloaded, "content");
    assert_eq!(scene.addresses(), 2);
}
