//! The future that owns an actor: catches its panics, keeps its address and queue, restarts it, and reports to its
//! owner.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, Waker};

use actix::dev::{ContextFut, channel};
use actix::fut::ActorFuture;
use actix::{Actor, ActorContext, ActorState, Addr, ArbiterHandle, AsyncContext, Context, Supervised};
use tokio::time::{Instant, Sleep, sleep};

use super::exit::{ChildExit, ExitReason, Named, Owner, Parent, panic_text, quietly};
use super::failure::{ActorPanic, during};
use super::restart::{Intensity, RestartPolicy};

/// How a child is guarded. Many children share one policy, and each has a small parent.
pub(crate) struct GuardOptions<P = Named> {
    /// Receives every transition.
    pub parent: P,
    /// When the child is restarted and when it is given up.
    pub policy: Arc<RestartPolicy>,
    /// The capacity of the mailbox, at least 1. Advisory, as in actix: use a [`Depth`](super::Depth) for a hard bound.
    pub mailbox: usize,
}

impl GuardOptions {
    /// Returns options with a closure that receives the transitions, the default policy and a mailbox of 1024 messages.
    /// `name` is the child's label in the log: ids, never content.
    pub(crate) fn new(name: impl Into<Arc<str>>, on_exit: impl FnMut(ChildExit) + Send + 'static) -> Self {
        Self::of(Named { name: name.into(), on_exit: Box::new(on_exit) }, Arc::default())
    }
}

impl<P: Parent> GuardOptions<P> {
    /// Returns options with a mailbox of 1024 messages.
    pub(crate) fn of(parent: P, policy: Arc<RestartPolicy>) -> Self {
        Self { parent, policy, mailbox: 1024 }
    }
}

impl<P> fmt::Debug for GuardOptions<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardOptions")
            .field("policy", &self.policy)
            .field("mailbox", &self.mailbox)
            .finish_non_exhaustive()
    }
}

/// Starts a guarded actor on the current arbiter.
///
/// After a panic anywhere in the actor (handlers, its futures, `started`, `restarting`), `restarting` is called after
/// the back-off, then `started` again: arm timers and streams there. The message being handled is lost; the queue is
/// kept. Inside `restarting`, [`failure`](super::failure()) returns the panic. When a child is given up, `restarting`
/// is called once more, so that it can save the message it was handling, but `started` is not. `stopped` is not called
/// after a panic. A panic in `create` unwinds to the caller.
pub(crate) fn start_guarded<A, P>(options: GuardOptions<P>, create: impl FnOnce(&mut Context<A>) -> A) -> Addr<A>
where
    A: Actor<Context = Context<A>> + Supervised,
    P: Parent,
{
    let (sender, receiver) = channel::channel(options.mailbox.max(1));
    let mut ctx = Context::with_receiver(receiver);
    let actor = create(&mut ctx);
    actix_rt::spawn(Guard::new(ctx.into_future(actor), options.policy, Owner::of(options.parent)));
    Addr::new(sender)
}

/// Starts a guarded actor on another arbiter; messages queue until it runs. The parent receives a panic in `create` and
/// the case that the arbiter has stopped.
pub(crate) fn start_guarded_in<A, P>(
    arbiter: &ArbiterHandle,
    options: GuardOptions<P>,
    create: impl FnOnce(&mut Context<A>) -> A + Send + 'static,
) -> Addr<A>
where
    A: Actor<Context = Context<A>> + Supervised,
    P: Parent + Send,
{
    let (sender, receiver) = channel::channel(options.mailbox.max(1));
    let policy = options.policy;
    let mut owner = Owner::of(options.parent);
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

struct Guard<A: Actor<Context = Context<A>> + Supervised, P: Parent> {
    /// `None` after the child has ended.
    child: Option<ContextFut<A, Context<A>>>,
    /// The wait before a restart. The child does not run meanwhile.
    pause: Option<Box<Pause>>,
    policy: Arc<RestartPolicy>,
    /// `None` until the first panic.
    intensity: Option<Box<Intensity>>,
    owner: Owner<P>,
}

struct Pause {
    sleep: Pin<Box<Sleep>>,
    panic: String,
}

impl<A: Actor<Context = Context<A>> + Supervised, P: Parent> Guard<A, P> {
    fn new(child: ContextFut<A, Context<A>>, policy: Arc<RestartPolicy>, owner: Owner<P>) -> Self {
        Self { child: Some(child), pause: None, policy, intensity: None, owner }
    }

    /// Polls the child until it waits, ends or panics. The child is kept after its panic, because dropping an actor
    /// while unwinding runs its `stopped`, and a second panic there aborts the process.
    fn run(&mut self, cx: &mut std::task::Context<'_>) -> Poll<()> {
        loop {
            if let Some(pause) = &mut self.pause {
                std::task::ready!(pause.sleep.as_mut().poll(cx));
            }
            let Some(child) = &mut self.child else { return Poll::Ready(()) };
            let pause = self.pause.take();
            let outcome = catch_unwind(AssertUnwindSafe(|| {
                if let Some(pause) = pause {
                    let failure = ActorPanic { panic: pause.panic, is_last: false };
                    if !during(failure, || revive(child)) {
                        return Poll::Ready(());
                    }
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
        match self.intensity.get_or_insert_default().permit(&self.policy, Instant::now()) {
            None => {
                let failure = ActorPanic { panic: panic.clone(), is_last: true };
                quietly(|| {
                    during(failure, || child.restart());
                });
                self.end(ExitReason::GaveUp(panic));
            }
            Some(recent) => {
                let after = self.policy.backoff.delay(recent - 1, rand::random());
                self.pause = Some(Box::new(Pause { sleep: Box::pin(sleep(after)), panic: panic.clone() }));
                self.owner.restarting(panic, after);
            }
        }
    }

    fn end(&mut self, reason: ExitReason) {
        self.pause = None;
        self.discard();
        self.owner.ended(reason);
    }

    /// Drops the child without calling its hooks again, and closes its address.
    fn discard(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.ctx().terminate();
            quietly(|| drop(child));
        }
    }
}

/// Restarts the actor; returns `false` if every address of it was dropped.
///
/// actix numbers the actor's futures from one again, but still applies the cancellations that the panicking call
/// requested: a timer armed in `started` could have the number of a cancelled future and silently never run. Therefore
/// futures that do nothing take the used numbers first, at most 1024 of them. This keeps a restart cheap and makes the
/// collision very unlikely.
fn revive<A: Actor<Context = Context<A>> + Supervised>(child: &mut ContextFut<A, Context<A>>) -> bool {
    let taken = child.ctx().spawn(Nothing).into_usize();
    let revived = child.restart();
    if revived {
        for _ in 0..taken.min(1024) {
            child.ctx().spawn(Nothing);
        }
    }
    revived
}

struct Nothing;

impl<A: Actor> ActorFuture<A> for Nothing {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut A, _: &mut A::Context, _: &mut std::task::Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }
}

impl<A: Actor<Context = Context<A>> + Supervised, P: Parent> Future for Guard<A, P> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<()> {
        self.get_mut().run(cx)
    }
}

impl<A: Actor<Context = Context<A>> + Supervised, P: Parent> Drop for Guard<A, P> {
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

#[cfg(test)]
mod tests;
