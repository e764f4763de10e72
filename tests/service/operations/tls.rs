//! TLS by certificate files.

use std::{fs, path::Path, sync::Arc, time::Duration};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use rustls_pki_types::{CertificateDer, ServerName};
use tempfile::TempDir;
use tertulia::{
    bulk::Bulk,
    config::{Configuration, Environment, Limits, Tls},
    gateway::{Certificate, Gateway, Listening, Patience, State},
    webhooks::{Settings, Webhooks},
};
use tertulia_actors::Tertulia;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use crate::running::PATIENCE;

/// Writes a new certificate for `localhost` with its key into `directory`.
fn write(directory: &Path) -> (Tls, CertificateDer<'static>) {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let tls = Tls { certificate: directory.join("cert.pem"), key: directory.join("key.pem") };
    fs::write(&tls.certificate, cert.pem()).unwrap();
    fs::write(&tls.key, signing_key.serialize_pem()).unwrap();
    (tls, cert.der().clone())
}

fn gateway(certificate: &Arc<Certificate>, patience: Patience) -> Gateway {
    let tertulia = Arc::new(Tertulia::builder().start().unwrap());
    let webhooks = Webhooks::start(&tertulia, Settings::default());
    let listening = Listening {
        certificate: Some(Arc::clone(certificate)),
        patience,
        ..Listening::plain("127.0.0.1:0".parse().unwrap())
    };
    let bulk = Bulk::start(Arc::clone(&tertulia));
    Gateway::start(State::new(tertulia, webhooks, bulk, &[], &Limits::default()), listening).unwrap()
}

/// Requests `/healthz` of a server that shows the certificate `trusted`.
async fn ask(gateway: &Gateway, trusted: &CertificateDer<'static>) -> std::io::Result<String> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let socket = TcpStream::connect(gateway.address()).await?;
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, socket).await?;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await?;
    let mut said = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut said)).await.unwrap()?;
    Ok(said)
}

#[actix_rt::test]
async fn a_changed_certificate_is_taken_up_and_a_broken_one_is_not() {
    let directory = TempDir::new().unwrap();
    let (tls, first) = write(directory.path());
    let certificate = Certificate::read(tls.clone()).unwrap();
    let gateway = gateway(&certificate, Patience::default());
    assert!(ask(&gateway, &first).await.unwrap().ends_with(r#"{"alive":true}"#));

    fs::write(&tls.key, "half a key").unwrap();
    certificate.look();
    assert!(ask(&gateway, &first).await.is_ok());

    let (_, second) = write(directory.path());
    certificate.look();
    assert!(ask(&gateway, &second).await.unwrap().starts_with("HTTP/1.1 200"));
    assert!(ask(&gateway, &first).await.is_err());
}

#[actix_rt::test]
async fn a_handshake_that_does_not_come_to_its_end_closes_its_connection() {
    let directory = TempDir::new().unwrap();
    let (tls, _) = write(directory.path());
    let certificate = Certificate::read(tls).unwrap();
    let patience = Patience { handshake: Duration::from_millis(300), ..Patience::default() };
    let gateway = gateway(&certificate, patience);
    let mut silent = TcpStream::connect(gateway.address()).await.unwrap();
    assert_eq!(timeout(PATIENCE, silent.read(&mut [0])).await.unwrap().unwrap_or_default(), 0);
}

#[test]
fn a_mistake_in_a_certificate_is_reported_with_its_line() {
    let directory = TempDir::new().unwrap();
    let (tls, _) = write(directory.path());
    let another = TempDir::new().unwrap();
    let (other, _) = write(another.path());
    let mistakes = |certificate: &Path, key: &Path| {
        let text = format!(
            "[gateway]\ntls = {{ certificate = {:?}, key = {:?} }}\n",
            certificate.display().to_string(),
            key.display().to_string()
        );
        let mistakes = Configuration::parse(&text, &Environment::default()).err().unwrap_or_default();
        mistakes.iter().map(|mistake| mistake.in_file(Path::new("t")).to_string()).collect::<String>()
    };
    assert_eq!(mistakes(&tls.certificate, &tls.key), "");
    assert!(mistakes(&tls.certificate, &other.key).contains("is not the key of"));
    assert!(mistakes(&tls.key, &tls.key).contains("has no certificate in PEM"));
    assert!(mistakes(&tls.certificate, &tls.certificate).contains("has no private key in PEM"));
    assert!(mistakes(Path::new("/nowhere"), &tls.key).contains("cannot read /nowhere"));
}
