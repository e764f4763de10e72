//! A conversation's files: uploaded and told of, or read ([CV-F16](crate::rules#cv-f16), [FL-3](crate::rules#fl-3)).
//! Transfers go beside the commands; only the notice of a file waits its turn among them.

use std::time::{Duration, Instant};

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use tertulia_core::{
    command::{Command, HostedFile, SendFileNotice},
    id::CommandKey,
};
use tokio::{
    sync::oneshot,
    time::{timeout, timeout_at},
};
use uuid::Uuid;

use super::{CommandFailure, Conversation, ConversationHandle, Done, HandleRequest, handle::MARGIN};
use crate::{
    files::{FileDownload, FileError, Storage, UploadSource},
    supervision::DepthPermit,
};

/// How long an upload or the beginning of a download may take, waiting for a reconnect included.
const DEFAULT_PATIENCE: Duration = Duration::from_secs(120);

/// A file that was uploaded and told of.
#[derive(Clone, Debug)]
pub struct Uploaded {
    /// The file as the conversation shows it.
    pub file: HostedFile,
    /// What became of its notice.
    pub done: Done,
}

/// A file to store; the answer is the command that tells of it.
pub(crate) struct Upload {
    source: UploadSource,
    key: CommandKey,
    deadline: Instant,
    reply: oneshot::Sender<Result<SendFileNotice, FileError>>,
    place: DepthPermit,
}

/// A file to read.
pub(crate) struct Download {
    relative_path: String,
    reply: oneshot::Sender<Result<FileDownload, FileError>>,
    place: DepthPermit,
}

impl ConversationHandle {
    /// Uploads a file and tells of it in its dialog ([CV-F16](crate::rules#cv-f16)), within two minutes.
    ///
    /// # Errors
    /// [`FileError`].
    pub async fn upload_file(&self, source: UploadSource) -> Result<Uploaded, FileError> {
        let key = CommandKey::from(Uuid::now_v7().to_string());
        self.upload_file_as(key, source, DEFAULT_PATIENCE).await
    }

    /// Uploads a file and tells of it under the caller's own key ([CV-F16](crate::rules#cv-f16)), within `patience`.
    /// The file's size and what is known of its notice are checked before; a broken transfer is begun again where the
    /// source allows it. Dropping the future ends the transfer.
    ///
    /// # Errors
    /// [`FileError`].
    pub async fn upload_file_as(
        &self,
        key: CommandKey,
        source: UploadSource,
        patience: Duration,
    ) -> Result<Uploaded, FileError> {
        let deadline = Instant::now() + patience;
        let notice = self.store(source, &key, deadline).await?;
        let file = notice.file.clone();
        let left = deadline.saturating_duration_since(Instant::now());
        let done = self.perform_as(key, Command::SendFileNotice(notice), left).await?;
        Ok(Uploaded { file, done })
    }

    /// Uploads a file and tells of it so that whoever asks again with the same key and `digest`, after a restart too,
    /// gets the same answer, and the other side hears of one file: [`ConversationHandle::perform_durably`] for the
    /// notice, which `lifetime` is for. A file whose notice is known already is not stored again; one that was stored
    /// just before the process ended is, and what it left on the storage is never told of.
    ///
    /// # Errors
    /// [`FileError`].
    pub async fn upload_file_durably(
        &self,
        key: CommandKey,
        digest: &str,
        source: UploadSource,
        lifetime: Duration,
        patience: Duration,
    ) -> Result<Done, FileError> {
        let deadline = Instant::now() + patience;
        if let Some(known) = self.recall(&key, digest, lifetime, patience).await {
            return Ok(known?);
        }
        let notice = Command::SendFileNotice(self.store(source, &key, deadline).await?);
        let left = deadline.saturating_duration_since(Instant::now());
        Ok(self.perform_durably(key, digest, notice, lifetime, left).await?)
    }

