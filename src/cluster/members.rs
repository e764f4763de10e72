//! Beats: this node shows that it runs, and sees which others do. Silent nodes are fenced.
//!
//! Three threads, so that nothing slow delays what must be in time: one looks at the clock, one beats, and one draws the
//! picture of the other nodes and fences the silent ones.

use std::{
    io,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use tertulia_actors::{
    core::{id::NodeId, session::Millis, tenure::LeaseDuration, time::Timestamp},
    engine::Tenure,
};
use tokio::sync::watch;

use super::{Beaten, ClusterMetrics, ClusterView, NodeAbout, NodeTable, NodeTableError, picture::Picture};

/// Looks at the clock in a lease.
const LOOKS: u32 = 50;
/// Answers that may wait for the picture. A newer one is not needed while they do.
const ANSWERS: usize = 2;

/// This node's beats, and its view of the others. Dropping it ends them; the tenure then ends by the clock.
pub struct Members {
    shared: Arc<Shared>,
    view: watch::Receiver<Arc<ClusterView>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

pub(super) struct Shared {
    table: Arc<dyn NodeTable>,
    tenure: Tenure,
    lease: LeaseDuration,
    turn: Mutex<Turn>,
    changed: Condvar,
    metrics: ClusterMetrics,
}

/// What the threads wait for.
struct Turn {
    about: NodeAbout,
    /// The number of the newest change of a duty that the picture has.
    seen: u64,
    is_due: bool,
    has_ended: bool,
}

impl Members {
    /// Begins to beat for a node that has joined.
    ///
    /// # Errors
    /// A thread could not be started.
    pub fn start(
        table: Arc<dyn NodeTable>,
        tenure: Tenure,
        lease: LeaseDuration,
        about: NodeAbout,
    ) -> io::Result<Arc<Self>> {
        let picture = Picture::new(table.me().clone(), lease);
        let (publish, view) = watch::channel(Arc::new(picture.view(*tenure.standing().borrow())));
        let (answers, answered) = sync_channel(ANSWERS);
        let shared = Arc::new(Shared::new(table, tenure, lease, about));
        let members = Self { shared: Arc::clone(&shared), view, threads: Mutex::default() };
        members.spawn("tenure", Shared::look)?;
        members.spawn("beats", move |shared| shared.beat(&answers))?;
        members.spawn("members", move |shared| shared.draw(picture, &answered, &publish))?;
        Ok(Arc::new(members))
    }

    fn spawn(&self, name: &str, run: impl FnOnce(&Shared) + Send + 'static) -> io::Result<()> {
        let shared = Arc::clone(&self.shared);
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || run(&shared))?;
        self.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        Ok(())
    }

    /// The nodes and duties as last seen.
    #[must_use]
    pub fn view(&self) -> watch::Receiver<Arc<ClusterView>> {
        self.view.clone()
    }

    /// The tables of nodes and duties.
    #[must_use]
    pub fn table(&self) -> &Arc<dyn NodeTable> {
        &self.shared.table
    }

    /// This node's right to act.
    #[must_use]
    pub fn tenure(&self) -> &Tenure {
        &self.shared.tenure
    }

    /// The metrics of this node among others.
    #[must_use]
    pub fn metrics(&self) -> &ClusterMetrics {
        &self.shared.metrics
    }

    /// Beats now, to see what has changed.
    pub fn beat_now(&self) {
        self.shared.turn().is_due = true;
        self.shared.changed.notify_all();
    }

    /// Changes what this node says about itself, and says it now.
    pub fn say(&self, change: impl FnOnce(&mut NodeAbout)) {
        self.note(change);
        self.beat_now();
    }

    /// Changes what this node says about itself with its next beat.
    pub fn note(&self, change: impl FnOnce(&mut NodeAbout)) {
        change(&mut self.shared.turn().about);
    }

    /// Ends the beats. Blocks until the threads have ended, at most as long as one call to the database takes.
    pub fn stop(&self) {
        self.shared.turn().has_ended = true;
        self.shared.changed.notify_all();
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a thread of the node's beats panicked");
            }
        }
    }
}

impl Drop for Members {
    fn drop(&mut self) {
        self.shared.turn().has_ended = true;
        self.shared.changed.notify_all();
    }
}

impl Shared {
    pub(super) fn new(table: Arc<dyn NodeTable>, tenure: Tenure, lease: LeaseDuration, about: NodeAbout) -> Self {
        let turn = Mutex::new(Turn { about, seen: 0, is_due: true, has_ended: false });
        Self { table, tenure, lease, turn, changed: Condvar::new(), metrics: ClusterMetrics::default() }
    }

