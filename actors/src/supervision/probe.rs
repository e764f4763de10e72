//! An actor that panics on request, for tests.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::{
    Actor, ActorContext, AsyncContext, Context, Handler, Message, ResponseActFuture, ResponseFuture, Running,
    SpawnHandle, Supervised, WrapFuture,
};

use super::failure::{ActorPanic, failure};

/// Where the probe panics on request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PanicPlace {
    Handler,
    SpawnedFuture,
    WaitedFuture,
    LaterClosure,
    NotifiedHandler,
    ActorFuture,
    ResponseFuture,
    DetachedTask,
    HandlerAfterStop,
}

/// The record of one probe's hooks.
#[derive(Debug, Default)]
pub(super) struct Hooks {
    pub(super) panics_in_started: AtomicUsize,
    pub(super) panics_in_restarting: AtomicUsize,
    pub(super) panics_in_stopping: AtomicUsize,
    pub(super) panics_in_stopped: AtomicUsize,
    pub(super) panics_in_drop: AtomicUsize,
    pub(super) started: AtomicUsize,
    pub(super) stopped: AtomicUsize,
    pub(super) ticks: AtomicUsize,
    pub(super) handled: Mutex<Vec<u32>>,
    /// The result of [`super::failure()`] in each `restarting`.
    pub(super) failures: Mutex<Vec<Option<ActorPanic>>>,
}

fn panic_if_due(times: &AtomicUsize, hook: &str) {
    let is_due = times.try_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
    assert!(!is_due, "told to panic in {hook}");
}

pub(super) struct Probe {
    pub(super) hooks: Arc<Hooks>,
    pub(super) timer: SpawnHandle,
}

impl Actor for Probe {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.hooks.started.fetch_add(1, Ordering::SeqCst);
        self.timer = ctx.run_interval(Duration::from_millis(10), |probe, _| {
            probe.hooks.ticks.fetch_add(1, Ordering::SeqCst);
        });
        panic_if_due(&self.hooks.panics_in_started, "started");
    }

    fn stopping(&mut self, _: &mut Context<Self>) -> Running {
        panic_if_due(&self.hooks.panics_in_stopping, "stopping");
        Running::Stop
    }

    fn stopped(&mut self, _: &mut Context<Self>) {
        self.hooks.stopped.fetch_add(1, Ordering::SeqCst);
        panic_if_due(&self.hooks.panics_in_stopped, "stopped");
    }
}

impl Supervised for Probe {
    fn restarting(&mut self, _: &mut Context<Self>) {
        self.hooks.failures.lock().unwrap().push(failure());
        panic_if_due(&self.hooks.panics_in_restarting, "restarting");
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        panic_if_due(&self.hooks.panics_in_drop, "drop");
    }
}

#[derive(Message)]
#[rtype(result = "u32")]
pub(super) struct Work(pub(super) u32);

#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Panic(pub(super) PanicPlace);

#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct PanicLater(pub(super) PanicPlace);

#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct PanicInReply(pub(super) PanicPlace);

#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct CancelTimerAndPanic;

#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Stop;

impl Handler<Work> for Probe {
    type Result = u32;

    fn handle(&mut self, Work(number): Work, _: &mut Context<Self>) -> u32 {
        self.hooks.handled.lock().unwrap().push(number);
        number
    }
}

impl Handler<Panic> for Probe {
    type Result = ();

    fn handle(&mut self, Panic(place): Panic, ctx: &mut Context<Self>) {
        let wreck = async move { panic!("told to panic in {place:?}") };
        match place {
            PanicPlace::Handler => panic!("told to panic in {place:?}"),
            PanicPlace::HandlerAfterStop => {
                ctx.stop();
                panic!("told to panic in {place:?}")
            }
            PanicPlace::SpawnedFuture => drop(ctx.spawn(wreck.into_actor(self))),
            PanicPlace::WaitedFuture => ctx.wait(wreck.into_actor(self)),
            PanicPlace::LaterClosure => {
                ctx.run_later(Duration::from_millis(1), move |_, _| panic!("told to panic in {place:?}"));
            }
            PanicPlace::NotifiedHandler => ctx.notify(Panic(PanicPlace::Handler)),
            PanicPlace::DetachedTask => drop(actix_rt::spawn(wreck)),
            PanicPlace::ActorFuture | PanicPlace::ResponseFuture => unreachable!("these reply"),
        }
    }
}

impl Handler<PanicLater> for Probe {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, PanicLater(place): PanicLater, _: &mut Context<Self>) -> Self::Result {
        Box::pin(
            async move {
                tokio::task::yield_now().await;
                panic!("told to panic in {place:?}")
            }
            .into_actor(self),
        )
    }
}

impl Handler<PanicInReply> for Probe {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, PanicInReply(place): PanicInReply, _: &mut Context<Self>) -> Self::Result {
        Box::pin(async move { panic!("told to panic in {place:?}") })
    }
}

impl Handler<CancelTimerAndPanic> for Probe {
    type Result = ();

    fn handle(&mut self, _: CancelTimerAndPanic, ctx: &mut Context<Self>) {
        ctx.cancel_future(self.timer);
        panic!("told to panic after a cancellation")
    }
}

impl Handler<Stop> for Probe {
    type Result = ();

    fn handle(&mut self, _: Stop, ctx: &mut Context<Self>) {
        ctx.stop();
    }
}
