//! `[node]`: this process among those that share a database, and which nodes may run a connection.

use std::{collections::BTreeSet, net::SocketAddr};

use secrecy::{ExposeSecret as _, SecretString};
use tertulia_actors::core::{
    id::{NodeId, NodeLabel},
    placement::{Capacity, DutySettings, Weight},
};

use super::{field::Field, tls::NodeTls};

/// The longest name or label, in bytes.
const LONGEST_NAME: usize = 64;
/// The shortest secret, in bytes.
const SHORTEST_SECRET: usize = 32;

/// This process among those that share a database.
#[derive(Debug, Clone)]
pub struct Node {
    /// Its name, unique among the nodes; the host's name and a random suffix if `None`.
    pub name: Option<NodeId>,
    /// Where it listens to other nodes, and to nobody else.
    pub listen: SocketAddr,
    /// How other nodes reach it, as `host:port`; the address where it listens if `None`.
    pub advertise: Option<String>,
    /// What nodes know each other by: a text of 32 bytes or more, the same at all nodes. `None` if certificates alone do.
    pub secret: Option<SecretString>,
    /// The certificates that nodes know each other by. `None` leaves requests between nodes unencrypted.
    pub tls: Option<NodeTls>,
    /// How much it takes on, relative to other nodes; 1 by default.
    pub capacity: Capacity,
    /// Its labels, which connections refer to.
    pub labels: BTreeSet<NodeLabel>,
    /// The key that seals secrets in the database, the same at all nodes. `None` keeps such secrets out of it.
    pub seal: Option<SecretString>,
}

impl Node {
    /// Reads the section, which only an engine that `is_shared` has, and then must have.
    pub(super) fn read(field: Field<'_>, is_shared: bool) -> Option<Self> {
        if !is_shared {
            field.refused("only an engine of kind \"postgres\" has nodes");
            return None;
        }
        let field = field.required();
        if !field.is_present() {
            return None;
        }
        let mut section = field.section();
        let (name, listen, advertise) = (section.field("name"), section.field("listen"), section.field("advertise"));
        let (secret, tls) = (section.field("secret"), section.field("tls"));
        let (capacity, labels, seal) = (section.field("capacity"), section.field("labels"), section.field("seal"));
        section.finish();

        let is_certified = tls.is_present();
        let tls = if is_certified { NodeTls::read(tls).map(Some) } else { Some(None) };
        // Without certificates, the secret is all that nodes know each other by.
        let is_optional = is_certified && !secret.is_present();
        let secret = if is_optional { Some(None) } else { header_secret(secret.required()).map(Some) };
        let name = name.parse(node_name).map(|name| NodeId::from(name.as_str()));
        let listen = listen.required().parse(|text| text.parse().map_err(|_| not_an_address(text)));
        let advertise = advertise.parse(|text| match text.rsplit_once(':') {
            Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => Ok(text.to_owned()),
            _ => Err(format!("expected host:port, found {text:?}")),
        });
        let capacity = capacity.decimal().map(|(field, number)| {
            Capacity::new(number).map_err(|error| field.report(error.to_string())).unwrap_or_default()
        });
        let labels = read_labels(labels);
        let is_sealed = seal.is_present();
        let seal = long_secret(seal);
        if is_sealed && seal.is_none() {
            return None;
        }
        Some(Self {
            name,
            listen: listen?,
            advertise,
            secret: secret?,
            tls: tls?,
            capacity: capacity.unwrap_or_default(),
            labels,
            seal,
        })
    }
}

/// Reads `nodes` of a connection: which nodes may run it, and how much work it is.
pub(super) fn read_placement(field: Field<'_>, is_connector: bool) -> DutySettings {
    let mut section = field.section();
    let (only, not, weight) = (section.field("only"), section.field("not"), section.field("weight"));
    section.finish();
    let weight = weight.number(1..=1_000).and_then(|weight| Weight::new(u16::try_from(weight).ok()?).ok());
    let usual = if is_connector { Weight::OF_CONNECTOR } else { Weight::default() };
    DutySettings { weight: weight.unwrap_or(usual), only: read_labels(only), not: read_labels(not) }
}

fn read_labels(field: Field<'_>) -> BTreeSet<NodeLabel> {
    let label = |field: Field<'_>| field.parse(node_name).map(|label| NodeLabel::from(label.as_str()));
    field.list().into_iter().filter_map(label).collect()
}

fn long_secret(field: Field<'_>) -> Option<SecretString> {
    let (reading, place, path) = (field.reading, field.place.clone(), field.path.clone());
    let secret = field.secret()?;
    if secret.expose_secret().len() < SHORTEST_SECRET {
        reading.report(&place, &path, format!("the secret has less than {SHORTEST_SECRET} bytes"));
        return None;
    }
    Some(secret)
}

/// A secret that nodes send in a header.
fn header_secret(field: Field<'_>) -> Option<SecretString> {
    let (reading, place, path) = (field.reading, field.place.clone(), field.path.clone());
    let secret = long_secret(field)?;
    if !secret.expose_secret().bytes().all(|byte| byte.is_ascii_graphic()) {
        reading.report(&place, &path, "the secret has characters other than visible ASCII");
        return None;
    }
    Some(secret)
}

fn node_name(name: &str) -> Result<String, String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if name.len() <= LONGEST_NAME && name.bytes().all(is_plain) {
        Ok(name.to_owned())
    } else {
        Err(format!("{name:?} is not 1 to {LONGEST_NAME} of the characters A-Z a-z 0-9 . _ -"))
    }
}

fn not_an_address(text: &str) -> String {
    format!("expected an address and port, such as \"10.0.0.5:8081\", found {text:?}")
}
