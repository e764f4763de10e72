//! The most that a caller of the event socket can make the service hold: a frame's header, for seconds.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::running::{PATIENCE, Running};

/// A socket of events, as bytes.
async fn open(running: &Running) -> TcpStream {
    let mut stream = TcpStream::connect(running.address()).await.unwrap();
    let upgrade = "GET /v1/events/socket HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                   sec-websocket-version: 13\r\nsec-websocket-key: x3JJHMbDL1EzLkh9GBhXDw==\r\n\r\n";
    stream.write_all(upgrade.as_bytes()).await.unwrap();
    stream
}

/// The code of the close frame that ends what is read.
async fn close_code(mut stream: TcpStream) -> u16 {
    let mut read = Vec::new();
    // A reset is an end too: not everything that was sent is taken.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut read)).await.unwrap();
    let close = read.windows(4).rev().find(|bytes| bytes[0] == 0x88).unwrap();
    u16::from_be_bytes([close[2], close[3]])
}

#[actix_rt::test]
async fn a_frame_that_declares_more_than_it_may_is_refused_by_its_head() {
    let running = Running::start("");
    for declared in [5_000_u64, 1 << 40, u64::MAX] {
        let mut stream = open(&running).await;
        let head = [&[0x81, 0xff][..], &declared.to_be_bytes(), b"mask"].concat();
        stream.write_all(&head).await.unwrap();
        assert_eq!(close_code(stream).await, 1009, "{declared}");
    }
}

#[actix_rt::test]
async fn a_caller_who_goes_on_sending_a_frame_that_is_refused_is_cut_off() {
    let running = Running::start("");
    let mut stream = open(&running).await;
    let head = [&[0x82, 0xff][..], &(1_u64 << 40).to_be_bytes(), b"mask"].concat();
    stream.write_all(&head).await.unwrap();
    let flood = async { while stream.write_all(&[0; 64 * 1024]).await.is_ok() {} };
    timeout(PATIENCE, flood).await.unwrap();
}
