//! Exports spans to an OpenTelemetry collector, with OTLP over HTTP and protobuf (`[telemetry]`).
//!
//! Ended spans wait in a queue of limited length for a separate thread, which sends them in batches. If the queue is
//! full, spans are dropped and counted. A slow or dead collector delays nothing else.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use actix_tls::connect::Connector;
use actix_web::http::Method;
use awc::Client;
use opentelemetry::{Context, trace::TracerProvider as _};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{
        BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracer, SdkTracerProvider, Span, SpanData, SpanExporter,
        SpanProcessor,
    },
};
use tertulia_actors::platform::Platform;
use tokio::{
    sync::{mpsc, oneshot},
    task::spawn_blocking,
    time::timeout,
};
use tokio_util::task::AbortOnDropHandle;
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::{Layer, filter::filter_fn, registry::LookupSpan};

use super::is_own;
use crate::config::Telemetry;

/// The most spans in the queue.
const WAITING: usize = 2_048;
/// The most spans in one batch.
const TOGETHER: usize = 512;
/// How long a span waits for others in the same batch.
const GATHER: Duration = Duration::from_secs(5);
/// How long the collector may take to respond.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// How long an idle connection is kept.
const IDLE: Duration = Duration::from_secs(15);
/// The largest response that is read, in bytes.
const MAX_ANSWER: usize = 64 * 1_024;
/// The most batches being sent.
const ON_THE_WAY: usize = 4;

static ENDED: AtomicU64 = AtomicU64::new(0);
static EXPORTED: AtomicU64 = AtomicU64::new(0);
static FAILED: AtomicU64 = AtomicU64::new(0);

/// The number of this process's spans by outcome. Ended spans that were neither exported nor failed are waiting, or
/// were dropped because the queue was full.
#[derive(Debug, Clone, Copy)]
pub struct SpanCounts {
    /// Sampled spans that ended.
    pub ended: u64,
    /// Spans that the collector accepted.
    pub exported: u64,
    /// Spans that the collector did not accept.
    pub failed: u64,
}

impl SpanCounts {
    /// The counts of this process so far.
    #[must_use]
    pub fn now() -> Self {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Self { ended: of(&ENDED), exported: of(&EXPORTED), failed: of(&FAILED) }
    }
}

/// Why spans cannot be exported.
#[derive(Debug, thiserror::Error)]
#[error("cannot export spans to {collector}")]
pub struct ExportError {
    collector: String,
    source: opentelemetry_otlp::ExporterBuildError,
}

/// An export of spans that does not send yet.
pub struct Export {
    provider: SdkTracerProvider,
    parcels: mpsc::Receiver<Parcel>,
}

/// An export that sends.
pub struct Exporting {
    provider: SdkTracerProvider,
    _sending: AbortOnDropHandle<()>,
}

impl Export {
    /// The export of `telemetry` and its tracer; `None` without a collector.
    pub(super) fn new(telemetry: &Telemetry) -> Result<Option<(Self, SdkTracer)>, ExportError> {
        let Some(collector) = &telemetry.otlp else { return Ok(None) };
        let (sender, parcels) = mpsc::channel(ON_THE_WAY);
        let exporter = opentelemetry_otlp::SpanExporter::builder()
            .with_http()
            .with_http_client(Courier(sender))
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{}/v1/traces", collector.to_string().trim_end_matches('/')))
            .with_timeout(ANSWER_WITHIN)
            .build()
            .map_err(|source| ExportError { collector: collector.to_string(), source })?;
        let batches = BatchConfigBuilder::default()
            .with_max_queue_size(WAITING)
            .with_max_export_batch_size(TOGETHER)
            .with_scheduled_delay(GATHER)
            .build();
        let processor = BatchSpanProcessor::builder(Counted(exporter)).with_batch_config(batches).build();
        let ratio = f64::from(telemetry.sample_percent) / 100.0;
        let resource = Resource::builder_empty()
            .with_service_name(telemetry.service_name.clone())
            .with_attribute(opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let provider = SdkTracerProvider::builder()
            .with_span_processor(Counted(processor))
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(ratio))))
            .with_resource(resource)
            .build();
        let tracer = provider.tracer("tertulia");
        Ok(Some((Self { provider, parcels }, tracer)))
    }

    /// Starts sending. Must be called inside an actix system.
    #[must_use]
    pub fn begin(self) -> Exporting {
        let Self { provider, parcels } = self;
        Exporting { provider, _sending: AbortOnDropHandle::new(actix_rt::spawn(send(parcels))) }
    }
}

