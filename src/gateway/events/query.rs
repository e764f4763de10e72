//! The parameters of an event stream: which events, and after which.

use std::{sync::Arc, time::Duration};

use actix_web::http::{StatusCode, header::HeaderMap};
use tertulia_actors::{
    engine::Journal,
    subscriber::{EventId, Filter},
};

use super::{
    super::{
        page,
        problem::Problem,
        state::Caller,
        words::{check, event_kind},
    },
    following::{End, Ends, Excerpt, Following, Selection, Start},
};

/// The names of the parameters.
const PARAMETERS: [&str; 5] = ["connection", "conversation", "type", "after", "limit"];
/// The position before the oldest event of the log.
const EARLIEST: &str = "earliest";
/// How long this process may take to see an event that another one has written.
const SEEN_WITHIN: Duration = Duration::from_secs(5);
/// The position after the newest event.
const LATEST: &str = "latest";

/// The parameters of an event stream.
pub(super) struct EventQuery {
    filter: Filter,
    after: Option<String>,
    /// The most events of a page; not allowed for a stream.
    limit: Option<usize>,
}

impl EventQuery {
    /// Parses the parameters. Each filter may be given several times.
    ///
    /// # Errors
    /// A parameter or an event type is unknown, or `after` is given twice.
    pub(super) fn read(parameters: Vec<(String, String)>, headers: &HeaderMap) -> Result<Self, Problem> {
        let (mut filter, mut after, mut limit) = (Filter::everything(), None, None);
        for (name, value) in parameters {
            filter = match name.as_str() {
                "connection" => filter.connection(value),
                "conversation" => filter.conversation(value),
                "type" => filter.kind(event_kind(&value)?),
                "after" if after.is_none() => {
                    after = Some(value);
                    filter
                }
                "limit" if limit.is_none() => {
                    let given = value.parse().map_err(|_| Problem::bad_request("limit is not a number"))?;
                    limit = Some(page::limit(Some(given))?);
                    filter
                }
                "after" | "limit" => return Err(Problem::bad_request(format!("{name:?} may be given only once"))),
                _ => {
                    check("parameter", &name, &PARAMETERS)?;
                    filter
                }
            };
        }
        // The header is newer than the parameter: a browser reconnects to its original address. An unreadable header
        // counts as an unknown id, because it shows that the caller had one.
        let last = headers.get("last-event-id").map(|id| String::from_utf8_lossy(id.as_bytes()).into_owned());
        let given = |id: &String| !id.is_empty();
        Ok(Self { filter, after: last.filter(given).or(after.filter(given)), limit })
    }

    /// Follows the log from the requested position.
    ///
    /// # Errors
    /// The query has a limit, which is not allowed for a stream, or the store cannot be read.
    pub(super) async fn follow(self, caller: &Caller) -> Result<Following, Problem> {
        if self.limit.is_some() {
            return Err(Problem::bad_request("limit is only for a page of events, not for a stream"));
        }
        self.open(caller).await
    }

    /// Reads a page of the log, from the requested position.
    ///
    /// # Errors
    /// The store cannot be read, or the gateway is stopping.
    pub(super) async fn excerpt(self, caller: &Caller) -> Result<Excerpt, Problem> {
        let limit = page::limit(self.limit)?;
        let newest = caller.state().everything().journal().newest();
        self.open(caller).await?.excerpt(limit, newest).await.map_err(|end| match end {
            End::Closing | End::Revoked => Problem::stopping(),
            End::Unreadable => unreadable(),
        })
    }

    /// Opens the log at the requested position.
    async fn open(self, caller: &Caller) -> Result<Following, Problem> {
        let journal = caller.state().everything().journal();
        let start = self.start(journal).await?;
        let selection = Selection { filter: self.filter, reach: caller.reach().clone() };
        let ends = Ends { gone: caller.gone().clone(), closing: caller.state().closing.clone() };
        Ok(Following::new(journal, start, selection, ends))
    }

