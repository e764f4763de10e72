//! `/v1/backup`: a consistent copy of the store while the service runs.

use std::{io, sync::Arc};

use actix_web::{HttpResponse, http::StatusCode, http::header, post, rt};
use bytes::Bytes;
use futures_util::stream;
use tertulia_actors::engine::Journal;
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc},
    task::spawn_blocking,
};
use utoipa_actix_web::service_config::ServiceConfig;

use super::{problem::Problem, state::Caller};
use crate::archive;

/// Pieces of an archive that may wait for the caller.
const PIECES: usize = 4;

type Pieces = mpsc::Sender<io::Result<Bytes>>;

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(backup);
}

/// Copies the store while the service runs; needs a token with the scope `admin` that reaches every
/// connection. The response is a tar archive of a
/// directory from which a service can start. The response begins once the copy is made; an archive that ends without an
/// error is complete. The copy holds everything that was answered before the request, including the webhooks' secrets.
#[utoipa::path(
    operation_id = "takeBackup",
    tag = "service",
    responses((status = 200, description = "The archive", body = String, content_type = "application/x-tar"))
)]
#[post("/backup")]
async fn backup(caller: Caller) -> Result<HttpResponse, Problem> {
    let journal = Arc::clone(caller.administer()?.journal());
    if !journal.keeps() {
        return Err(Problem::new(StatusCode::CONFLICT, "nothing-kept", "the service has no store to copy"));
    }
    let turn = Arc::clone(&caller.state().backups).try_acquire_owned().map_err(|_| {
        let problem = Problem::new(StatusCode::CONFLICT, "backup-under-way", "another backup is being made");
        problem.header(header::RETRY_AFTER, "10")
    })?;
    let (pieces, taken) = mpsc::channel(PIECES);
    // Ends when the caller is gone, because then the channel is closed.
    rt::spawn(send(journal, pieces, turn));
    let body = stream::unfold(taken, |mut taken| async { taken.recv().await.map(|piece| (piece, taken)) });
    Ok(HttpResponse::Ok().content_type("application/x-tar").streaming(body))
}

/// Makes a copy and sends it. On failure the response ends with an error, so that a caller does not mistake a part for
/// the whole.
async fn send(journal: Arc<Journal>, pieces: Pieces, _turn: OwnedSemaphorePermit) {
    let sent = match journal.copy().await {
        Ok(copy) => {
            let pieces = pieces.clone();
            let write = move || {
                let gone = |_| io::Error::new(io::ErrorKind::BrokenPipe, "the caller is gone");
                archive::write(copy.directory(), &mut |piece| pieces.blocking_send(Ok(piece)).map_err(gone))
            };
            spawn_blocking(write).await.unwrap_or_else(|error| Err(io::Error::other(error)))
        }
        Err(error) => Err(io::Error::other(error)),
    };
    match sent {
        Ok(()) => tracing::info!("a backup was sent"),
        Err(error) => {
            tracing::error!(%error, "a backup broke off");
            // The caller may be gone.
            let _ = pieces.send(Err(error)).await;
        }
    }
}
