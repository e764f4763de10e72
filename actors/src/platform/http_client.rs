//! HTTP clients that skip informational responses.
//!
//! The filter of informational responses must be above TLS, where `awc` has no place for a filter: it adds TLS above
//! any connector. Therefore our connector does TLS itself, and `awc` treats every connection as plain.

use std::{io, rc::Rc, sync::Arc, time::Duration};

use actix_http::RequestHeadType;
use actix_rt::net::TcpStream;
use actix_service::Service;
use actix_tls::connect::{
    ConnectError, ConnectInfo, Connection,
    rustls_0_23::{TlsConnector, TlsConnectorService},
};
use awc::{
    Client, ConnectRequest, ConnectResponse, Connector,
    error::SendRequestError,
    http::{Uri, uri::Scheme},
    middleware::Transform,
};
use futures_util::future::LocalBoxFuture;

use super::{final_answers::FinalAnswers, wire::Wire};

/// The scheme of an address whose connection our connector encrypts.
const TLS: &str = "tls";
/// The scheme of an address whose connection stays plain.
const PLAIN: &str = "plain";

/// See [`Platform::http_client`](super::Platform::http_client).
pub(super) fn http_client<D>(
    dial: D,
    tls: Option<Arc<rustls::ClientConfig>>,
    within: Duration,
    idle: Duration,
) -> Client
where
    D: Service<ConnectInfo<Uri>, Response = Connection<Uri, TcpStream>, Error = ConnectError> + Clone + 'static,
{
    let connector = Connector::new()
        .connector(Connecting { dial, tls: tls.map(TlsConnector::service) })
        // Each open websocket keeps its place in the pool: with the default limit of 100 the next one would hang.
        .limit(0)
        .timeout(within)
        .conn_keep_alive(idle);
    Client::builder().connector(connector).wrap(Marks).timeout(within).disable_redirects().finish()
}

/// Connects by TCP, with TLS if the address is marked so.
#[derive(Clone)]
struct Connecting<D> {
    dial: D,
    tls: Option<TlsConnectorService>,
}

impl<D> Service<ConnectInfo<Uri>> for Connecting<D>
where
    D: Service<ConnectInfo<Uri>, Response = Connection<Uri, TcpStream>, Error = ConnectError> + 'static,
{
    type Response = Connection<Uri, FinalAnswers<Wire>>;
    type Error = ConnectError;
    type Future = LocalBoxFuture<'static, Result<Self::Response, ConnectError>>;

    actix_service::forward_ready!(dial);

    fn call(&self, target: ConnectInfo<Uri>) -> Self::Future {
        let is_plain = target.request().scheme_str() != Some(TLS);
        let (dialling, tls) = (self.dial.call(target), self.tls.clone());
        Box::pin(async move {
            let connection = dialling.await?;
            let (wire, target) = if is_plain {
                let (stream, target) = connection.into_parts();
                (Wire::Plain(stream), target)
            } else {
                let tls = tls.ok_or_else(|| ConnectError::Io(io::Error::other("this client does not speak TLS")))?;
                let (stream, target) = tls.call(connection).await.map_err(ConnectError::Io)?.into_parts();
                (Wire::Tls(Box::new(stream)), target)
            };
            Ok(Connection::new(target, FinalAnswers::of(wire)))
        })
    }
}

/// Marks the address of each request, so that our connector does TLS instead of `awc`.
struct Marks;

impl<S> Transform<S, ConnectRequest> for Marks
where
    S: Service<ConnectRequest, Response = ConnectResponse, Error = SendRequestError>,
{
    type Transform = Marking<S>;

    fn new_transform(self, service: S) -> Marking<S> {
        Marking { service }
    }
}

struct Marking<S> {
    service: S,
}

impl<S: Service<ConnectRequest>> Service<ConnectRequest> for Marking<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    actix_service::forward_ready!(service);

    fn call(&self, mut request: ConnectRequest) -> Self::Future {
        let head = match &mut request {
            ConnectRequest::Client(RequestHeadType::Owned(head), ..) | ConnectRequest::Tunnel(head, _) => head,
            ConnectRequest::Client(RequestHeadType::Rc(head, _), ..) => Rc::make_mut(head),
        };
        // An address that cannot be marked keeps its scheme: `awc` refuses `https` because it has no TLS of its own.
        if let Some(marked) = marked(&head.uri) {
            head.uri = marked;
        }
        self.service.call(request)
    }
}

/// Returns the address with a mark. Neither the mark nor the port changes the `Host` header.
///
/// The pool identifies a connection only by the authority of its address. The mark in the authority prevents a plain
/// connection to port 443 from being used as an encrypted one.
fn marked(address: &Uri) -> Option<Uri> {
    let (mark, port) = match address.scheme_str()? {
        "https" | "wss" => (TLS, 443),
        _ => (PLAIN, 80),
    };
    let port = address.port_u16().unwrap_or(port);
    let authority = format!("{mark}@{}:{port}", address.host()?);
    let mut parts = address.clone().into_parts();
    parts.scheme = Some(Scheme::try_from(mark).ok()?);
    parts.authority = Some(authority.parse().ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encrypted_connection_is_never_the_pools_for_a_plain_one() {
        let marked = |address: &str| marked(&address.parse().unwrap()).unwrap();
        for (address, expected) in [
            ("https://a.example/p?q=1", "tls@a.example:443"),
            ("https://a.example:443/p?q=1", "tls@a.example:443"),
            ("wss://a.example/p?q=1", "tls@a.example:443"),
            ("https://a.example:8443/p?q=1", "tls@a.example:8443"),
            ("http://a.example/p?q=1", "plain@a.example:80"),
            ("ws://a.example:443/p?q=1", "plain@a.example:443"),
            ("http://tls@a.example:443/p?q=1", "plain@a.example:443"),
            ("https://[::1]/p?q=1", "tls@[::1]:443"),
        ] {
            let marked = marked(address);
            assert_eq!(marked.authority().unwrap(), expected, "{address}");
            assert_eq!(marked.scheme_str() == Some(TLS), expected.starts_with("tls"), "{address}");
            assert_eq!(marked.path_and_query().unwrap(), "/p?q=1", "{address}");
        }
    }
}
