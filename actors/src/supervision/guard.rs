//! The future that owns an actor: catches its panics, keeps its address and queue, restarts it, and tells its owner.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use actix::dev::{ContextFut, channel};
use actix::{Actor, ActorContext, ActorState, Addr, ArbiterHandle, Context, Supervised};
use tokio::time::{Instant, Sleep, sleep};

use super::restart::{Intensity, RestartPolicy};

/// What happens to a guarded child. Told to its owner on every transition; nothing follows `Ended`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChildExit {
    /// The child panicked. It will be restarted with the same address and queue.
    Restarting {
        /// The panic's text. It may quote a message, so it is never logged.
        panic: String,
        /// Restarts since the child was started, this one included.
        restarts: u32,
        /// How long until then.
        after: Duration,
    },
    /// The child is gone, and its address is closed.
    Ended {
        /// Why.
        reason: ExitReason,
        /// Restarts since the child was started.
        restarts: u32,
    },
}

/// Why a guarded child is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExitReason {
    /// It stopped itself, or nobody held its address any more.
    Normal,
    /// It panicked while it was created or was ending, or when nobody held its address any more.
    Panicked(String),
    /// It panicked, with this text, more often than its policy allows.
    GaveUp(String),
    /// Its arbiter was stopped under it.
    ArbiterStopped,
}

/// Told of every [`ChildExit`], on the child's arbiter. Should do little more than `do_send`; its own panics are caught.
pub type OnExit = Box<dyn FnMut(ChildExit) + Send>;

/// How a child is guarded.
pub struct GuardOptions {
    /// The child's label in the log: ids, never content.
    pub name: Arc<str>,
    /// When it is restarted and when given up.
    pub policy: RestartPolicy,
    /// The capacity of its mailbox, at least 1. Advisory, as actix has it: put a [`Depth`](super::Depth) beside it.
    pub mailbox: usize,
    /// Told of every transition.
    pub on_exit: OnExit,
}

impl GuardOptions {
    /// Options with the default policy and a mailbox of 1024 messages.
    pub fn new(name: impl Into<Arc<str>>, on_exit: impl FnMut(ChildExit) + Send + 'static) -> Self {
        Self { name: name.into(), policy: RestartPolicy::default(), mailbox: 1024, on_exit: Box::new(on_exit) }
    }
}

impl fmt::Debug for GuardOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardOptions")
            .field("name", &self.name)
            .field("policy", &self.policy)
            .field("mailbox", &self.mailbox)
            .finish_non_exhaustive()
    }
}

/// Starts a guarded actor on the current arbiter.
///
/// A panic anywhere in the actor (handlers, its futures, `started`, `restarting`) calls `restarting` after the
/// back-off, then `started` again: timers and streams are armed there. The message being handled is lost, the queue is
/// not. `stopped` is not called after a panic. A panic in `create` is the caller's.
pub fn start_guarded<A>(options: GuardOptions, create: impl FnOnce(&mut Context<A>) -> A) -> Addr<A>
where
    A: Actor<Context = Context<A>> + Supervised,
{
    let (sender, receiver) = channel::channel(options.mailbox.max(1));
    let mut ctx = Context::with_receiver(receiver);
    let actor = create(&mut ctx);
    actix_rt::spawn(Guard::new(ctx.into_future(actor), options.policy, Owner::of(options.name, options.on_exit)));
    Addr::new(sender)
}

/// Starts a guarded actor on another arbiter; messages queue until it runs. A panic in `create`, or an arbiter that
/// has stopped, is told to `on_exit`.
pub fn start_guarded_in<A>(
    arbiter: &ArbiterHandle,
    options: GuardOptions,
    create: impl FnOnce(&mut Context<A>) -> A + Send + 'static,
) -> Addr<A>
where
    A: Actor<Context = Context<A>> + Supervised,
{
    let (sender, receiver) = channel::channel(options.mailbox.max(1));
    let policy = options.policy;
    let mut owner = Owner::of(options.name, options.on_exit);
    arbiter.spawn_fn(move || {
        let mut ctx = Context::with_receiver(receiver);
        match catch_unwind(AssertUnwindSafe(|| create(&mut ctx))) {
            Ok(actor) => {
                actix_rt::spawn(Guard::new(ctx.into_future(actor), policy, owner));
            }
            Err(payload) => owner.ended(ExitReason::Panicked(panic_text(payload))),
        }
    });
    Addr::new(sender)
}

struct Guard<A: Actor<Context = Context<A>> + Supervised> {
    /// `None` once the child has ended.
    child: Option<ContextFut<A, Context<A>>>,
    /// The wait before a restart. Nothing of the child runs meanwhile.
    pause: Option<Pin<Box<Sleep>>>,
    policy: RestartPolicy,
    intensity: Intensity,
    owner: Owner,
}