    fn turn(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the process know when its right to act ends, even if the database does not answer.
    fn look(&self) {
        let every = self.lease.get() / LOOKS;
        let mut turn = self.turn();
        while !turn.has_ended {
            self.tenure.look();
            turn = self.changed.wait_timeout(turn, every).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn beat(&self, answers: &SyncSender<(Millis, Beaten)>) {
        let mut is_answered = true;
        loop {
            if self.turn().has_ended {
                return;
            }
            let sent = Tenure::now();
            match self.beat_once(sent, Tenure::now) {
                Ok(answer) => {
                    if !is_answered {
                        tracing::info!("beats are answered again");
                    }
                    is_answered = true;
                    // If the picture is behind, the next answer has everything.
                    let _ = answers.try_send(answer);
                }
                Err(NodeTableError::Fenced) => {
                    return tracing::error!(node = %self.table.me(), "this node was fenced: others have its duties now");
                }
                Err(error) => {
                    if is_answered {
                        tracing::warn!(%error, left = ?self.tenure.left(), "a beat was not answered");
                    }
                    is_answered = false;
                }
            }
            self.rest(sent);
        }
    }

    /// Beats at `sent`. Returns the answer, and when it arrived by `clock`.
    ///
    /// # Errors
    /// [`NodeTableError`]. A node that was fenced may not act any more.
    pub(super) fn beat_once(
        &self,
        sent: Millis,
        clock: impl Fn() -> Millis,
    ) -> Result<(Millis, Beaten), NodeTableError> {
        let (about, seen) = {
            let mut turn = self.turn();
            turn.is_due = false;
            (turn.about.clone(), turn.seen)
        };
        let beaten = self.table.beat(&about, seen).inspect_err(|error| {
            if matches!(error, NodeTableError::Fenced) {
                self.tenure.fenced();
            }
        })?;
        let answered = clock();
        self.tenure.answered(sent);
        self.metrics.beats.observe(answered.since(sent));
        Ok((answered, beaten))
    }

    /// Waits until the next beat is due.
    fn rest(&self, sent: Millis) {
        let next = sent.after(self.lease.beat_every());
        let mut turn = self.turn();
        loop {
            let left = next.since(Tenure::now());
            if turn.has_ended || turn.is_due || left.is_zero() {
                return;
            }
            turn = self.changed.wait_timeout(turn, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn draw(
        &self,
        mut picture: Picture,
        answers: &Receiver<(Millis, Beaten)>,
        publish: &watch::Sender<Arc<ClusterView>>,
    ) {
        let patience: Duration = self.lease.beat_every();
        loop {
            match answers.recv_timeout(patience) {
                Ok((now, beaten)) => {
                    let wall = Timestamp(jiff::Timestamp::now().as_millisecond());
                    self.add(&mut picture, now, wall, beaten);
                }
                Err(RecvTimeoutError::Timeout) => {}
                // The thread that beats has ended.
                Err(RecvTimeoutError::Disconnected) => return,
            }
            let view = Arc::new(picture.view(*self.tenure.standing().borrow()));
            publish.send_if_modified(|last| std::mem::replace(last, Arc::clone(&view)) != view);
        }
    }

    /// Adds an answer that arrived at `now` to the picture, and fences the nodes that are silent by it.
    pub(super) fn add(&self, picture: &mut Picture, now: Millis, wall: Timestamp, beaten: Beaten) {
        for made in picture.answered(now, wall, beaten) {
            let (duty, from, cause) = (&made.duty, made.from.as_ref().map(NodeId::as_str), made.cause.word());
            tracing::info!(%duty, from, cause, took = ?made.took, "this node has taken a duty");
            self.metrics.moved(&made);
        }
        self.turn().seen = picture.seen();
        for node in picture.outdated() {
            match self.table.known(&node) {
                Ok(duties) => picture.learned(&node, duties),
                Err(error) => tracing::warn!(%node, %error, "the duties that a node knows cannot be read"),
            }
        }
        self.fence(picture);
    }

    fn fence(&self, picture: &Picture) {
        for (node, beat) in picture.silent() {
            match self.table.fence(&node, beat) {
                Ok(true) => {
                    self.metrics.fenced.inc();
                    tracing::warn!(%node, epoch = beat.epoch.0, "a silent node was fenced; its duties are free");
                    self.turn().is_due = true;
                    self.changed.notify_all();
                }
                Ok(false) => tracing::debug!(%node, "a node that seemed silent beats again, or was fenced already"),
                Err(error) => tracing::warn!(%node, %error, "a silent node could not be fenced"),
            }
        }
    }
}
