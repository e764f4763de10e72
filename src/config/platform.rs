//! `[platform]`: the address of the messaging platform.

use std::{fs::File, path::PathBuf};

use actix_web::http::Uri;

use super::field::Field;

const DEFAULT_DISCOVERY: &str = "https://adminlogin.liveperson.net";

/// The address of the messaging platform, and which certificates to trust there.
#[derive(Debug)]
pub struct Platform {
    /// The discovery service's URL, `http` or `https`.
    pub discovery: Uri,
    /// PEM file of one more trusted certificate authority.
    pub ca_file: Option<PathBuf>,
}

impl Platform {
    pub(super) fn read(field: Field<'_>) -> Option<Self> {
        let mut section = field.section();
        let discovery = section.field("discovery");
        let ca_file = section.field("ca_file");
        section.finish();

        let discovery = if discovery.is_present() {
            discovery.parse(|text| url(text, &["https", "http"]))
        } else {
            DEFAULT_DISCOVERY.parse().ok()
        };
        let ca_file = ca_file.parse(readable_file);
        Some(Self { discovery: discovery?, ca_file })
    }
}

/// Parses a URL with one of `schemes` and a host. A URL must not contain user names and passwords, because URLs are
/// logged.
pub(super) fn url(text: &str, schemes: &[&str]) -> Result<Uri, String> {
    let expected = || format!("expected a URL that starts with {}://", schemes.join(":// or "));
    let uri: Uri = text.parse().map_err(|_| expected())?;
    if !uri.scheme_str().is_some_and(|scheme| schemes.contains(&scheme)) {
        return Err(expected());
    }
    match uri.authority() {
        Some(authority) if authority.as_str().contains('@') => Err("a URL must not hold credentials".to_owned()),
        Some(authority) if !authority.host().is_empty() => Ok(uri),
        _ => Err(expected()),
    }
}

fn readable_file(text: &str) -> Result<PathBuf, String> {
    File::open(text).map_err(|error| format!("cannot open {text:?}: {error}"))?;
    Ok(PathBuf::from(text))
}
