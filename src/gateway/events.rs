//! `/v1/events`: what happens, as Server-Sent Events (interfaces §4), from any place of the log on.
//!
//! Every event is durable before it is sent. A caller who comes back with the id of the last event that they saw goes on
//! behind it, also after a restart; one who reads slowly is served from the store and holds nobody up.

use std::{convert::Infallible, sync::Arc, time::Duration};

use actix_web::{
    HttpRequest, HttpResponse, get,
    http::{StatusCode, header},
    web::{Bytes, Data, Query},
};
use futures_util::stream;
use serde_json::json;
use tertulia_actors::{
    engine::{LogBatch, LogReader},
    subscriber::{EventId, Filter},
};
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, Interval, MissedTickBehavior, interval_at},
};
use tokio_util::sync::CancellationToken;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{problem::Problem, state::State};

/// How often something is sent when nothing happens, so that whoever is between does not take the stream for dead.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(15);

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(follow);
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

/// What happens, as Server-Sent Events, from any place of the log on.
#[utoipa::path(
    tag = "events",
    params(
        ("connection" = Option<Vec<String>>, Query, description = "Only of these connections"),
        ("conversation" = Option<Vec<String>>, Query, description = "Only of these conversations"),
        ("type" = Option<Vec<String>>, Query, description = "Only of these types"),
        ("after" = Option<String>, Query, description = "The id of the last event that was seen"),
        ("Last-Event-ID" = Option<String>, Header, description = "As `after`, and before it"),
    ),
    responses((status = 200, description = "Events", body = String, content_type = "text/event-stream"))
)]
#[get("/events")]
async fn follow(
    state: Data<State>,
    request: HttpRequest,
    parameters: Query<Vec<(String, String)>>,
) -> Result<HttpResponse, Problem> {
    let Asked { filter, after } = Asked::read(parameters.into_inner(), request.headers())?;
    let place = Arc::clone(&state.streams).try_acquire_owned().map_err(|_| {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too-many-streams", "too many event streams are open")
    })?;
    let journal = state.tertulia.journal();
    let (after, unknown) = match after.as_deref().map(EventId::parse) {
        None => (journal.newest(), false),
        Some(Some(id)) if id.epoch == *journal.epoch() => (id.offset, false),
        // Of another log, or of none.
        Some(_) => (journal.newest(), true),
    };
    let mut heartbeat = interval_at(Instant::now() + HEARTBEAT_EVERY, HEARTBEAT_EVERY);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let following = Following {
        log: journal.reader(after),
        epoch: Arc::clone(journal.epoch()),
        filter,
        unknown,
        greeted: false,
        heartbeat,
        closing: state.closing.clone(),
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
    log: LogReader,
    epoch: Arc<str>,
    filter: Filter,
    /// The caller came with a cursor that is none of this log's, and was not told yet.
    unknown: bool,
    /// The caller knows already that nothing is missed from here on.
    greeted: bool,
    heartbeat: Interval,
    closing: CancellationToken,
    _place: OwnedSemaphorePermit,
}

impl Following {
    /// The next piece of the stream; `None` when the gateway ends or the log cannot be read.
    async fn next(&mut self) -> Option<Bytes> {
        if std::mem::take(&mut self.unknown) {
            return Some(self.gap(None));
        }
        if !std::mem::replace(&mut self.greeted, true) {
            return Some(self.sign_of_life());
        }
        loop {
            let batch = tokio::select! {
                biased;
                () = self.closing.cancelled() => return None,
                batch = self.log.next() => batch,
                _ = self.heartbeat.tick() => return Some(self.sign_of_life()),
            };
            let mut text = Vec::new();
            match batch {
                Ok(Some(LogBatch::Events(events))) => {
                    for event in events.iter().filter(|event| self.filter.takes(event)) {
                        text.extend_from_slice(format!("id: {}-{}\ndata: ", self.epoch, event.offset).as_bytes());
                        text.extend_from_slice(&event.json);
                        text.extend_from_slice(b"\n\n");
                    }
                }
                Ok(Some(LogBatch::Forgotten { events })) => return Some(self.gap(Some(events))),
                Ok(None) => return None,
                Err(error) => {
                    tracing::error!(%error, "an event stream ends");
                    return None;
                }
            }
            if !text.is_empty() {
                return Some(text.into());
            }
        }
    }

    /// A comment. It carries the cursor past what the filter kept out.
    fn sign_of_life(&self) -> Bytes {
        format!("id: {}\n: heartbeat\n\n", self.cursor()).into()
    }

    fn cursor(&self) -> EventId {
        EventId { epoch: Arc::clone(&self.epoch), offset: self.log.after() }
    }

    /// Tells that events before the next one are missing, how many where it is known, and where to read what is.
    fn gap(&self, missed: Option<u64>) -> Bytes {
        let id = self.cursor().to_string();
        let data = json!({
            "specversion": "1.0",
            "id": id,
            "source": "/v1/events",
            "type": "tertulia.gap",
            "time": jiff::Timestamp::now().to_string(),
            "datacontenttype": "application/json",
            "data": { "missed": missed, "snapshot": "/v1/conversations" },
        });
        format!("id: {id}\ndata: {data}\n\n").into()
    }
}
