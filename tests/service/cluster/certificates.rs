//! Nodes that know each other by certificates.

use std::{fs, path::Path, sync::Arc};

use awc::{Client, Connector};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};

use super::{BOTS, Cluster};
use crate::running::PATIENCE;

/// An authority, with a certificate that it signed for this machine, in PEM files of a directory.
struct Certified {
    directory: tempfile::TempDir,
}

impl Certified {
    fn new() -> Self {
        let certified = Self { directory: tempfile::tempdir().unwrap() };
        certified.write();
        certified
    }

    /// Writes another authority and another certificate into the same files.
    fn write(&self) {
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let own = authority.self_signed(&key).unwrap();
        let issuer = Issuer::new(authority, key);
        let node_key = KeyPair::generate().unwrap();
        let node = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().signed_by(&node_key, &issuer).unwrap();
        for (name, text) in [("ca", own.pem()), ("node", node.pem()), ("key", node_key.serialize_pem())] {
            fs::write(self.path().join(name), text).unwrap();
        }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The line of a node's configuration.
    fn line(&self) -> String {
        let file = |name: &str| self.path().join(name).display().to_string();
        format!("tls = {{ certificate = {:?}, key = {:?}, ca = {:?} }}", file("node"), file("key"), file("ca"))
    }

    /// A client that accepts what this authority signed, and presents the certificate of `own`.
    fn client(&self, own: Option<&Self>) -> Client {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.path().join("ca")).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots);
        let config = match own {
            None => config.with_no_client_auth(),
            Some(own) => {
                let chain = vec![CertificateDer::from_pem_file(own.path().join("node")).unwrap()];
                let key = PrivateKeyDer::from_pem_file(own.path().join("key")).unwrap();
                config.with_client_auth_cert(chain, key).unwrap()
            }
        };
        let connector = Connector::new().timeout(PATIENCE).handshake_timeout(PATIENCE).rustls_0_23(Arc::new(config));
        Client::builder().connector(connector).timeout(PATIENCE).finish()
    }
}

#[actix_rt::test]
async fn nodes_with_certificates_of_one_authority_serve_each_other_and_nobody_else() {
    let (nodes, strangers) = (Certified::new(), Certified::new());
    let cluster = Cluster::start_with(2, BOTS, &nodes.line()).await;
    let [holder] = cluster.ready(["bots-1"]).await;
    let other = cluster.other_than(holder);
    let answer = cluster.node(other).get("/v1/connections/bots-1").await;
    assert_eq!((answer.status, &answer.json["id"]), (200, &"bots-1".into()), "{}", answer.text);

    let address = format!("127.0.0.1:{}", cluster.ports[holder].number);
    let internal = format!("https://{address}/internal/v1/nudge");
    assert_eq!(nodes.client(Some(&nodes)).post(&internal).send().await.unwrap().status(), 204);
    for own in [None, Some(&strangers)] {
        assert!(nodes.client(own).post(&internal).send().await.is_err(), "a caller that is no node was served");
    }
    let plain = crate::running::client().post(format!("http://{address}/internal/v1/nudge")).send().await;
    assert!(plain.is_err(), "a request in plain text was served");
}

#[actix_rt::test]
async fn certificates_are_read_again_while_the_nodes_run() {
    let files = Certified::new();
    let cluster = Cluster::start_with(2, BOTS, &files.line()).await;
    let [holder] = cluster.ready(["bots-1"]).await;
    let other = cluster.other_than(holder);
    let internal = |number: usize| format!("https://127.0.0.1:{}/internal/v1/nudge", cluster.ports[number].number);
    let before = files.client(Some(&files));
    assert_eq!(before.post(internal(holder)).send().await.unwrap().status(), 204);
    drop(before);
    // A mistake changes nothing.
    let key = fs::read(files.path().join("key")).unwrap();
    fs::write(files.path().join("key"), "no key").unwrap();
    cluster.read_again(holder).await;
    fs::write(files.path().join("key"), key).unwrap();
    let before = files.client(Some(&files));
    assert_eq!(before.post(internal(holder)).send().await.unwrap().status(), 204);

    files.write();
    for number in [holder, other] {
        cluster.read_again(number).await;
    }
    let after = files.client(Some(&files));
    for number in [holder, other] {
        assert_eq!(after.post(internal(number)).send().await.unwrap().status(), 204);
    }
    // What the previous authority signed is of no node any more, and connections of before end.
    let answer = cluster.node(other).get("/v1/connections/bots-1").await;
    assert_eq!((answer.status, &answer.json["id"]), (200, &"bots-1".into()), "{}", answer.text);
}