impl Exporting {
    /// Sends the waiting spans and ends. Spans that are not sent `within` are lost.
    pub async fn flush(self, within: Duration) {
        let provider = self.provider.clone();
        let flushing = spawn_blocking(move || provider.shutdown_with_timeout(within));
        match timeout(within, flushing).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => tracing::warn!(%error, "the last spans were not exported"),
            Ok(Err(_)) | Err(_) => tracing::warn!("the last spans were not exported in time"),
        }
    }
}

/// Exports only the spans of this project's own code.
pub(super) fn layer<S>(tracer: SdkTracer) -> impl Layer<S>
where
    S: tracing::Subscriber + for<'span> LookupSpan<'span>,
{
    let layer = OpenTelemetryLayer::new(tracer).with_location(false).with_threads(false);
    layer.with_filter(filter_fn(|metadata| {
        metadata.is_span() && is_own(metadata) && *metadata.level() <= tracing::Level::DEBUG
    }))
}

/// Counts the spans that pass through.
#[derive(Debug)]
struct Counted<T>(T);

impl<E: SpanExporter> SpanExporter for Counted<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let count = batch.len() as u64;
        let exported = self.0.export(batch).await;
        let fate = if exported.is_ok() { &EXPORTED } else { &FAILED };
        fate.fetch_add(count, Ordering::Relaxed);
        if let Err(error) = &exported {
            tracing::warn!(%error, spans = count, "spans were not exported");
        }
        exported
    }

    fn shutdown_with_timeout(&self, within: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(within)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

impl<P: SpanProcessor> SpanProcessor for Counted<P> {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.0.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        ENDED.fetch_add(1, Ordering::Relaxed);
        self.0.on_end(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn shutdown_with_timeout(&self, within: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(within)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

/// A request, and the channel for its response.
type Parcel = (Request<Bytes>, oneshot::Sender<Result<Response<Bytes>, HttpError>>);

/// Passes requests to the actix system, because the HTTP client lives on one thread.
#[derive(Debug)]
struct Courier(mpsc::Sender<Parcel>);

#[async_trait::async_trait]
impl HttpClient for Courier {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (reply, answer) = oneshot::channel();
        self.0.try_send((request, reply)).map_err(|_| "the sender of spans is busy or has ended")?;
        answer.await?
    }
}

async fn send(mut parcels: mpsc::Receiver<Parcel>) {
    // The configuration accepts only collectors with plain HTTP.
    let client = Platform::http_client(Connector::default().service(), None, ANSWER_WITHIN, IDLE);
    while let Some((request, reply)) = parcels.recv().await {
        // The sender of the request may be gone.
        let _ = reply.send(deliver(&client, request).await);
    }
}

async fn deliver(client: &Client, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
    let (head, body) = request.into_parts();
    let mut sending = client.request(Method::POST, head.uri.to_string());
    for (name, value) in &head.headers {
        sending = sending.insert_header((name.as_str(), value.as_bytes()));
    }
    let mut answer = sending.send_body(body).await.map_err(|error| error.to_string())?;
    let body = answer.body().limit(MAX_ANSWER).await.map_err(|error| error.to_string())?;
    Ok(Response::builder().status(answer.status().as_u16()).body(body)?)
}