impl<A: Actor<Context = Context<A>> + Supervised> Guard<A> {
    fn new(child: ContextFut<A, Context<A>>, policy: RestartPolicy, owner: Owner) -> Self {
        Self { child: Some(child), pause: None, policy, intensity: Intensity::default(), owner }
    }

    /// Lets the child run until it waits, ends or panics. The child survives its panic, because dropping an actor while
    /// unwinding runs its `stopped`, and a second panic there aborts the process.
    fn run(&mut self, cx: &mut std::task::Context<'_>) -> Poll<()> {
        loop {
            if let Some(pause) = &mut self.pause {
                std::task::ready!(pause.as_mut().poll(cx));
            }
            let Some(child) = &mut self.child else { return Poll::Ready(()) };
            let restart = self.pause.take().is_some();
            let outcome = catch_unwind(AssertUnwindSafe(|| {
                if restart && !child.restart() {
                    return Poll::Ready(());
                }
                Pin::new(child).poll(cx)
            }));
            match outcome {
                Ok(Poll::Pending) => return Poll::Pending,
                Ok(Poll::Ready(())) => self.end(ExitReason::Normal),
                Err(payload) => self.panicked(panic_text(payload)),
            }
        }
    }

    fn panicked(&mut self, panic: String) {
        let Some(child) = &mut self.child else { return };
        let was_ending = matches!(child.ctx().state(), ActorState::Stopping | ActorState::Stopped);
        if was_ending || !child.ctx().connected() {
            return self.end(ExitReason::Panicked(panic));
        }
        match self.intensity.permit(&self.policy, Instant::now()) {
            None => self.end(ExitReason::GaveUp(panic)),
            Some(recent) => {
                let after = self.policy.backoff.delay(recent - 1, rand::random());
                self.pause = Some(Box::pin(sleep(after)));
                self.owner.restarting(panic, after);
            }
        }
    }

    fn end(&mut self, reason: ExitReason) {
        self.pause = None;
        self.discard();
        self.owner.ended(reason);
    }

    /// Drops the child without another run of its hooks; closes its address.
    fn discard(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.ctx().terminate();
            quietly(|| drop(child));
        }
    }
}

impl<A: Actor<Context = Context<A>> + Supervised> Future for Guard<A> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<()> {
        self.get_mut().run(cx)
    }
}

impl<A: Actor<Context = Context<A>> + Supervised> Drop for Guard<A> {
    /// The arbiter stops: a healthy child still runs its `stopping` and `stopped`.
    fn drop(&mut self) {
        if let (Some(child), None) = (&mut self.child, &self.pause) {
            quietly(|| {
                child.ctx().stop();
                let _ = Pin::new(child).poll(&mut std::task::Context::from_waker(Waker::noop()));
            });
        }
        self.discard();
    }
}

/// Who is told, and what was told so far.
struct Owner {
    name: Arc<str>,
    on_exit: OnExit,
    restarts: u32,
    told_end: bool,
}

impl Owner {
    fn of(name: Arc<str>, on_exit: OnExit) -> Self {
        Self { name, on_exit, restarts: 0, told_end: false }
    }

    fn restarting(&mut self, panic: String, after: Duration) {
        self.restarts = self.restarts.saturating_add(1);
        let restarts = self.restarts;
        tracing::error!(actor = %self.name, restarts, ?after, "actor panicked, restarting");
        self.tell(ChildExit::Restarting { panic, restarts, after });
    }

    fn ended(&mut self, reason: ExitReason) {
        self.told_end = true;
        let restarts = self.restarts;
        match &reason {
            ExitReason::Normal | ExitReason::ArbiterStopped => {
                tracing::debug!(actor = %self.name, restarts, "actor ended");
            }
            ExitReason::Panicked(_) => tracing::error!(actor = %self.name, restarts, "actor panicked at its end"),
            ExitReason::GaveUp(_) => tracing::error!(actor = %self.name, restarts, "actor panicked, given up"),
        }
        self.tell(ChildExit::Ended { reason, restarts });
    }

    fn tell(&mut self, exit: ChildExit) {
        quietly(|| (self.on_exit)(exit));
    }
}

impl Drop for Owner {
    /// Whoever held the child away without an end was its arbiter.
    fn drop(&mut self) {
        if !self.told_end {
            self.ended(ExitReason::ArbiterStopped);
        }
    }
}

fn quietly(act: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(act)) {
        tracing::error!("a panic while an actor was ended was caught");
        panic_text(payload);
    }
}

/// The text of a panic. A payload of another type is leaked: its drop could panic again.
fn panic_text(payload: Box<dyn Any + Send>) -> String {
    let payload = match payload.downcast::<&'static str>() {
        Ok(text) => return (*text).to_owned(),
        Err(payload) => payload,
    };
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => {
            std::mem::forget(payload);
            "a panic without text".to_owned()
        }
    }
}
