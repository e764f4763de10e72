//! File storage behind signed URLs, as OpenStack Swift signs them (protocol [§5.10](crate::protocol#510)).

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha1::Sha1;

use crate::identity::{hex, random_secret};

/// Why a file is not taken or not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FileError {
    #[error("the signature is wrong or has expired")]
    Unsigned,
    #[error("there is no such file")]
    Missing,
    #[error("the file is too large")]
    TooLarge,
    #[error("files of this size or type are not accepted")]
    Refused,
}

/// What was uploaded, in memory.
#[derive(Debug)]
pub(crate) struct Files {
    secret: String,
    stored: HashMap<String, Bytes>,
    limit: usize,
    life: Duration,
}

const TYPES: [&str; 8] = ["JPG", "JPEG", "PNG", "GIF", "PDF", "DOCX", "PPTX", "XLSX"];

impl Files {
    pub(crate) fn new(limit: usize, life: Duration) -> Self {
        Self { secret: random_secret(), stored: HashMap::new(), limit, life }
    }

    /// Answer body of `GenerateURLForUploadFile`.
    pub(crate) fn upload_url(&self, account: &str, size: i64, kind: &str, now: u64) -> Result<Value, FileError> {
        let kind = kind.to_uppercase();
        if size <= 0 || size as usize > self.limit || !TYPES.contains(&kind.as_str()) {
            return Err(FileError::Refused);
        }
        let path = format!("/v1/AUTH_async-images/{account}/{}.{kind}", uuid::Uuid::new_v4());
        Ok(self.url("PUT", &path, now))
    }

    /// Answer body of `GenerateURLForDownloadFile`.
    pub(crate) fn download_url(&self, path: &str, now: u64) -> Result<Value, FileError> {
        if !self.stored.contains_key(path) {
            return Err(FileError::Missing);
        }
        Ok(self.url("GET", path, now))
    }

    fn url(&self, method: &str, path: &str, now: u64) -> Value {
        let expires = (now / 1_000) + self.life.as_secs();
        json!({
            "relativePath": path,
            "queryParams": {"temp_url_sig": self.sign(method, expires, path), "temp_url_expires": expires.to_string()},
        })
    }

    fn sign(&self, method: &str, expires: u64, path: &str) -> String {
        let Ok(mut mac) = <Hmac<Sha1> as KeyInit>::new_from_slice(self.secret.as_bytes()) else {
            return String::new();
        };
        mac.update(format!("{method}\n{expires}\n{path}").as_bytes());
        hex(&mac.finalize().into_bytes())
    }

    fn check(&self, method: &str, path: &str, signature: &str, expires: u64, now: u64) -> Result<(), FileError> {
        let valid = expires >= now / 1_000 && self.sign(method, expires, path) == signature;
        if valid { Ok(()) } else { Err(FileError::Unsigned) }
    }

    /// Takes a file in.
    pub(crate) fn put(
        &mut self,
        path: &str,
        signature: &str,
        expires: u64,
        now: u64,
        content: Bytes,
    ) -> Result<(), FileError> {
        self.check("PUT", path, signature, expires, now)?;
        if content.len() > self.limit {
            return Err(FileError::TooLarge);
        }
        self.stored.insert(path.to_owned(), content);
        Ok(())
    }

    /// Gives a file out.
    pub(crate) fn get(&self, path: &str, signature: &str, expires: u64, now: u64) -> Result<Bytes, FileError> {
        self.check("GET", path, signature, expires, now)?;
        self.stored.get(path).cloned().ok_or(FileError::Missing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(url: &Value) -> (String, String, u64) {
        let query = &url["queryParams"];
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (text(&url["relativePath"]), text(&query["temp_url_sig"]), text(&query["temp_url_expires"]).parse().unwrap())
    }

    #[test]
    fn a_file_comes_back_as_it_was_put_and_only_within_the_life_of_its_signed_url() {
        let mut files = Files::new(10, Duration::from_secs(60));
        let (path, signature, expires) = signed(&files.upload_url("1", 5, "png", 0).unwrap());
        assert_eq!(files.put(&path, &signature, expires, 61_000, Bytes::new()), Err(FileError::Unsigned));
        assert_eq!(files.put(&path, &signature, expires + 9, 0, Bytes::new()), Err(FileError::Unsigned));
        files.put(&path, &signature, expires, 1_000, Bytes::from_static(b"hello")).unwrap();
        assert_eq!(files.get(&path, &signature, expires, 0), Err(FileError::Unsigned));
        let (path, signature, expires) = signed(&files.download_url(&path, 0).unwrap());
        assert_eq!(files.get(&path, &signature, expires, 0).unwrap(), "hello");
    }

    #[test]
    fn a_file_that_is_too_large_or_of_an_unknown_type_gets_no_url() {
        let files = Files::new(10, Duration::from_secs(60));
        assert_eq!(files.upload_url("1", 11, "PNG", 0), Err(FileError::Refused));
        assert_eq!(files.upload_url("1", 5, "EXE", 0), Err(FileError::Refused));
        assert_eq!(files.download_url("/nowhere", 0), Err(FileError::Missing));
    }
}
