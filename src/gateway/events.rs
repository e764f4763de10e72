//! `/v1/events`: what happens, as Server-Sent Events (interfaces §4), live.
//!
//! Nothing is kept yet to resume from: whoever comes with a cursor is told by a gap that something may be missing.

use std::{convert::Infallible, sync::Arc, time::Duration};

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web::{self, Bytes, Data, Query, ServiceConfig},
};
use futures_util::stream;
use serde_json::json;
use tertulia_actors::subscriber::{Event, EventStream, Filter, Lagged};
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Interval, MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use super::{problem::Problem, state::State};

/// How often something is sent when nothing happens, so that whoever is between does not take the stream for dead.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(15);
/// Events that wait for a caller who reads slowly. Beyond it they are dropped, and a gap tells of it.
const CAPACITY: usize = 16_384;

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(web::resource("/events").get(follow));
}

/// What a caller asks for.
struct Asked {
    filter: Filter,
    after: Option<String>,
}

impl Asked {
    /// Each filter may be given several times.
    fn read(parameters: Vec<(String, String)>, headers: &header::HeaderMap) -> Result<Self, Problem> {
        let last = headers.get("last-event-id").and_then(|id| id.to_str().ok());
        let mut asked = Self { filter: Filter::everything(), after: last.map(str::to_owned) };
        for (name, value) in parameters {
            asked.filter = match name.as_str() {
                "connection" => asked.filter.connection(value),
                "conversation" => asked.filter.conversation(value),
                "type" => asked.filter.kind(&value),
                "after" => {
                    // The header is newer: a browser reconnects to the address that it began with.
                    asked.after.get_or_insert(value);
                    asked.filter
                }
                _ => {
                    return Err(Problem::bad_request(format!(
                        "{name:?} is none of connection, conversation, type, after"
                    )));
                }
            };
        }
        Ok(asked)
    }
}

async fn follow(
    state: Data<State>,
    request: HttpRequest,
    parameters: Query<Vec<(String, String)>>,
) -> Result<HttpResponse, Problem> {
    let Asked { filter, after } = Asked::read(parameters.into_inner(), request.headers())?;
    let place = Arc::clone(&state.streams).try_acquire_owned().map_err(|_| {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too-many-streams", "too many event streams are open")
    })?;
    let mut heartbeat = interval(HEARTBEAT_EVERY);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let following = Following {
        events: state.tertulia.events_within(filter, CAPACITY),
        heartbeat,
        closing: state.closing.clone(),
        resume: after.clone(),
        last: after,
        _place: place,
    };
    let body = stream::unfold(following, |mut following| async {
        let chunk = following.next().await?;
        Some((Ok::<_, Infallible>(chunk), following))
    });
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/event-stream"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header(("x-accel-buffering", "no"))
        .streaming(body))
}

/// One caller's stream.
struct Following {
    events: EventStream,
    heartbeat: Interval,
    closing: CancellationToken,
    /// The cursor that the caller came with, until it is answered.
    resume: Option<String>,
    /// The cursor behind what was sent.
    last: Option<String>,
    _place: OwnedSemaphorePermit,
}

impl Following {
    /// The next piece of the stream; `None` when the gateway or the system ends.
    async fn next(&mut self) -> Option<Bytes> {
        if self.resume.take().is_some() {
            return Some(self.gap(None));
        }
        tokio::select! {
            biased;
            () = self.closing.cancelled() => None,
            event = self.events.next() => match event? {
                Ok(event) => Some(self.event(&event)),
                Err(Lagged { missed }) => Some(self.gap(Some(missed))),
            },
            // The first one comes at once: the caller then knows that nothing is missed from here on.
            _ = self.heartbeat.tick() => Some(Bytes::from_static(b": heartbeat\n\n")),
        }
    }

    fn event(&mut self, event: &Event) -> Bytes {
        let id = event.id.to_string();
        // Names and values of an event are always JSON.
        let data = serde_json::to_string(event).unwrap_or_default();
        let text = format!("id: {id}\ndata: {data}\n\n");
        self.last = Some(id);
        text.into()
    }

    /// Tells that events after the last one may be missing, how many where it is known, and where to read what is. It
    /// is no place to resume from, so it leaves the reader's cursor as it is.
    fn gap(&self, missed: Option<u64>) -> Bytes {
        let data = json!({
            "specversion": "1.0",
            "id": self.last.as_deref().unwrap_or("0-0"),
            "source": "/v1/events",
            "type": "tertulia.gap",
            "time": jiff::Timestamp::now().to_string(),
            "datacontenttype": "application/json",
            "data": { "missed": missed, "snapshot": "/v1/conversations" },
        });
        format!("data: {data}\n\n").into()
    }
}
