//! `tertulia backup`: a copy of the store of a running service.

use std::{
    ffi::OsString,
    fs::{self, DirBuilder, File},
    io::{self, Write as _},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context as _, anyhow, ensure};
use awc::http::Method;
use futures_util::StreamExt as _;
use indicatif::{HumanBytes, ProgressBar};
use tertulia_actors::engine::Store as _;
use tokio::{task::LocalSet, time::timeout};

use super::{
    gateway::{ANSWER_WITHIN, GatewayOptions, refusal},
    interrupt::Interrupt,
};
use crate::{archive::Unpacking, engine::embedded::EmbeddedStore};

/// The longest wait for the service to make its copy, and between two pieces of the copy.
const SILENCE: Duration = Duration::from_secs(60 * 60);

/// The service to copy from, and the target.
#[derive(Debug, clap::Args)]
#[command(after_help = "To restore, set engine.path to the directory or to a copy of it.\n\n\
                        Example:\n  tertulia backup /var/backups/tertulia-monday")]
pub struct BackupOptions {
    /// The directory to create; it may exist if it is empty
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
    /// Where the service is, and the token to use.
    #[command(flatten)]
    pub gateway: GatewayOptions,
}

/// Copies the store of a running service. On failure the target directory is not created.
pub(super) fn execute(options: &BackupOptions) -> anyhow::Result<ExitCode> {
    let target = &options.directory;
    let is_free = fs::read_dir(target)
        .map_or_else(|error| error.kind() == io::ErrorKind::NotFound, |mut entries| entries.next().is_none());
    ensure!(is_free, "{} is not an empty directory", target.display());
    let draft = Draft::beside(target)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let bytes = LocalSet::new().block_on(&runtime, async {
        let mut interrupt = Interrupt::listen().context("cannot listen for signals")?;
        tokio::select! {
            outcome = fetch(&options.gateway, &draft.0) => outcome,
            () = interrupt.received() => Err(anyhow!("interrupted; the partial copy was deleted")),
        }
    })?;
    // Opening the copy checks it now rather than when it is needed.
    let store = EmbeddedStore::open(&draft.0).context("the copy cannot be opened as a store")?;
    let history = store.history();
    drop(store);
    fs::rename(&draft.0, target).with_context(|| format!("cannot create {}", target.display()))?;
    if let Some(around) = target.canonicalize()?.parent() {
        File::open(around)?.sync_all()?;
    }
    let (size, target) = (HumanBytes(bytes), target.display());
    writeln!(
        io::stdout(),
        "{target}: {size}, events {} to {} of the log {}",
        history.oldest,
        history.newest,
        history.epoch
    )?;
    Ok(ExitCode::SUCCESS)
}

/// A directory that is being filled; removed on drop unless it was renamed to its final name.
struct Draft(PathBuf);

impl Draft {
    fn beside(target: &Path) -> anyhow::Result<Self> {
        let mut name = target.file_name().map(OsString::from).context("the backup's path has no directory name")?;
        name.push(".partial");
        let path = target.with_file_name(name);
        if let Err(error) = fs::remove_dir_all(&path)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(error).with_context(|| format!("cannot remove {}", path.display()));
        }
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&path);
        made.with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // After the rename nothing has this path.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Fetches the archive, unpacks it into `directory` and returns its size in bytes.
async fn fetch(gateway: &GatewayOptions, directory: &Path) -> anyhow::Result<u64> {
    let address = gateway.address("/v1/backup");
    let client = gateway.client()?;
    let sent = timeout(ANSWER_WITHIN, gateway.request(&client, Method::POST, &address).send()).await;
    let sent = sent.map_err(|_| anyhow!("{address} does not answer"))?;
    let mut response = sent.map_err(|error| anyhow!("the request to {address} failed: {error}"))?;
    if !response.status().is_success() {
        return Err(anyhow!(refusal(&address, response).await));
    }
    let progress = ProgressBar::new_spinner();
    progress.enable_steady_tick(Duration::from_millis(200));
    let mut unpacking = Unpacking::into(directory);
    let mut bytes = 0;
    loop {
        let piece =
            timeout(SILENCE, response.next()).await.map_err(|_| anyhow!("{address} stopped sending the backup"))?;
        let Some(piece) = piece else { break };
        let piece = piece.map_err(|error| anyhow!("the backup broke off; the service's log says why: {error}"))?;
        unpacking.take(&piece)?;
        bytes += piece.len() as u64;
        progress.set_message(HumanBytes(bytes).to_string());
    }
    unpacking.finish()?;
    progress.finish_and_clear();
    Ok(bytes)
}
