//! What a guarded actor survives. Each case runs on a real actix system, with paused time.

use std::sync::atomic::Ordering;
use std::time::Duration;

use actix::SpawnHandle;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::super::probe::{CancelTimerAndPanic, Hooks, Panic, PanicInReply, PanicLater, PanicPlace, Probe, Stop, Work};
use super::*;

/// A guarded probe, and what its owner received.
struct Guarded {
    address: Addr<Probe>,
    hooks: Arc<Hooks>,
    exits: UnboundedReceiver<ChildExit>,
}

impl Guarded {
    fn start(set: impl FnOnce(&Hooks)) -> Self {
        Self::start_with(RestartPolicy::default(), set)
    }

    fn start_with(policy: RestartPolicy, set: impl FnOnce(&Hooks)) -> Self {
        let hooks = Arc::new(Hooks::default());
        set(&hooks);
        let (told, exits) = unbounded_channel();
        let policy = Arc::new(policy);
        let options = GuardOptions { policy, ..GuardOptions::new("probe", move |exit| drop(told.send(exit))) };
        let probe = Probe { hooks: Arc::clone(&hooks), timer: SpawnHandle::default() };
        Self { address: start_guarded(options, move |_| probe), hooks, exits }
    }

    async fn next_exit(&mut self) -> ChildExit {
        self.exits.recv().await.expect("a guard always tells an end")
    }

    async fn restarted(&mut self) -> u32 {
        match self.next_exit().await {
            ChildExit::Restarting { restarts, .. } => restarts,
            other => panic!("expected a restart, got {other:?}"),
        }
    }

    async fn ended(&mut self) -> ExitReason {
        match self.next_exit().await {
            ChildExit::Ended { reason, .. } => reason,
            other => panic!("expected an end, got {other:?}"),
        }
    }

    async fn answers(&self) -> bool {
        self.address.send(Work(0)).await.is_ok()
    }
}

fn panicked(place: &str) -> ExitReason {
    ExitReason::Panicked(format!("told to panic in {place}"))
}

#[actix::test]
async fn a_panic_anywhere_in_the_actor_restarts_it_with_its_address() {
    tokio::time::pause();
    for place in [
        PanicPlace::Handler,
        PanicPlace::SpawnedFuture,
        PanicPlace::WaitedFuture,
        PanicPlace::LaterClosure,
        PanicPlace::NotifiedHandler,
        PanicPlace::ActorFuture,
    ] {
        let mut child = Guarded::start(|_| {});
        match place {
            PanicPlace::ActorFuture => child.address.do_send(PanicLater(place)),
            _ => child.address.do_send(Panic(place)),
        }
        assert_eq!(child.restarted().await, 1, "{place:?}");
        assert!(child.answers().await, "{place:?}");
        assert_eq!(child.hooks.started.load(Ordering::SeqCst), 2, "{place:?}");
        assert_eq!(child.hooks.stopped.load(Ordering::SeqCst), 0, "{place:?}");
    }
}

#[actix::test]
async fn a_panic_in_a_detached_future_costs_only_its_reply() {
    tokio::time::pause();
    let child = Guarded::start(|_| {});
    assert!(child.address.send(PanicInReply(PanicPlace::ResponseFuture)).await.is_err());
    child.address.do_send(Panic(PanicPlace::DetachedTask));
    assert!(child.answers().await);
    assert_eq!(child.hooks.started.load(Ordering::SeqCst), 1);
}

#[actix::test]
async fn a_panic_in_started_is_a_panic_like_any_other() {
    tokio::time::pause();
    let mut child = Guarded::start(|hooks| hooks.panics_in_started.store(2, Ordering::SeqCst));
    assert_eq!(child.restarted().await, 1);
    assert_eq!(child.restarted().await, 2);
    assert!(child.answers().await);
}

#[actix::test]
async fn a_panic_in_restarting_is_a_panic_like_any_other() {
    tokio::time::pause();
    let mut child = Guarded::start(|hooks| hooks.panics_in_restarting.store(1, Ordering::SeqCst));
    child.address.do_send(Panic(PanicPlace::Handler));
    assert_eq!(child.restarted().await, 1);
    assert_eq!(child.restarted().await, 2);
    assert!(child.answers().await);
}

