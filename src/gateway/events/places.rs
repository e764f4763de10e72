//! The number of event streams, and its limit.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use actix_web::http::StatusCode;
use futures_util::Stream;
use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::super::{
    clients::{Busy, Client},
    problem::Problem,
};

/// Places for event streams.
pub(in super::super) struct Places {
    free: Arc<Semaphore>,
    limit: usize,
    taken: Gauge,
}

/// One caller's place; dropping it frees the place.
pub(super) struct StreamPermit {
    taken: Gauge,
    _permit: OwnedSemaphorePermit,
}

impl Places {
    /// `limit` places; `taken` counts the occupied places.
    pub(in super::super) fn new(limit: usize, taken: Gauge) -> Self {
        Self { free: Arc::new(Semaphore::new(limit)), limit, taken }
    }

    /// Takes a place.
    ///
    /// # Errors
    /// All places are taken.
    pub(super) fn take(&self) -> Result<StreamPermit, Problem> {
        let permit = Arc::clone(&self.free).try_acquire_owned().map_err(|_| {
            let detail = format!("{} event streams are open, which is the limit", self.limit);
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too-many-streams", detail)
        })?;
        self.taken.inc();
        Ok(StreamPermit { taken: self.taken.clone(), _permit: permit })
    }
}

impl StreamPermit {
    /// Holds the place until `stream` is dropped or `client` has closed their side.
    pub(super) fn hold<S>(self, stream: S, client: Option<&Client>) -> Held<S> {
        let busy = client.map(Client::asks);
        let silent = client.map(|client| Box::pin(client.silent.clone().cancelled_owned()));
        Held { stream: Box::pin(stream), silent, _busy: busy, _place: self }
    }
}

impl Drop for StreamPermit {
    fn drop(&mut self) {
        self.taken.dec();
    }
}

/// A stream with its place.
pub(super) struct Held<S> {
    stream: Pin<Box<S>>,
    /// Completes when the caller will send no more, which is how a caller of a stream leaves.
    silent: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    _busy: Option<Busy>,
    _place: StreamPermit,
}

impl<S: Stream> Stream for Held<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<S::Item>> {
        if self.silent.as_mut().is_some_and(|silent| silent.as_mut().poll(context).is_ready()) {
            return Poll::Ready(None);
        }
        self.stream.as_mut().poll_next(context)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    /// Each place serves one stream for the stream's lifetime.
    #[test]
    fn a_caller_without_a_place_is_refused() {
        let taken = Gauge::default();
        let places = Places::new(1, taken.clone());
        let held = places.take().map(|place| place.hold(stream::pending::<()>(), None));
        assert!(held.is_ok() && places.take().is_err());
        assert_eq!(taken.get(), 1);
        drop(held);
        assert!(places.take().is_ok());
        assert_eq!(taken.get(), 0);
    }
}
