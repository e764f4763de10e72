//! A platform that writes informational answers before every answer (RFC 9110 §15.2).

use std::{io, sync::Arc};

use actix_service::fn_service;
use actix_tls::connect::{ConnectError, ConnectInfo, Connection};
use awc::{
    error::WsClientError,
    http::{StatusCode, Uri},
};
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, stream};
use tertulia_actors::{
    connection::ConnectionError,
    core::{
        command::MessageRange,
        id::{AccountId, ConversationId},
    },
    files::{FileType, UploadSource},
    platform::{Platform, PlatformClient, PlatformSettings, Service},
};
use tertulia_emulator::{Emulator, EmulatorConfig, Fault, FaultKind, NetworkSettings};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::stage::{PATIENCE, Stage, platform};

fn hinting() -> EmulatorConfig {
    EmulatorConfig {
        network: NetworkSettings { early_hints: true, ..NetworkSettings::default() },
        ..EmulatorConfig::default()
    }
}

#[actix_rt::test]
async fn logins_sockets_and_requests_get_their_answers() {
    let mut stage = Stage::set(hinting());
    let bot = stage.bot().await;
    let ann = stage.consumer("ann").await;
    ann.send_text("hello").await.unwrap();
    assert_eq!(stage.texts(&bot, 1).await, ["hello"]);
    let his = stage.tertulia.connection(&bot).conversation(&ConversationId::from(ann.id().as_str())).unwrap();
    his.send_text("welcome").await.unwrap();
    assert_eq!(stage.texts(ann.connection(), 2).await, ["hello", "welcome"]);
    let history = his.query_messages(MessageRange::default()).await.unwrap();
    assert_eq!(history.messages.iter().filter_map(|message| message.text()).collect::<Vec<_>>(), ["hello", "welcome"]);

    for _ in 0..3 {
        let skills = stage.tertulia.connection(&bot).skills().await.unwrap();
        assert_eq!(skills.iter().map(|skill| skill.name.as_str()).collect::<Vec<_>>(), ["Skill 501", "Skill 502"]);
        let statistics = stage.tertulia.connection(&bot).message_statistics(None).await.unwrap();
        assert_eq!(statistics["agentMessages"], 1);
        let unknown = stage.tertulia.connection(&bot).agent_profile("nobody".into()).await.unwrap_err();
        assert!(matches!(unknown, ConnectionError::Http(error) if error.status() == Some(404)));
    }

    stage.emulator.inject(Fault::new(FaultKind::Drop).user("bot1"));
    stage.until(|event| event.data.name() == "connection.disconnected" && event.origin.connection == bot).await;
    stage.until(|event| event.data.name() == "connection.resumed" && event.origin.connection == bot).await;
    his.send_text("again").await.unwrap();
}

/// The request's body goes out in many pieces, and so does the answer's.
#[actix_rt::test]
async fn a_large_file_is_stored_and_read_byte_by_byte() {
    const PIECES: u32 = 64;
    let piece = |number: u32| Bytes::from(number.to_be_bytes().repeat(4 * 1024));
    let mut stage = Stage::set(hinting());
    let bot = stage.bot().await;
    let conversation = stage.conversation(&bot).await;
    let pieces = move || stream::iter(0..PIECES).map(move |number| io::Result::Ok(piece(number)));
    let source = UploadSource::again(FileType::Pdf, u64::from(PIECES) * 16 * 1024, pieces);
    let uploaded = conversation.upload_file(source).await.unwrap();
    let mut download = conversation.download_file(&uploaded.file.unwrap().relative_path).await.unwrap();
    let mut content = BytesMut::new();
    while let Some(piece) = download.next().await {
        content.extend_from_slice(&piece.unwrap());
    }
    assert!(content == (0..PIECES).map(piece).collect::<Vec<_>>().concat(), "{} bytes came", content.len());
}

#[actix_rt::test]
async fn a_service_in_plain_http_gets_its_answers_too() {
    let config = EmulatorConfig { discovery_listen: Some(([127, 0, 0, 1], 0).into()), ..EmulatorConfig::default() };
    let emulator = Emulator::start(config).unwrap();
    let hinting = emulator.hint_before(emulator.discovery().unwrap(), false).unwrap();
    let settings = PlatformSettings { discovery: format!("http://{hinting}"), ..platform(&emulator) };
    let client = PlatformClient::new(Platform::new(settings).unwrap(), AccountId::from("12345678"));
    assert_eq!(client.host(Service::AgentLogin).await.unwrap(), emulator.listen().to_string());
}

/// The `Host` header is what the address says, whatever becomes of the address on its way to the connection.
#[actix_rt::test]
async fn a_server_is_told_the_host_of_the_address() {
    let emulator = Emulator::start(EmulatorConfig::default()).unwrap();
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = server.local_addr().unwrap();
    let (plain, encrypted) =
        (emulator.hint_before(address, false).unwrap(), emulator.hint_before(address, true).unwrap());
    let authorities = vec![emulator.ca_pem().to_owned()];
    let platform = Platform::new(PlatformSettings { authorities, ..PlatformSettings::default() }).unwrap();
    for (address, dialled, host) in [
        ("https://localhost/p", encrypted, "localhost"),
        ("https://localhost:8443/p", encrypted, "localhost:8443"),
        ("http://localhost/p", plain, "localhost"),
        ("http://localhost:8080/p", plain, "localhost:8080"),
    ] {
        let dial = fn_service(move |target: ConnectInfo<Uri>| async move {
            let stream = TcpStream::connect(dialled).await.map_err(ConnectError::Io)?;
            Ok(Connection::new(target.request().clone(), stream))
        });
        let client = Platform::http_client(dial, Some(Arc::clone(platform.tls())), PATIENCE, PATIENCE);
        for is_socket in [false, true] {
            let asking = async {
                if is_socket {
                    let refused = client.ws(address.replacen("http", "ws", 1)).connect().await.err();
                    assert!(matches!(refused, Some(WsClientError::InvalidResponseStatus(StatusCode::NO_CONTENT))));
                } else {
                    assert_eq!(client.get(address).send().await.unwrap().status(), StatusCode::NO_CONTENT);
                }
            };
            let answering = async {
                let (mut stream, _) = server.accept().await.unwrap();
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.unwrap());
                }
                stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").await.unwrap();
                String::from_utf8(head).unwrap().to_lowercase()
            };
            let ((), head) = tokio::join!(asking, answering);
            assert!(head.starts_with("get /p http/1.1\r\n"), "{head}");
            assert!(head.contains(&format!("\r\nhost: {host}\r\n")), "{address}: {head}");
        }
    }
}
