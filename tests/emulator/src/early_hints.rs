//! Early hints before every answer (RFC 9110 §15.2).
//!
//! The HTTP server cannot write an informational answer. So a relay in front of the server writes them.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use actix_web::rt;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// What comes before every answer.
const HINTS: &[u8] =
    b"HTTP/1.1 103 Early Hints\r\nlink: </style.css>; rel=preload\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n";
/// How many of its bytes come first; the rest comes with the answer.
const FIRST: usize = 30;
/// What is passed on at a time, in bytes.
const PIECE: usize = 16 * 1024;
/// How long the relay waits when it cannot accept.
const REST: Duration = Duration::from_millis(50);

/// Passes the connections of `listener` on to the server at `server`, for as long as the future is polled. The
/// connections are encrypted where there is a `tls`.
pub(crate) async fn relay(listener: TcpListener, tls: Option<TlsAcceptor>, server: SocketAddr) {
    loop {
        let Ok((client, _)) = listener.accept().await else {
            tokio::time::sleep(REST).await;
            continue;
        };
        let tls = tls.clone();
        rt::spawn(async move {
            // A connection that breaks is seen at its ends.
            let _broken = match tls {
                Some(tls) => match tls.accept(client).await {
                    Ok(client) => pass(client, server).await,
                    Err(error) => Err(error),
                },
                None => pass(client, server).await,
            };
        });
    }
}

async fn pass(client: impl AsyncRead + AsyncWrite, server: SocketAddr) -> io::Result<()> {
    let mut server = TcpStream::connect(server).await?;
    server.set_nodelay(true)?;
    let (mut requests, mut to_client) = split(client);
    let (mut answers, mut to_server) = server.split();
    // Whether a request was passed on since the last head of an answer.
    let asked = Cell::new(false);
    let there = async {
        let mut piece = vec![0; PIECE];
        loop {
            let length = requests.read(&mut piece).await?;
            if length == 0 {
                return Ok(());
            }
            asked.set(true);
            to_server.write_all(&piece[..length]).await?;
        }
    };
    let back = async {
        let mut piece = vec![0; PIECE];
        loop {
            let length = answers.read(&mut piece).await?;
            if length == 0 {
                return to_client.shutdown().await;
            }
            if asked.get() && piece[..length].starts_with(b"HTTP/1.1 ") {
                asked.set(false);
                to_client.write_all(&HINTS[..FIRST]).await?;
                to_client.flush().await?;
                rt::task::yield_now().await;
                to_client.write_all(&HINTS[FIRST..]).await?;
            }
            to_client.write_all(&piece[..length]).await?;
            to_client.flush().await?;
        }
    };
    tokio::select! {
        ended = there => ended,
        ended = back => ended,
    }
}
