//! Many viewers on one separate thread, each with its own socket.

use std::{
    cell::RefCell,
    collections::HashMap,
    net::SocketAddr,
    rc::Rc,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, anyhow};
use hdrhistogram::Histogram;
use serde::Deserialize;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, Interest},
    net::TcpStream,
    sync::{Notify, oneshot},
    task::LocalSet,
    time::{sleep, timeout},
};

use super::lines::Lines;

/// How long a viewer may wait for the greeting.
const GREETED_WITHIN: Duration = Duration::from_secs(60);
/// The most bytes per read.
const READ: usize = 64 * 1024;

/// The results of the viewers who read all the time.
#[derive(Clone, Debug)]
pub(super) struct Heard {
    pub(super) events: u64,
    pub(super) deliveries: u64,
    /// From an event's time to its arrival.
    pub(super) micros: Histogram<u64>,
    pub(super) violations: Vec<String>,
}

/// The viewers.
pub(super) struct Crowd {
    shared: Arc<Shared>,
    thread: JoinHandle<anyhow::Result<()>>,
}

struct Shared {
    viewers: usize,
    stalled: usize,
    stalls: AtomicBool,
    ends: Notify,
    probes: Notify,
    heard: Mutex<Heard>,
    /// The newest offset of the most advanced viewer, and how many viewers have reached it.
    newest: AtomicU64,
    level: AtomicU64,
    stalled_open: AtomicU64,
}

impl Shared {
    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The events' times, shared by the viewers on the thread.
#[derive(Default)]
struct Times(RefCell<HashMap<u64, u64>>);

#[derive(Deserialize)]
struct Timed {
    time: String,
}

impl Times {
    /// The time of an event, in microseconds since 1970; parsed once and not for each viewer.
    fn of(&self, offset: u64, json: &[u8]) -> anyhow::Result<u64> {
        if let Some(time) = self.0.borrow().get(&offset) {
            return Ok(*time);
        }
        let Timed { time } = serde_json::from_slice(json)?;
        let time: jiff::Timestamp = time.parse()?;
        let time = u64::try_from(time.as_microsecond())?;
        self.0.borrow_mut().insert(offset, time);
        Ok(time)
    }
}

fn now() -> u64 {
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

impl Crowd {
    /// Connects `viewers` viewers to the service at `address`, of whom the first `stalled` will stop reading later, and
    /// waits until all are greeted.
    pub(super) async fn start(address: &str, viewers: usize, stalled: usize) -> anyhow::Result<Self> {
        let address: SocketAddr = address.parse()?;
        let heard = Heard { events: 0, deliveries: 0, micros: Histogram::new(3)?, violations: Vec::new() };
        let shared = Arc::new(Shared {
            viewers,
            stalled,
            stalls: AtomicBool::new(false),
            ends: Notify::new(),
            probes: Notify::new(),
            heard: Mutex::new(heard),
            newest: AtomicU64::new(0),
            level: AtomicU64::new(0),
            stalled_open: AtomicU64::new(stalled as u64),
        });
        let (report, ready) = oneshot::channel();
        let of_thread = Arc::clone(&shared);
        let thread = thread::Builder::new().name("viewers".to_owned()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            LocalSet::new().block_on(&runtime, async {
                let viewers = connect(address, &of_thread).await;
                let failed = viewers.as_ref().err().map(|error| anyhow!("{error:#}"));
                let _ = report.send(failed.map_or(Ok(()), Err));
                for (number, viewer) in viewers?.into_iter().enumerate() {
                    tokio::task::spawn_local(viewer.view(number, Arc::clone(&of_thread)));
                }
                of_thread.ends.notified().await;
                Ok(())
            })
        })?;
        // The service's log must be read meanwhile, because a full pipe would block the service.
        ready.await.context("the viewers' thread ended")??;
        Ok(Self { shared, thread })
    }

    pub(super) fn stall(&self) {
        self.shared.stalls.store(true, Ordering::Relaxed);
    }

    pub(super) fn stalled(&self) -> u64 {
        self.shared.stalled as u64
    }

    /// The stalled viewers that have not noticed a disconnect yet.
    pub(super) fn stalled_open(&self) -> u64 {
        self.shared.stalled_open.load(Ordering::Relaxed)
    }

    /// Makes the stalled viewers check their connections, without reading.
    pub(super) fn probe(&self) {
        self.shared.probes.notify_waiters();
    }

    /// Clears the measurements.
    pub(super) fn restart_measuring(&self) {
        let mut heard = self.shared.heard();
        heard.micros.reset();
        (heard.events, heard.deliveries) = (0, 0);
    }

    pub(super) fn heard(&self) -> Heard {
        self.shared.heard().clone()
    }

    /// Whether all reading viewers have reached the newest offset.
    pub(super) fn is_level(&self) -> bool {
        let reading = (self.shared.viewers - self.shared.stalled) as u64;
        self.shared.level.load(Ordering::Relaxed) >= reading
    }

    pub(super) fn end(self) -> anyhow::Result<Heard> {
        self.shared.ends.notify_one();
        self.thread.join().map_err(|_| anyhow!("the viewers' thread panicked"))??;
        let mut heard = self.shared.heard().clone();
        let reading = (self.shared.viewers - self.shared.stalled) as u64;
        let level = self.shared.level.load(Ordering::Relaxed);
        if level < reading {
            heard.violations.push(format!("{} of {reading} who read did not get the last event", reading - level));
        }
        Ok(heard)
    }
}

/// A viewer before it is greeted.
struct Viewer {
    socket: TcpStream,
    lines: Lines,
    times: Rc<Times>,
    /// The last received event.
    last: Option<u64>,
}

async fn connect(address: SocketAddr, shared: &Shared) -> anyhow::Result<Vec<Viewer>> {
    let times = Rc::new(Times::default());
    let mut viewers = Vec::new();
    for number in 0..shared.viewers {
        let greeted = timeout(GREETED_WITHIN, Viewer::greeted(address, Rc::clone(&times))).await;
        let viewer =
            greeted.context("no greeting arrived in time").flatten().with_context(|| format!("viewer {number}"))?;
        viewers.push(viewer);
    }
    Ok(viewers)
}

impl Viewer {
    async fn greeted(address: SocketAddr, times: Rc<Times>) -> anyhow::Result<Self> {
        let mut socket = TcpStream::connect(address).await?;
        let request = format!("GET /v1/events HTTP/1.1\r\nHost: {address}\r\nAccept: text/event-stream\r\n\r\n");
        socket.write_all(request.as_bytes()).await?;
        let mut begun = Vec::new();
        while !begun.ends_with(b"heartbeat\n\n\r\n") {
            anyhow::ensure!(socket.read_buf(&mut begun).await? > 0, "the stream ended");
            anyhow::ensure!(begun.len() < READ, "no greeting: {}", String::from_utf8_lossy(&begun[..200]));
            // Bytes that arrived together with the greeting are kept.
            if begun.windows(9).any(|bytes| bytes == b"heartbeat") {
                break;
            }
        }
        let mut viewer = Self { socket, lines: Lines::default(), times, last: None };
        let mut last = None;
        viewer.lines.read(&begun, |offset, _| last = Some(offset));
        viewer.last = last;
        Ok(viewer)
    }

