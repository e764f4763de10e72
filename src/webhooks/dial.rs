//! Connecting to receivers, at permitted addresses only.
//!
//! The addresses that are checked are the addresses that are dialled, so a name that resolves differently a moment
//! later changes nothing.

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use actix_rt::net::TcpStream;
use actix_service::Service;
use actix_tls::connect::{ConnectError, ConnectInfo, Connection, Connector, ConnectorService};
use awc::http::Uri;
use futures_util::future::LocalBoxFuture;
use tertulia_actors::core::address::is_internal;
use tokio::net::lookup_host;

use super::target::literal;

/// At least one of the host's addresses is internal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the host has the internal address {0}")]
pub(super) struct InternalAddress(pub(super) IpAddr);

/// A connector over TCP.
#[derive(Clone)]
pub(super) struct Dial {
    tcp: ConnectorService,
    allow_internal: bool,
}

impl Dial {
    pub(super) fn new(allow_internal: bool) -> Self {
        Self { tcp: Connector::default().service(), allow_internal }
    }
}

impl Service<ConnectInfo<Uri>> for Dial {
    type Response = Connection<Uri, TcpStream>;
    type Error = ConnectError;
    type Future = LocalBoxFuture<'static, Result<Self::Response, ConnectError>>;

    actix_service::always_ready!();

    fn call(&self, target: ConnectInfo<Uri>) -> Self::Future {
        let Self { tcp, allow_internal } = self.clone();
        Box::pin(async move {
            let (host, port) = (target.hostname(), target.port());
            let addresses: Vec<SocketAddr> = match literal(host) {
                Some(address) => vec![(address, port).into()],
                None => {
                    let found = lookup_host((host, port)).await;
                    found.map_err(|error| ConnectError::Resolver(Box::new(error)))?.collect()
                }
            };
            if addresses.is_empty() {
                return Err(ConnectError::NoRecords);
            }
            let internal = addresses.iter().map(SocketAddr::ip).find(|address| is_internal(*address));
            if let Some(address) = internal.filter(|_| !allow_internal) {
                return Err(ConnectError::Io(io::Error::other(InternalAddress(address))));
            }
            tcp.call(target.set_addrs(addresses)).await
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn dial(host: &str, allow_internal: bool) -> Result<SocketAddr, ConnectError> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri: Uri = format!("http://{host}:{}/", listener.local_addr().unwrap().port()).parse().unwrap();
        let connection = Dial::new(allow_internal).call(ConnectInfo::new(uri)).await?;
        Ok(connection.io_ref().peer_addr().unwrap())
    }

    /// Names, other spellings of addresses, and addresses that contain another address.
    #[actix_rt::test]
    async fn no_name_of_a_host_reaches_an_internal_address() {
        for host in ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"] {
            match dial(host, false).await {
                Err(ConnectError::Io(error)) => {
                    let internal = error.get_ref().and_then(|error| error.downcast_ref::<InternalAddress>());
                    assert!(internal.is_some(), "{host}: {error}");
                }
                // The resolver does not know the spelling, or the host has no such address.
                Err(ConnectError::Resolver(_) | ConnectError::NoRecords) => assert_ne!(host, "localhost"),
                outcome => unreachable!("{host}: {outcome:?}"),
            }
        }
    }

    #[actix_rt::test]
    async fn allowed_internal_addresses_are_dialled() {
        for host in ["127.0.0.1", "localhost"] {
            assert!(dial(host, true).await.unwrap().ip().is_loopback());
        }
    }
}
