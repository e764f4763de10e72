//! A conversation's files: upload with a notice to the other side, and download ([CV-F16](crate::rules#cv-f16),
//! [FL-3](crate::rules#fl-3)). Transfers run concurrently with the commands; only the notice of a file waits in the
//! command queue.

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

use super::{
    Conversation, ConversationError, ConversationHandle, Done, HandleRequest,
    handle::MARGIN,
    messages::{Download, Upload},
};
use crate::files::{FileDownload, FileError, Storage, UploadSource};

/// How long an upload or the start of a download may take, including the wait for a reconnect.
const DEFAULT_PATIENCE: Duration = Duration::from_secs(120);

impl ConversationHandle {
    /// Uploads a file and announces it in its dialog, within two minutes ([CV-F16](crate::rules#cv-f16)).
    /// [`Done::file`] is the file as the conversation shows it.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doctests/stage.rs"));
    /// # fn main() { stage::run(async |tertulia, _| {
    /// # let ann = stage::ann(tertulia).await;
    /// # let conversation = ann.create_conversation(Default::default()).await?;
    /// # let bytes = bytes::Bytes::from_static(b"png");
    /// use tertulia_actors::files::{FileType, UploadSource};
    ///
    /// let picture = UploadSource::bytes(FileType::Png, bytes).caption("your receipt");
    /// let file = conversation.upload_file(picture).await?.file.ok_or("no file")?;
    ///
    /// let mut download = conversation.download_file(file.relative_path).await?;
    /// while let Some(piece) = download.next().await {
    ///     println!("{} bytes", piece?.len());
    /// }
    /// # Ok(())
    /// # }) }
    /// ```
    ///
    /// # Errors
    /// [`FileError`].
    pub async fn upload_file(&self, source: UploadSource) -> Result<Done, FileError> {
        let key = CommandKey::from(Uuid::now_v7().to_string());
        self.upload_file_as(key, source, DEFAULT_PATIENCE).await
    }

    /// Uploads a file and announces it under the caller's own key, within `patience` ([CV-F16](crate::rules#cv-f16)).
    /// The file's size and its notice are checked first; a broken transfer is repeated if the source allows it.
    /// Dropping the future ends the transfer.
    ///
    /// # Errors
    /// [`FileError`].
    pub async fn upload_file_as(
        &self,
        key: CommandKey,
        source: UploadSource,
        patience: Duration,
    ) -> Result<Done, FileError> {
        let deadline = Instant::now() + patience;
        let notice = self.store(source, &key, deadline).await?;
        let file = notice.file.clone();
        let left = deadline.saturating_duration_since(Instant::now());
        let done = self.perform_as(key, Command::SendFileNotice(notice), left).await?;
        Ok(Done { file: Some(Box::new(file)), ..done })
    }

    /// Uploads a file and announces it once: a second call with the same key and `digest`, even after a restart,
    /// returns the same outcome, and the other side sees one file. The notice is sent as in
    /// [`ConversationHandle::perform_durably`], within `lifetime`. A file whose notice is already known is not stored
    /// again. If the process ends between the storing and the notice, the file is stored again and the first copy is
    /// never announced.
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

    /// Stores a file and returns the command that announces it.
    async fn store(
        &self,
        source: UploadSource,
        key: &CommandKey,
        deadline: Instant,
    ) -> Result<SendFileNotice, FileError> {
        let place = self.enter().ok_or(FileError::Overloaded)?;
        let (reply, stored) = oneshot::channel();
        self.request(HandleRequest::Upload(Upload { source, key: key.clone(), deadline, reply, place }));
        answered(timeout_at((deadline + MARGIN).into(), stored).await)
    }

    /// Starts to read a file by the path in a message of the conversation ([FL-3](crate::rules#fl-3)).
    ///
    /// # Errors
    /// [`FileError`].
    pub async fn download_file(&self, relative_path: impl Into<String>) -> Result<FileDownload, FileError> {
        let place = self.enter().ok_or(FileError::Overloaded)?;
        let (reply, begun) = oneshot::channel();
        self.request(HandleRequest::Download(Download { relative_path: relative_path.into(), reply, place }));
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

    /// Checks everything that can be wrong with an upload before the first byte is sent.
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
            // The real path is unknown before the upload; any path serves to check whether the notice can be sent.
            let notice = Command::SendFileNotice(source.notice("/".to_owned()));
            notice.requests(&self.model, identity, key, limits).map_err(ConversationError::from)?;
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

    /// Runs a transfer concurrently with the commands; the conversation is not unloaded meanwhile.
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