#[actix::test]
async fn queued_messages_survive_a_panic() {
    tokio::time::pause();
    let mut child = Guarded::start(|_| {});
    child.address.do_send(Work(1));
    child.address.do_send(Panic(PanicPlace::Handler));
    (2..=11).for_each(|number| child.address.do_send(Work(number)));
    child.restarted().await;
    assert!(child.answers().await);
    assert_eq!(*child.hooks.handled.lock().unwrap(), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 0]);
}

#[actix::test]
async fn a_child_that_panics_too_often_is_given_up_and_its_address_closes() {
    tokio::time::pause();
    let policy = RestartPolicy { max_restarts: 3, ..RestartPolicy::default() };
    let mut child = Guarded::start_with(policy, |_| {});
    (0..5).for_each(|_| child.address.do_send(Panic(PanicPlace::Handler)));
    for restarts in 1..=3 {
        assert_eq!(child.restarted().await, restarts);
    }
    let reason = ExitReason::GaveUp("told to panic in Handler".to_owned());
    assert_eq!(child.next_exit().await, ChildExit::Ended { reason, restarts: 3 });
    assert!(!child.answers().await);
    assert!(!child.address.connected());
}

#[actix::test]
async fn a_child_that_panics_seldom_is_restarted_for_ever() {
    tokio::time::pause();
    let mut child = Guarded::start(|_| {});
    for restarts in 1..=20 {
        child.address.do_send(Panic(PanicPlace::Handler));
        assert_eq!(child.restarted().await, restarts);
        sleep(Duration::from_secs(31)).await;
    }
    assert!(child.answers().await);
}

#[actix::test]
async fn a_child_is_told_of_its_panic_while_it_is_restarted_and_once_more_when_it_is_given_up() {
    tokio::time::pause();
    let policy = RestartPolicy { max_restarts: 1, ..RestartPolicy::default() };
    let mut child = Guarded::start_with(policy, |_| {});
    child.address.do_send(Panic(PanicPlace::Handler));
    child.address.do_send(PanicLater(PanicPlace::ActorFuture));
    child.restarted().await;
    assert!(matches!(child.ended().await, ExitReason::GaveUp(_)));
    let told = |place: &str, is_last| Some(ActorPanic { panic: format!("told to panic in {place}"), is_last });
    assert_eq!(*child.hooks.failures.lock().unwrap(), [told("Handler", false), told("ActorFuture", true)]);
    assert_eq!(child.hooks.started.load(Ordering::SeqCst), 2, "it is not started once it is given up");
    assert_eq!(super::super::failure(), None, "nothing is told elsewhere");
}

#[actix::test]
async fn a_panic_in_the_last_restarting_does_no_harm() {
    tokio::time::pause();
    let policy = RestartPolicy { max_restarts: 0, ..RestartPolicy::default() };
    let mut child = Guarded::start_with(policy, |hooks| hooks.panics_in_restarting.store(1, Ordering::SeqCst));
    child.address.do_send(Panic(PanicPlace::Handler));
    assert_eq!(child.ended().await, ExitReason::GaveUp("told to panic in Handler".to_owned()));
    assert!(!child.answers().await);
}

#[actix::test]
async fn a_child_that_stops_is_not_restarted() {
    tokio::time::pause();
    let mut child = Guarded::start(|_| {});
    child.address.do_send(Stop);
    assert_eq!(child.ended().await, ExitReason::Normal);
    assert!(!child.answers().await);
    assert_eq!(child.hooks.stopped.load(Ordering::SeqCst), 1);
}

#[actix::test]
async fn a_child_that_panics_while_it_ends_is_not_restarted() {
    tokio::time::pause();
    let mut child = Guarded::start(|hooks| hooks.panics_in_stopping.store(1, Ordering::SeqCst));
    child.address.do_send(Stop);
    assert_eq!(child.ended().await, panicked("stopping"));

    let mut child = Guarded::start(|hooks| hooks.panics_in_stopped.store(1, Ordering::SeqCst));
    child.address.do_send(Stop);
    assert_eq!(child.ended().await, panicked("stopped"));

    let mut child = Guarded::start(|_| {});
    child.address.do_send(Panic(PanicPlace::HandlerAfterStop));
    assert_eq!(child.ended().await, panicked("HandlerAfterStop"));
    assert_eq!(child.hooks.started.load(Ordering::SeqCst), 1);
}

