//! Asks all other nodes for their parts of an answer.

use std::time::Duration;

use actix_web::{
    HttpMessage as _, HttpRequest,
    http::{
        Method, StatusCode,
        header::{HeaderName, HeaderValue},
    },
    web::Bytes,
};
use futures_util::future::join_all;
use tokio::time::{Instant, timeout};

use super::{
    Neighbours,
    caller::{CALLER, ForCaller, describe},
    deadline,
};
use crate::cluster::peers::{PeerRequest, read};

/// How long another node may take to answer with its part.
pub(super) const PART_WITHIN: Duration = Duration::from_secs(2);

/// The parts of the other nodes.
#[derive(Debug, Default)]
pub(in crate::gateway) struct Parts<T> {
    pub(in crate::gateway) answered: Vec<T>,
    /// The names of the nodes that did not answer in time, or not with a part.
    pub(in crate::gateway) incomplete: Vec<String>,
}

/// Whether another node asks for the part of this one only.
pub(in crate::gateway) fn is_for_part(request: &HttpRequest) -> bool {
    request.extensions().contains::<ForCaller>()
}

/// Asks the other nodes for what `request` asks of this one, for the same caller. `parse` reads an answer; `None` if it is not
/// a part.
pub(in crate::gateway) async fn ask_others<T>(
    request: &HttpRequest,
    neighbours: &Neighbours,
    parse: impl Fn(&[u8]) -> Option<T>,
) -> Parts<T> {
    neighbours.are_known(PART_WITHIN).await;
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let caller = describe(request).map(|caller| (CALLER, caller));
    let headers = caller.into_iter().chain(deadline::passed_on(PART_WITHIN)).collect();
    ask(path, headers, neighbours, parse).await
}

/// Asks the other nodes for `path`, with these headers.
pub(super) async fn ask<T>(
    path: &str,
    headers: Vec<(HeaderName, HeaderValue)>,
    neighbours: &Neighbours,
    parse: impl Fn(&[u8]) -> Option<T>,
) -> Parts<T> {
    let view = neighbours.view();
    let (headers, parse) = (&headers, &parse);
    let asked = view.nodes.values().filter(|peer| peer.name != view.me).map(async |peer| {
        let request = PeerRequest {
            method: Method::GET,
            address: &peer.about.address,
            path,
            headers: headers.clone(),
            within: PART_WITHIN,
        };
        let asking = async {
            let began = Instant::now();
            let answered = request.send(&neighbours.trust, Bytes::new()).await;
            neighbours.forwarded.count(&answered, began.elapsed());
            let answer = answered.ok().filter(|answer| answer.status() == StatusCode::OK)?;
            parse(&read(answer).await.ok()?)
        };
        (peer.name.to_string(), timeout(PART_WITHIN, asking).await.ok().flatten())
    });
    let mut parts = Parts { answered: Vec::new(), incomplete: Vec::new() };
    for (node, part) in join_all(asked).await {
        match part {
            Some(part) => parts.answered.push(part),
            None => parts.incomplete.push(node),
        }
    }
    parts
}
