//! A transfer: gets an address from the platform, sends or reads the bytes, and repeats what may be repeated.

use std::time::Duration;

use actix::Recipient;
use futures_util::StreamExt;
use tertulia_core::{
    id::ConversationId,
    ums::{AnswerError, Dialect, DownloadUrlRequest, FileSize, Request, SignedUrl, UploadUrlRequest},
};
use tokio::{
    sync::{mpsc, oneshot},
    time::{sleep, timeout},
};

use super::{
    FileDownload, FileError, UploadSource,
    download::{WAITING, file_name},
    source::{SourceError, measured},
};
use crate::{
    platform::{HttpError, PlatformClient, StoreFailure},
    request::{Ask, Lane, RequestError},
};

/// The most attempts of one transfer if the storage fails.
const TRIES: u32 = 3;
/// The pause before the next attempt, and before the next request for an address.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Access to the platform's storage, by requests of one connection.
pub(crate) struct Storage {
    pub(crate) client: PlatformClient,
    pub(crate) requests: Recipient<Ask>,
    pub(crate) conversation: ConversationId,
    pub(crate) dialect: Dialect,
}

/// Decides whether an attempt may be repeated.
#[derive(Default)]
struct Tries {
    made: u32,
    renewed: bool,
}

/// How to continue after a failure.
enum Next {
    /// With a new address, because this one is used up ([§5.10](crate::protocol#510)).
    Renew,
    /// With the same address.
    Repeat,
    GiveUp,
}

impl Tries {
    fn after(&mut self, failure: &HttpError) -> Next {
        self.made += 1;
        match failure.status() {
            Some(401 | 403) if !self.renewed => {
                self.renewed = true;
                Next::Renew
            }
            None | Some(408 | 429 | 500..) if self.made < TRIES => Next::Repeat,
            _ => Next::GiveUp,
        }
    }
}

impl Storage {
    /// Stores a file and returns its path. Waits for a connection that is not ready; the caller sets the deadline.
    pub(crate) async fn upload(&self, mut source: UploadSource) -> Result<String, FileError> {
        let UploadSource { file_type, size, .. } = source;
        let wanted = Request::UploadUrl(UploadUrlRequest {
            file_size: FileSize::new(size, self.dialect),
            file_type: file_type.as_str().to_owned(),
        });
        let mut tries = Tries::default();
        let mut url = self.address(&wanted).await?;
        loop {
            let Some(content) = source.content.begin() else {
                return Err(FileError::Unreadable("it can be read only once".to_owned()));
            };
            let failure = match self.client.store(&url, size, measured(content, size)).await {
                Ok(()) => return Ok(url.relative_path),
                Err(StoreFailure::Source(error)) => return Err(at_fault(&error, size)),
                Err(StoreFailure::Storage(failure)) => failure,
            };
            match tries.after(&failure) {
                _ if !source.content.can_begin() => return Err(failure.into()),
                Next::Renew => url = self.address(&wanted).await?,
                Next::Repeat => sleep(AGAIN_AFTER).await,
                Next::GiveUp => return Err(failure.into()),
            }
        }
    }

    /// Starts to read a file, replies, and passes its pieces on until the last one or until the reader is dropped.
    pub(crate) async fn download(
        &self,
        relative_path: String,
        mut reply: oneshot::Sender<Result<FileDownload, FileError>>,
    ) {
        let stored = tokio::select! {
            stored = self.stored(&relative_path) => stored,
            // Nobody waits any more.
            () = reply.closed() => return,
        };
        let stored = match stored {
            Ok(stored) => stored,
            Err(error) => {
                let _ = reply.send(Err(error));
                return;
            }
        };
        let (sender, pieces) = mpsc::channel(WAITING);
        let download = FileDownload { size: stored.size, file_name: file_name(&relative_path), pieces };
        if reply.send(Ok(download)).is_err() {
            return;
        }
        let patience = self.client.transfer_timeout();
        let mut content = stored.content;
        while let Some(piece) = content.next().await {
            let failed = piece.is_err();
            let taken = timeout(patience, sender.send(piece.map_err(FileError::from))).await;
            if failed || !matches!(taken, Ok(Ok(()))) {
                return;
            }
        }
    }

    async fn stored(&self, relative_path: &str) -> Result<crate::platform::StoredFile, FileError> {
        let wanted = Request::DownloadUrl(DownloadUrlRequest { relative_path: relative_path.to_owned() });
        let mut tries = Tries::default();
        let mut url = self.address(&wanted).await?;
        loop {
            let failure = match self.client.stored(&url).await {
                Ok(stored) => return Ok(stored),
                Err(failure) => failure,
            };
            match tries.after(&failure) {
                Next::Renew => url = self.address(&wanted).await?,
                Next::Repeat => sleep(AGAIN_AFTER).await,
                Next::GiveUp => return Err(failure.into()),
            }
        }
    }

    /// Requests the address for the bytes. The request changes nothing, so it is repeated until it succeeds.
    async fn address(&self, wanted: &Request) -> Result<SignedUrl, RequestError> {
        loop {
            let (reply, answer) = oneshot::channel();
            let conversation = Some(self.conversation.clone());
            let ask = Ask::new(wanted.clone(), Lane::Command, reply);
            self.requests.do_send(Ask { conversation, urgent: false, ..ask });
            let answer = answer.await.unwrap_or(Err(RequestError::ConnectionLost));
            match answer.and_then(|answer| answer.read(|response| response.signed_url())) {
                Err(failure) if may_pass(&failure) => sleep(AGAIN_AFTER).await,
                outcome => return outcome,
            }
        }
    }
}

fn may_pass(failure: &RequestError) -> bool {
    match failure {
        RequestError::NotConnected
        | RequestError::Overloaded
        | RequestError::Paused { .. }
        | RequestError::ConnectionLost
        | RequestError::ClosedOverContent { .. }
        | RequestError::TimedOut => true,
        RequestError::Answer(error @ AnswerError::Refused { .. }) => error.is_transient(),
        RequestError::Answer(_) | RequestError::NotSupported(_) | RequestError::Unwritable(_) => false,
    }
}

fn at_fault(error: &SourceError, expected: u64) -> FileError {
    match error {
        SourceError::OtherSize(found) => FileError::OtherSize { expected, found: *found },
        SourceError::Unreadable(error) => FileError::Unreadable(error.to_string()),
    }
}