    /// Stores a file; the answer is what tells of it.
    async fn store(
        &self,
        source: UploadSource,
        key: &CommandKey,
        deadline: Instant,
    ) -> Result<SendFileNotice, FileError> {
        let place = self.enter().ok_or(FileError::Overloaded)?;
        let (reply, stored) = oneshot::channel();
        self.wish(HandleRequest::Upload(Upload { source, key: key.clone(), deadline, reply, place }));
        answered(timeout_at((deadline + MARGIN).into(), stored).await)
    }

    /// Begins to read a file by the path that a message of the conversation gives ([FL-3](crate::rules#fl-3)).
    ///
    /// # Errors
    /// [`FileError`].
    pub async fn download_file(&self, relative_path: impl Into<String>) -> Result<FileDownload, FileError> {
        let place = self.enter().ok_or(FileError::Overloaded)?;
        let (reply, begun) = oneshot::channel();
        self.wish(HandleRequest::Download(Download { relative_path: relative_path.into(), reply, place }));
        answered(timeout(DEFAULT_PATIENCE, begun).await)
    }
}

type Answered<T> = Result<Result<Result<T, FileError>, oneshot::error::RecvError>, tokio::time::error::Elapsed>;

fn answered<T>(answer: Answered<T>) -> Result<T, FileError> {
    match answer {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => Err(FileError::UnknownConversation),
        Err(_) => Err(FileError::TimedOut),
    }
}

impl Conversation {
    fn storage(&self) -> Result<Storage, FileError> {
        let (client, requests) = (self.upstream.client.clone(), self.upstream.requests.clone());
        let conversation = self.id().clone();
        Ok(Storage { client, requests, conversation, dialect: self.upstream.settings.dialect })
    }

    /// Looks at everything that can be wrong with an upload before a byte of it goes out.
    fn check_upload(&self, source: &UploadSource, key: &CommandKey) -> Result<Storage, FileError> {
        let limits = &self.upstream.settings.limits;
        let (size, limit) = (source.size(), limits.file_bytes);
        if size == 0 {
            return Err(FileError::Empty);
        }
        if size > limit {
            return Err(FileError::TooLarge { size, limit });
        }
        if let Some(identity) = &self.ready {
            // The path is not known yet; any will do to see whether the notice can be sent.
            let notice = Command::SendFileNotice(source.notice("/".to_owned()));
            notice.requests(&self.model, identity, key, limits).map_err(CommandFailure::from)?;
        }
        self.storage()
    }
}

impl Conversation {
    pub(super) fn begin_upload(&mut self, upload: Upload, ctx: &mut Context<Self>) {
        let Upload { source, key, deadline, mut reply, place } = upload;
        let storage = match self.check_upload(&source, &key) {
            Ok(storage) => storage,
            Err(error) => {
                let _ = reply.send(Err(error));
                return;
            }
        };
        let transfer = async move {
            let _place = place;
            let notice = source.notice(String::new());
            let stored = tokio::select! {
                stored = timeout_at(deadline.into(), storage.upload(source)) => stored,
                // Nobody waits any more.
                () = reply.closed() => return,
            };
            let _ = reply.send(stored.unwrap_or(Err(FileError::TimedOut)).map(|relative_path| {
                let file = HostedFile { relative_path, ..notice.file };
                SendFileNotice { file, ..notice }
            }));
        };
        self.transfer(transfer, ctx);
    }

    /// Carries a transfer out beside the commands; the conversation does not sleep meanwhile.
    fn transfer(&mut self, transfer: impl Future<Output = ()> + 'static, ctx: &mut Context<Self>) {
        self.transfers += 1;
        ctx.spawn(transfer.into_actor(self).map(|(), conversation, _| conversation.transfers -= 1));
    }

    pub(super) fn begin_download(&mut self, download: Download, ctx: &mut Context<Self>) {
        let Download { relative_path, reply, place } = download;
        match self.storage() {
            Ok(storage) => {
                let transfer = async move {
                    let _place = place;
                    storage.download(relative_path, reply).await;
                };
                self.transfer(transfer, ctx);
            }
            Err(error) => {
                let _ = reply.send(Err(error));
            }
        }
    }
}