#[actix::test]
async fn a_panic_followed_by_a_panic_in_drop_does_not_end_the_process() {
    tokio::time::pause();
    let policy = RestartPolicy { max_restarts: 0, ..RestartPolicy::default() };
    let mut child = Guarded::start_with(policy, |hooks| {
        hooks.panics_in_drop.store(1, Ordering::SeqCst);
        hooks.panics_in_stopping.store(1, Ordering::SeqCst);
        hooks.panics_in_stopped.store(1, Ordering::SeqCst);
    });
    child.address.do_send(Panic(PanicPlace::Handler));
    assert!(matches!(child.ended().await, ExitReason::GaveUp(_)));
    assert_eq!(child.hooks.panics_in_drop.load(Ordering::SeqCst), 0, "the actor was dropped");
}

#[actix::test]
async fn a_sibling_is_undisturbed() {
    tokio::time::pause();
    let sibling = Guarded::start(|_| {});
    let mut child = Guarded::start(|_| {});
    child.address.do_send(Panic(PanicPlace::Handler));
    child.restarted().await;
    sleep(Duration::from_secs(1)).await;
    assert!(sibling.answers().await);
    assert_eq!(sibling.hooks.started.load(Ordering::SeqCst), 1);
    assert!(sibling.hooks.ticks.load(Ordering::SeqCst) >= 100);
}

#[actix::test]
async fn a_timer_armed_in_started_runs_after_a_panic_that_followed_a_cancellation() {
    tokio::time::pause();
    let mut child = Guarded::start(|_| {});
    child.address.do_send(CancelTimerAndPanic);
    child.restarted().await;
    sleep(Duration::from_secs(10)).await;
    assert!(child.hooks.ticks.load(Ordering::SeqCst) > 100);
}

#[actix::test]
async fn an_owner_that_panics_does_no_harm() {
    tokio::time::pause();
    let hooks = Arc::new(Hooks::default());
    let probe = Probe { hooks: Arc::clone(&hooks), timer: SpawnHandle::default() };
    let address = start_guarded(GuardOptions::new("probe", |_| panic!("the owner panics")), move |_| probe);
    address.do_send(Panic(PanicPlace::Handler));
    assert!(address.send(Work(1)).await.is_ok());
}

/// Starts a probe on an arbiter of its own.
fn start_elsewhere(
    arbiter: &ArbiterHandle,
    create: impl FnOnce() -> Probe + Send + 'static,
) -> (Addr<Probe>, UnboundedReceiver<ChildExit>) {
    let (told, exits) = unbounded_channel();
    let options = GuardOptions::new("probe", move |exit| drop(told.send(exit)));
    (start_guarded_in(arbiter, options, move |_| create()), exits)
}

#[actix::test]
async fn a_child_is_told_to_have_ended_with_its_arbiter() {
    let hooks = Arc::new(Hooks::default());
    hooks.panics_in_stopped.store(1, Ordering::SeqCst);
    hooks.panics_in_drop.store(1, Ordering::SeqCst);
    let arbiter = actix::Arbiter::new();
    let probe = Probe { hooks: Arc::clone(&hooks), timer: SpawnHandle::default() };
    let (address, mut exits) = start_elsewhere(&arbiter.handle(), move || probe);
    assert!(address.send(Work(1)).await.is_ok());

    arbiter.stop();
    let end = ChildExit::Ended { reason: ExitReason::ArbiterStopped, restarts: 0 };
    assert_eq!(exits.recv().await, Some(end.clone()));
    arbiter.join().unwrap();
    assert_eq!(hooks.stopped.load(Ordering::SeqCst), 1);
}

#[actix::test]
async fn a_child_for_a_stopped_arbiter_is_told_to_have_ended() {
    let arbiter = actix::Arbiter::new();
    let handle = arbiter.handle();
    arbiter.stop();
    arbiter.join().unwrap();
    let (address, mut exits) = start_elsewhere(&handle, || unreachable!("nothing runs there"));
    let end = ChildExit::Ended { reason: ExitReason::ArbiterStopped, restarts: 0 };
    assert_eq!(exits.recv().await, Some(end));
    assert!(address.send(Work(1)).await.is_err());
}

#[actix::test]
async fn a_panic_while_a_child_is_created_elsewhere_is_reported() {
    let arbiter = actix::Arbiter::new();
    let (address, mut exits) = start_elsewhere(&arbiter.handle(), || panic!("told to panic in create"));
    let end = ChildExit::Ended { reason: panicked("create"), restarts: 0 };
    assert_eq!(exits.recv().await, Some(end));
    assert!(address.send(Work(1)).await.is_err());
    arbiter.stop();
    arbiter.join().unwrap();
}
