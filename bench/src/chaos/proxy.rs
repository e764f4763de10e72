//! A TCP proxy in front of one or several servers, whose way can be cut, silenced or slowed.

use std::{io, net::Ipv4Addr, rc::Rc, sync::Arc, time::Duration};

use actix_rt::{
    net::TcpStream,
    task::JoinHandle,
    time::{sleep_until, timeout},
};
use bytes::Bytes;
use tertulia::demo::GatewayAddress;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    sync::{Semaphore, mpsc, watch},
    time::Instant,
};

/// Connections at once. Others wait to be accepted.
const CONNECTIONS: usize = 4_096;
/// Bytes that are read at once.
const CHUNK: usize = 16 * 1024;
/// Chunks on the way in one direction. The sender of more waits.
const CHUNKS: usize = 64;
/// How long a server may take to accept.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// What happens to the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// They pass.
    Open,
    /// Connections are closed, and new ones are closed at once.
    Cut,
    /// Connections stay open and are accepted, and nothing passes, as where packets are dropped. What was sent
    /// passes when the way is open again.
    HalfOpen,
    /// Each byte passes so much later.
    Slow(Duration),
}

/// A proxy on loopback. Dropping it closes all its connections.
#[derive(Debug)]
pub(crate) struct Proxy {
    address: String,
    way: watch::Sender<Way>,
    accepting: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Proxy {
    /// Starts a proxy. Connections go to the servers in turns.
    pub(crate) async fn start(servers: Vec<GatewayAddress>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?.to_string();
        let way = watch::Sender::new(Way::Open);
        let seen = way.subscribe();
        let accepting = actix_rt::spawn(async move {
            let free = Arc::new(Semaphore::new(CONNECTIONS));
            let servers = Rc::new(servers);
            for turn in 0.. {
                let Ok(permit) = Arc::clone(&free).acquire_owned().await else { return };
                let Ok((client, _)) = listener.accept().await else { continue };
                let (servers, mut closed, way) = (Rc::clone(&servers), seen.clone(), seen.clone());
                actix_rt::spawn(async move {
                    let _permit = permit;
                    let server = &servers[turn % servers.len()];
                    tokio::select! {
                        _ = carry(client, server, way) => {}
                        // An error means that the proxy is gone.
                        _ = closed.wait_for(|way| *way == Way::Cut) => {}
                    }
                });
            }
        });
        Ok(Self { address, way, accepting })
    }

    /// Where the proxy listens, as `host:port`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn set(&self, way: Way) {
        self.way.send_replace(way);
    }
}

/// Carries the bytes of one connection in both directions until one side fails or both have ended.
async fn carry(mut client: TcpStream, server: &GatewayAddress, mut way: watch::Receiver<Way>) -> io::Result<()> {
    passable(&mut way).await?;
    let address = server.borrow().clone().ok_or(io::ErrorKind::ConnectionRefused)?;
    let mut server = timeout(CONNECT_WITHIN, TcpStream::connect(address)).await??;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    tokio::try_join!(pump(from_client, to_server, way.clone()), pump(from_server, to_client, way))?;
    Ok(())
}

/// Waits while nothing passes.
async fn passable(way: &mut watch::Receiver<Way>) -> io::Result<Duration> {
    let gone = |_| io::Error::from(io::ErrorKind::ConnectionAborted);
    match *way.wait_for(|way| *way != Way::HalfOpen).await.map_err(gone)? {
        Way::Slow(by) => Ok(by),
        Way::Open | Way::Cut | Way::HalfOpen => Ok(Duration::ZERO),
    }
}

async fn pump(
    mut from: impl tokio::io::AsyncRead + Unpin,
    mut to: impl tokio::io::AsyncWrite + Unpin,
    mut way: watch::Receiver<Way>,
) -> io::Result<()> {
    let (sender, mut chunks) = mpsc::channel::<(Instant, Bytes)>(CHUNKS);
    let mut seen = way.clone();
    let reading = async move {
        let mut buffer = vec![0; CHUNK];
        loop {
            passable(&mut seen).await?;
            let length = from.read(&mut buffer).await?;
            if length == 0 {
                return Ok(());
            }
            let by = match *seen.borrow() {
                Way::Slow(by) => by,
                _ => Duration::ZERO,
            };
            if sender.send((Instant::now() + by, Bytes::copy_from_slice(&buffer[..length]))).await.is_err() {
                return Ok(());
            }
        }
    };
    let writing = async {
        while let Some((due, chunk)) = chunks.recv().await {
            sleep_until(due).await;
            passable(&mut way).await?;
            to.write_all(&chunk).await?;
        }
        to.shutdown().await
    };
    tokio::try_join!(reading, writing)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use actix_rt::time::sleep;

    use super::*;

    /// A server that returns what it gets, and its address.
    async fn echo() -> (JoinHandle<()>, GatewayAddress) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = watch::Sender::new(Some(listener.local_addr().unwrap().to_string())).subscribe();
        let serving = actix_rt::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                actix_rt::spawn(async move {
                    let (mut from, mut to) = socket.split();
                    let _ = tokio::io::copy(&mut from, &mut to).await;
                });
            }
        });
        (serving, address)
    }

    async fn ask(socket: &mut TcpStream) -> io::Result<u8> {
        socket.write_all(&[7]).await?;
        socket.read_u8().await
    }

    #[actix_rt::test]
    async fn bytes_pass_are_held_back_and_are_cut_off() {
        let (_serving, address) = echo().await;
        let proxy = Proxy::start(vec![address]).await.unwrap();
        let mut socket = TcpStream::connect(proxy.address()).await.unwrap();
        assert_eq!(ask(&mut socket).await.unwrap(), 7);
        let slow = Duration::from_millis(20);
        proxy.set(Way::Slow(slow));
        let begun = Instant::now();
        assert_eq!(ask(&mut socket).await.unwrap(), 7);
        assert!(begun.elapsed() >= slow * 2, "there and back");

        proxy.set(Way::HalfOpen);
        let mut later = TcpStream::connect(proxy.address()).await.unwrap();
        for socket in [&mut socket, &mut later] {
            socket.write_all(&[8]).await.unwrap();
        }
        tokio::select! {
            biased;
            read = socket.read_u8() => panic!("{read:?} passed"),
            read = later.read_u8() => panic!("{read:?} passed"),
            () = sleep(slow) => {}
        }
        proxy.set(Way::Open);
        for socket in [&mut socket, &mut later] {
            assert_eq!(socket.read_u8().await.unwrap(), 8, "what was sent passes later");
        }

        proxy.set(Way::Cut);
        assert!(socket.read_u8().await.is_err());
        let mut refused = TcpStream::connect(proxy.address()).await.unwrap();
        assert!(ask(&mut refused).await.is_err());
    }

    #[actix_rt::test]
    async fn servers_take_turns_and_one_that_is_away_closes_the_connection() {
        let (_serving, address) = echo().await;
        let proxy = Proxy::start(vec![address, watch::Sender::new(None).subscribe()]).await.unwrap();
        let mut outcomes = Vec::new();
        for _ in 0..4 {
            let mut socket = TcpStream::connect(proxy.address()).await.unwrap();
            outcomes.push(ask(&mut socket).await.is_ok());
        }
        assert_eq!(outcomes, [true, false, true, false]);
    }
}
