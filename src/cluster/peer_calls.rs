//! Requests to other nodes from any thread. One task sends them, because connections to nodes belong to a thread.

use std::{sync::Arc, time::Duration};

use actix_web::http::{
    StatusCode,
    header::{self, HeaderValue},
};
use bytes::Bytes;
use http::Method;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
};
use tokio_util::task::AbortOnDropHandle;

use super::{
    peers::{PeerError, PeerRequest, read},
    trust::NodeTrust,
};

/// Requests that may wait for the task. Further callers wait.
const WAITING: usize = 64;
/// Requests that are under way at a time. Further requests wait.
const TOGETHER: usize = 256;

/// Sends requests to other nodes. Dropping it ends the requests that are under way.
pub(super) struct PeerCalls {
    calls: mpsc::Sender<PeerCall>,
    _task: AbortOnDropHandle<()>,
}

/// A request with a JSON body, and the channel for its answer.
struct PeerCall {
    address: String,
    path: &'static str,
    body: Bytes,
    within: Duration,
    /// `None` if nobody waits for the answer.
    reply: Option<oneshot::Sender<Result<(StatusCode, Bytes), PeerError>>>,
}

impl PeerCalls {
    /// Starts the task. Must be called inside an actix system.
    pub(super) fn start(trust: NodeTrust) -> Self {
        let (calls, received) = mpsc::channel(WAITING);
        Self { calls, _task: AbortOnDropHandle::new(actix_rt::spawn(run(trust, received))) }
    }

    /// Posts `body`, which is JSON, and returns the status and the body of the answer. Dropping the future ends the request.
    pub(super) async fn post(
        &self,
        address: String,
        path: &'static str,
        body: Bytes,
        within: Duration,
    ) -> Result<(StatusCode, Bytes), PeerError> {
        let (reply, answer) = oneshot::channel();
        let ending = || PeerError::NotSent("the process is ending".to_owned());
        self.calls.send(PeerCall { address, path, body, within, reply: Some(reply) }).await.map_err(|_| ending())?;
        answer.await.unwrap_or_else(|_| Err(PeerError::NoAnswer("the process is ending".to_owned())))
    }

    /// Posts `body`, which is JSON, without waiting for the answer. Dropped if too many requests wait.
    pub(super) fn tell(&self, address: String, path: &'static str, body: Bytes, within: Duration) {
        if self.calls.try_send(PeerCall { address, path, body, within, reply: None }).is_err() {
            tracing::debug!(path, "too many requests to other nodes wait; this one is dropped");
        }
    }
}

async fn run(trust: NodeTrust, mut calls: mpsc::Receiver<PeerCall>) {
    let (trust, mut under_way) = (Arc::new(trust), JoinSet::new());
    loop {
        tokio::select! {
            call = calls.recv(), if under_way.len() < TOGETHER => match call {
                Some(call) => drop(under_way.spawn_local(serve(Arc::clone(&trust), call))),
                None => return,
            },
            Some(_) = under_way.join_next() => {}
        }
    }
}

async fn serve(trust: Arc<NodeTrust>, PeerCall { address, path, body, within, reply }: PeerCall) {
    let headers = vec![(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    let request = PeerRequest { method: Method::POST, address: &address, path, headers, within };
    let asking = async {
        let answer = request.send(&trust, body).await?;
        Ok::<_, PeerError>((answer.status(), read(answer).await?))
    };
    let Some(mut reply) = reply else {
        if let Err(error) = asking.await {
            tracing::debug!(address, path, %error, "a node did not answer");
        }
        return;
    };
    let answer = tokio::select! {
        answer = asking => answer,
        () = reply.closed() => return,
    };
    // The caller may be gone.
    let _ = reply.send(answer);
}
