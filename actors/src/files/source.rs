//! The source of an upload's bytes. The bytes are streamed; the whole file is never in memory.

use std::{fmt, io, pin::Pin};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use serde_json::Value;
use tertulia_core::{
    command::{HostedFile, SendFileNotice},
    id::DialogId,
};

use super::FileType;

/// A file's bytes, in pieces.
pub(super) type ByteStream = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// A file to upload, and its appearance in the conversation.
pub struct UploadSource {
    pub(super) file_type: FileType,
    pub(super) size: u64,
    pub(super) content: Content,
    notice: SendFileNotice,
}

/// Whether the bytes can be read repeatedly.
pub(super) enum Content {
    /// Once: an upload that breaks off fails.
    Once(Option<ByteStream>),
    /// Any number of times.
    Again(Box<dyn Fn() -> ByteStream + Send>),
}

impl UploadSource {
    fn new(file_type: FileType, size: u64, content: Content) -> Self {
        Self { file_type, size, content, notice: SendFileNotice::default() }
    }

    /// A file of exactly `size` bytes that can be read only once, such as the body of a request. If the storage fails
    /// meanwhile, the upload fails.
    pub fn once(
        file_type: FileType,
        size: u64,
        content: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    ) -> Self {
        Self::new(file_type, size, Content::Once(Some(Box::pin(content))))
    }

    /// A file of exactly `size` bytes that can be read again from its beginning for each attempt.
    pub fn again<S>(file_type: FileType, size: u64, content: impl Fn() -> S + Send + 'static) -> Self
    where
        S: Stream<Item = io::Result<Bytes>> + Send + 'static,
    {
        Self::new(file_type, size, Content::Again(Box::new(move || Box::pin(content()))))
    }

    /// A file in memory.
    #[must_use]
    pub fn bytes(file_type: FileType, content: Bytes) -> Self {
        let size = content.len() as u64;
        Self::again(file_type, size, move || {
            let content = content.clone();
            stream::once(async move { Ok(content) })
        })
    }

    /// Sets the text shown with the file.
    #[must_use]
    pub fn caption(mut self, caption: impl Into<String>) -> Self {
        self.notice.file.caption = caption.into();
        self
    }

    /// Sets a small picture of the file as a data URI, at most
    /// [`Limits::preview_bytes`](tertulia_core::command::Limits::preview_bytes).
    #[must_use]
    pub fn preview(mut self, preview: impl Into<String>) -> Self {
        self.notice.file.preview = Some(preview.into());
        self
    }

    /// Shows the file only to agents and agent managers.
    #[must_use]
    pub fn private(mut self) -> Self {
        self.notice.private = true;
        self
    }

    /// Sets typed metadata.
    #[must_use]
    pub fn metadata(mut self, metadata: Vec<Value>) -> Self {
        self.notice.metadata = metadata;
        self
    }

    /// Publishes the file in this dialog instead of the open dialog.
    #[must_use]
    pub fn dialog(mut self, dialog: DialogId) -> Self {
        self.notice.dialog = Some(dialog);
        self
    }

    /// The announced size in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Returns the notice that announces the file at `relative_path`.
    pub(crate) fn notice(&self, relative_path: String) -> SendFileNotice {
        let notice = self.notice.clone();
        let file = HostedFile { relative_path, file_type: self.file_type.as_str().to_owned(), ..notice.file };
        SendFileNotice { file, ..notice }
    }
}

impl fmt::Debug for UploadSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UploadSource({} of {} bytes)", self.file_type, self.size)
    }
}

impl Content {
    /// Returns the bytes from the beginning, if they can be read.
    pub(super) fn begin(&mut self) -> Option<ByteStream> {
        match self {
            Self::Once(content) => content.take(),
            Self::Again(begin) => Some(begin()),
        }
    }

    pub(super) fn can_begin(&self) -> bool {
        !matches!(self, Self::Once(None))
    }
}

/// What is wrong with the bytes of an upload.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    #[error("cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    #[error("{0} bytes so far")]
    OtherSize(u64),
}

/// Checks that the bytes are exactly `size`. With fewer bytes the storage would wait for the rest, and with more the
/// file would be cut.
pub(super) fn measured(content: ByteStream, size: u64) -> impl Stream<Item = Result<Bytes, SourceError>> {
    stream::unfold((content, Some(0)), move |(mut content, read)| async move {
        // Nothing follows an error.
        let read = read?;
        let piece = match content.next().await {
            Some(Ok(bytes)) => {
                let read = read + bytes.len() as u64;
                if read <= size {
                    return Some((Ok(bytes), (content, Some(read))));
                }
                SourceError::OtherSize(read)
            }
            Some(Err(error)) => SourceError::Unreadable(error),
            None if read == size => return None,
            None => SourceError::OtherSize(read),
        };
        Some((Err(piece), (content, None)))
    })
}
