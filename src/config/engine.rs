//! `[engine]`: where events, snapshots, outbox and leases are kept.

use std::path::PathBuf;

use actix_web::http::Uri;

use super::{field::Field, platform::url};

const DEFAULT_PATH: &str = "./tertulia-data";

/// Which engine keeps the service's data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Engine {
    /// A store inside this process; the default.
    Embedded {
        /// Directory of the store, made when it is missing.
        path: PathBuf,
    },
    /// NATS JetStream, shared by several processes.
    Nats {
        /// The server, `nats` or `tls`.
        url: Uri,
    },
}

#[derive(Clone, Copy)]
enum Kind {
    Embedded,
    Nats,
}

impl Engine {
    pub(super) fn read(field: Field<'_>) -> Option<Self> {
        let mut section = field.section();
        let kind = section.field("kind");
        let path = section.field("path");
        let server = section.field("url");
        section.finish();

        let kind = if kind.is_present() {
            kind.word(&[("embedded", Kind::Embedded), ("nats", Kind::Nats)])?
        } else {
            Kind::Embedded
        };
        match kind {
            Kind::Embedded => {
                server.refused("only an engine of kind \"nats\" has a url");
                Some(Self::Embedded { path: path.text().unwrap_or_else(|| DEFAULT_PATH.to_owned()).into() })
            }
            Kind::Nats => {
                path.refused("only an engine of kind \"embedded\" has a path");
                let url = server.required().parse(|text| url(text, &["nats", "tls"]))?;
                Some(Self::Nats { url })
            }
        }
    }
}