    async fn start(&self, journal: &Arc<Journal>) -> Result<Start, Problem> {
        let newest = journal.newest();
        match self.after.as_deref() {
            None | Some(LATEST) => Ok(Start::After(newest)),
            // Without a store, the log has no events before the newest one.
            Some(EARLIEST) if !journal.keeps() => Ok(Start::After(newest)),
            Some(EARLIEST) => {
                let oldest = journal.read(|store| Ok(store.history().oldest)).await.map_err(|_| unreadable())?;
                Ok(Start::After(oldest.saturating_sub(1)))
            }
            Some(after) => Ok(match EventId::parse(after) {
                Some(id) if id.epoch == *journal.epoch() && journal.reaches(id.offset, SEEN_WITHIN).await => {
                    Start::After(id.offset)
                }
                _ => Start::Unknown { newest },
            }),
        }
    }
}

fn unreadable() -> Problem {
    let detail = "the log cannot be read now; try again";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "store-unavailable", detail)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::{super::tests::journal, *};

    fn asked(query: &[(&str, &str)], header: Option<&[u8]>) -> EventQuery {
        let mut headers = HeaderMap::new();
        if let Some(id) = header {
            headers.insert(HeaderName::from_static("last-event-id"), HeaderValue::from_bytes(id).unwrap());
        }
        let parameters = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        EventQuery::read(parameters, &headers).unwrap_or_else(|problem| panic!("{problem}"))
    }

    #[actix_rt::test]
    async fn the_header_sets_the_start_of_a_stream_before_the_parameter() {
        let journal = journal(9, &["said"; 9]).await;
        let id = |offset: u64| format!("{}-{offset}", journal.epoch());
        let start = async |query: Option<String>, header: Option<String>| {
            let query: Vec<_> = query.iter().map(|id| ("after", id.as_str())).collect();
            asked(&query, header.as_deref().map(str::as_bytes)).start(&journal).await.unwrap()
        };
        assert_eq!(start(None, None).await, Start::After(9));
        assert_eq!(start(Some(id(3)), None).await, Start::After(3));
        assert_eq!(start(Some(id(3)), Some(id(5))).await, Start::After(5));
        assert_eq!(start(Some(id(3)), Some(String::new())).await, Start::After(3));
        assert_eq!(start(Some(String::new()), None).await, Start::After(9));
        assert_eq!(start(Some(id(0)), None).await, Start::After(0));
        assert_eq!(start(Some(id(9)), None).await, Start::After(9));
        assert_eq!(start(Some("latest".to_owned()), None).await, Start::After(9));
        assert_eq!(start(Some("earliest".to_owned()), None).await, Start::After(0));
        // An id from the future: this log is not the original one, for example because it was restored from a copy.
        let unknown = [id(10), id(u64::MAX), "other-1".to_owned(), "9".to_owned(), "-".to_owned(), "é".to_owned()];
        let unknown = unknown.into_iter().chain([format!("{}-x", journal.epoch()), format!(" {}", id(1))]);
        for unknown in unknown {
            assert_eq!(start(Some(unknown.clone()), None).await, Start::Unknown { newest: 9 }, "{unknown}");
        }
        assert_eq!(start(Some(id(3)), Some("other-1".to_owned())).await, Start::Unknown { newest: 9 });
        assert_eq!(asked(&[], Some(b"\xff\xfe")).start(&journal).await.unwrap(), Start::Unknown { newest: 9 });
    }

    #[test]
    fn unknown_parameters_and_types_are_refused() {
        for parameters in [
            &[("speed", "fast")][..],
            &[("after", "e-1"), ("after", "e-2")],
            &[("limit", "1"), ("limit", "2")],
            &[("limit", "0")],
            &[("limit", "many")],
            &[("type", "mesage")],
        ] {
            let parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            assert!(EventQuery::read(parameters, &HeaderMap::new()).is_err());
        }
    }
}