    async fn view(mut self, number: usize, shared: Arc<Shared>) {
        let stalls = number < shared.stalled;
        let mut bytes = vec![0; READ];
        loop {
            if stalls && shared.stalls.load(Ordering::Relaxed) {
                return self.stall(&shared).await;
            }
            match self.socket.read(&mut bytes).await {
                Ok(count) if count > 0 => self.take(&bytes[..count], number, stalls, &shared),
                ended => {
                    if !stalls {
                        shared.heard().violations.push(format!("the stream of viewer {number} ended: {ended:?}"));
                    }
                    return;
                }
            }
        }
    }

    fn take(&mut self, bytes: &[u8], number: usize, stalls: bool, shared: &Shared) {
        let arrived = now();
        let (last, times) = (&mut self.last, &self.times);
        let mut heard = shared.heard();
        self.lines.read(bytes, |offset, json| {
            let before = last.replace(offset);
            if stalls {
                return;
            }
            if before.is_some_and(|before| before + 1 != offset) {
                heard.violations.push(format!("viewer {number}: event {offset} after {before:?}"));
            }
            match times.of(offset, json) {
                // The histogram resizes automatically, so recording cannot fail.
                Ok(time) => {
                    let _ = heard.micros.record(arrived.saturating_sub(time));
                }
                Err(error) => heard.violations.push(format!("viewer {number}: {error}")),
            }
            heard.deliveries += 1;
            if shared.newest.fetch_max(offset, Ordering::Relaxed) < offset {
                heard.events += 1;
                shared.level.store(1, Ordering::Relaxed);
            } else if shared.newest.load(Ordering::Relaxed) == offset {
                shared.level.fetch_add(1, Ordering::Relaxed);
            }
        });
    }

    /// Stops reading, and checks the connection when asked.
    async fn stall(self, shared: &Shared) {
        loop {
            shared.probes.notified().await;
            let ready = timeout(Duration::from_millis(10), self.socket.ready(Interest::ERROR)).await;
            let is_broken = self.socket.take_error().is_ok_and(|error| error.is_some());
            if is_broken || ready.is_ok_and(|ready| ready.is_ok_and(|ready| ready.is_error())) {
                shared.stalled_open.fetch_sub(1, Ordering::Relaxed);
                // The socket stays open until the run ends.
                return sleep(Duration::MAX).await;
            }
        }
    }
}
