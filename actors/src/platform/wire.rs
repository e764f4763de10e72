//! A TCP connection, with or without TLS.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use actix_rt::net::{ActixStream, Ready, TcpStream};
use actix_tls::connect::rustls_0_23::reexports::AsyncTlsStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::final_answers::FinalAnswers;

/// The byte stream below HTTP.
#[derive(Debug)]
pub(super) enum Wire {
    Plain(TcpStream),
    Tls(Box<AsyncTlsStream<TcpStream>>),
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

/// The pool of `awc` drops a connection without a shutdown. The TLS alert still tells the server that nothing was cut
/// off.
impl Drop for Wire {
    fn drop(&mut self) {
        let Self::Tls(stream) = self else { return };
        let (tcp, session) = stream.get_mut();
        session.send_close_notify();
        let mut alert = Vec::new();
        // If the server does not accept the alert at once, it is not sent.
        if session.write_tls(&mut alert).is_ok() && !alert.is_empty() {
            let _sent = tcp.try_write(&alert);
        }
    }
}

impl ActixStream for FinalAnswers<Wire> {
    fn poll_read_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        if self.holds_bytes() {
            return Poll::Ready(Ok(Ready::READABLE));
        }
        ActixStream::poll_read_ready(tcp(self.stream()), context)
    }

    fn poll_write_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        ActixStream::poll_write_ready(tcp(self.stream()), context)
    }
}

fn tcp(wire: &Wire) -> &TcpStream {
    match wire {
        Wire::Plain(tcp) => tcp,
        Wire::Tls(stream) => stream.get_ref().0,
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use actix_tls::connect::Connector;
    use rcgen::CertifiedKey;
    use rustls::{ServerConfig, crypto::ring};
    use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };
    use tokio_rustls::TlsAcceptor;

    use crate::platform::{http_client::http_client, tls::client_config};

    const PATIENCE: Duration = Duration::from_secs(20);

    /// What a server reads after the pool dropped its connection.
    #[actix_rt::test]
    async fn the_server_learns_that_a_dropped_connection_was_not_cut_off() {
        let CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
        let server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
        let serving = async {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = TlsAcceptor::from(Arc::new(server)).accept(stream).await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
            // Without the alert, this is an error.
            assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
        };
        let asking = async {
            let tls = client_config(&[cert.pem()]).unwrap();
            let client = http_client(Connector::default().service(), Some(tls), PATIENCE, PATIENCE);
            assert_eq!(client.get(&address).send().await.unwrap().status().as_u16(), 204);
        };
        tokio::join!(serving, asking);
    }
}
