//! A file uploaded as a form by a browser or `curl -F`. Its parts are held in memory, within the limits of one file and
//! of all concurrent uploads.

use std::{sync::Arc, time::Duration};

use actix_multipart::{Field, Multipart};
use actix_web::{http::StatusCode, web::Bytes};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tertulia_actors::{
    core::id::DialogId,
    files::{FileType, UploadSource},
};
use tokio::time::timeout;

use super::media_type;
use crate::gateway::{
    body::Digest,
    problem::Problem,
    room::{Room, Taken},
};

/// The largest accepted file, in bytes: more than the platform accepts of any type ([FL-2](crate::rules#fl-2)).
const MAX_FILE: usize = 8 * 1024 * 1024;
/// The longest of the other parts, in bytes.
const MAX_TEXT: usize = 32 * 1024;
/// How long a caller may take to send the form.
const WITHIN: Duration = Duration::from_secs(60);

/// A file with its caption and dialog.
pub(super) struct Form {
    file: File,
    caption: Option<String>,
    dialog: Option<DialogId>,
}

struct File {
    name: String,
    file_type: FileType,
    pieces: Vec<Bytes>,
    memory: Taken,
}

impl Form {
    /// Reads the whole form.
    ///
    /// # Errors
    /// The body is not a valid form, is too large or too slow, or no memory is free for it.
    pub(super) async fn read(parts: Multipart, room: &Room) -> Result<Self, Problem> {
        let read = timeout(WITHIN, Self::read_parts(parts, room));
        read.await.unwrap_or_else(|_| {
            let detail = "the form did not arrive in time";
            Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "body-too-slow", detail))
        })
    }

    async fn read_parts(mut parts: Multipart, room: &Room) -> Result<Self, Problem> {
        let (mut file, mut caption, mut dialog) = (None, None, None);
        // After its first error, the form is not read further.
        while let Some(mut part) = parts.try_next().await.map_err(malformed)? {
            match part.name().unwrap_or_default() {
                "file" if file.is_none() => file = Some(File::read(&mut part, room).await?),
                "caption" if caption.is_none() => caption = Some(text(&mut part).await?),
                "dialog" if dialog.is_none() => dialog = Some(DialogId::from(text(&mut part).await?)),
                name => return Err(Problem::bad_request(format!("the form has an unknown or repeated part {name:?}"))),
            }
        }
        let file = file.ok_or_else(|| Problem::bad_request("the form has no part \"file\""))?;
        Ok(Self { file, caption, dialog })
    }

    /// The digest of this form for `resource`; different forms have different digests.
    pub(super) fn digest(&self, resource: &str) -> Digest {
        let caption = self.caption.as_deref().unwrap_or_default();
        let dialog = self.dialog.as_ref().map(DialogId::as_str).unwrap_or_default();
        let parts = [self.file.name.as_str(), self.file.file_type.as_str(), caption, dialog].map(str::as_bytes);
        Digest::of(resource, parts.into_iter().chain(self.file.pieces.iter().map(AsRef::as_ref)))
    }

    /// The file to upload. It keeps its memory until it is dropped.
    pub(super) fn into_source(self) -> UploadSource {
        let Self { file: File { file_type, pieces, memory, .. }, caption, dialog } = self;
        let size = pieces.iter().map(Bytes::len).sum::<usize>() as u64;
        let held = Arc::new((pieces, memory));
        let source = UploadSource::again(file_type, size, move || {
            let held = Arc::clone(&held);
            stream::iter(0..held.0.len()).map(move |at| Ok(held.0[at].clone()))
        });
        let source = source.caption(caption.unwrap_or_default());
        match dialog {
            Some(dialog) => source.dialog(dialog),
            None => source,
        }
    }
}

impl File {
    async fn read(part: &mut Field, room: &Room) -> Result<Self, Problem> {
        let name = part
            .content_disposition()
            .and_then(|disposition| disposition.get_filename())
            .unwrap_or_default()
            .to_owned();
        let content_type = part.content_type().map(ToString::to_string);
        let file_type = match FileType::of_name(&name) {
            Ok(file_type) => file_type,
            Err(unknown) => content_type.and_then(|name| media_type::file_type(&name)).ok_or(unknown)?,
        };
        let (mut pieces, mut memory, mut size) = (Vec::new(), room.enter(), 0);
        while let Some(piece) = part.next().await {
            let piece = piece.map_err(malformed)?;
            size += piece.len();
            if size > MAX_FILE {
                let detail = format!("the file has more than {MAX_FILE} bytes");
                return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "file-too-large", detail));
            }
            memory.grow(piece.len())?;
            pieces.push(piece);
        }
        Ok(Self { name, file_type, pieces, memory })
    }
}

async fn text(part: &mut Field) -> Result<String, Problem> {
    let read = part.bytes(MAX_TEXT).await.map_err(|_| {
        let detail = format!("a part other than the file has more than {MAX_TEXT} bytes");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", detail)
    })?;
    let bytes = read.map_err(malformed)?;
    String::from_utf8(bytes.into()).map_err(|_| Problem::bad_request("a part other than the file is not UTF-8"))
}

fn malformed(error: actix_multipart::MultipartError) -> Problem {
    use actix_multipart::MultipartError as Error;
    match error {
        Error::ContentTypeMissing | Error::ContentTypeParse | Error::ContentTypeIncompatible => {
            let detail = "the body must be multipart/form-data";
            Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-multipart", detail)
        }
        error => Problem::bad_request(error.to_string()),
    }
}
