//! The connection actor: drives the session, owns the socket, and supervises the conversations of one login.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use actix::{
    Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, Handler, SpawnHandle, Supervised, WrapFuture,
};
use tertulia_core::{
    command::{Identity, Isolation},
    id::SubscriptionId,
    readiness::Readiness,
    refusal::{LoginPace, RequestType},
    session::{Epoch, FailureReason, Input, Millis, Output, Phase, Report, Session, Wait, WaitReason},
    subscription::SubscriptionKey,
    ums::{AgentState, RepeatedFrames},
};
use tokio::sync::{Semaphore, watch};
use tracing::{Span, field::Empty};

use super::{
    ConnectionSettings, ConnectionStatus, Stop, Surroundings,
    arrivals::Arrivals,
    children::Left,
    commands::Held,
    creation::Creation,
    identity::{self, Anonymity},
    link::SocketWriter,
    login::Credentials,
    readiness::Told,
    recovery::{Again, RecoveryQueue},
    requests::RequestTable,
    resume::Resuming,
    rings::RingTable,
    roster::{Grounds, Roster, remembered},
    step_up::SteppingUp,
    subscriptions::Subscribed,
};
use crate::{
    conversation::ConversationSettings,
    engine::Lease,
    metrics::{ConnectionMetrics, Metrics},
    platform::PlatformClient,
    subscriber::{EventData, Origin, Subject},
};

/// How often request deadlines and leaving conversations are looked at.
const SWEEP_EVERY: Duration = Duration::from_millis(250);

/// The connection itself waits for these answers, because it must act before the next frame is looked at.
pub(super) enum OwnRequest {
    KeepAlive,
    Verify,
    Subscribe(SubscriptionKey),
    SubscribeRings,
}

/// One login's connection. See [`super`] for what it does.
pub struct Connection {
    pub(super) settings: Arc<ConnectionSettings>,
    pub(super) around: Surroundings,
    pub(super) counted: Arc<ConnectionMetrics>,
    pub(super) origin: Arc<Origin>,
    pub(super) client: PlatformClient,
    pub(super) session: Session,
    pub(super) started: Instant,
    pub(super) credentials: Option<Credentials>,
    pub(super) identity: Option<Arc<Identity>>,
    /// How often a consumer became another one: a login for an earlier one is of no use.
    pub(super) identities: u64,
    pub(super) anonymity: Anonymity,
    pub(super) stepping_up: Option<SteppingUp>,
    /// Questions on their way by HTTP.
    pub(super) lookups: usize,
    pub(super) socket: Option<SocketWriter>,
    pub(super) window: Arc<Semaphore>,
    pub(super) requests: RequestTable<OwnRequest>,
    /// Which commands are in flight, and which wait because some are suspected of ending sockets.
    pub(super) isolation: Isolation<Held>,
    /// Over all sockets, as the platform counts.
    pub(super) pace: LoginPace,
    pub(super) recovery: RecoveryQueue,
    /// What is asked again, and when.
    pub(super) tries: Vec<(Millis, Again)>,
    /// How often in a row each type of the connection's own requests was not granted.
    pub(super) refusals: BTreeMap<RequestType, u32>,
    pub(super) readiness: Readiness,
    pub(super) told: Told,
    pub(super) subscribed: Subscribed,
    pub(super) repeated: RepeatedFrames,
    pub(super) ring_subscription: Option<SubscriptionId>,
    pub(super) rings: RingTable,
    pub(super) arrivals: Arrivals,
    pub(super) agent_state: Option<AgentState>,
    pub(super) roster: Roster<()>,
    /// Conversations that left.
    pub(super) left: Left,
    /// A whole snapshot was taken: what is new from now on came while the connection was there.
    pub(super) snapshot_taken: bool,
    pub(super) creations: VecDeque<Creation>,
    pub(super) status: Arc<watch::Sender<ConnectionStatus>>,
    /// From the beginning of an attempt until it is resumed or lost.
    connecting: Span,
    timer: Option<SpawnHandle>,
    /// The resume plan, until it was gone through.
    pub(super) resuming: Option<Resuming>,
    /// Whether commands may go out: who is here is known.
    pub(super) linked: bool,
    /// The address of this actor.
    pub(super) me: Addr<Self>,
    ready: bool,
    /// Whether the conversations of an earlier life are here.
    restored: bool,
    /// The right to log in, where the login has a name by which it can be had.
    pub(super) lease: Option<Lease>,
    /// Whether it is being asked for.
    pub(super) claims: bool,
    /// What the session was last told to wait for.
    pub(super) waiting: Option<Wait>,
    /// What was told as an event since the connection was last ready.
    pub(super) waited_for: Option<WaitReason>,
    /// What the end of the socket said of itself.
    pub(super) closing_words: Option<String>,
}

impl Connection {
    /// A connection that begins when its actor, whose address is `me`, starts. Is called on the actor's arbiter.
    #[must_use]
    pub fn new(
        settings: ConnectionSettings,
        around: Surroundings,
        status: Arc<watch::Sender<ConnectionStatus>>,
        me: Addr<Self>,
    ) -> Self {
        let (id, account) = (settings.id.clone(), settings.account.clone());
        let origin = Arc::new(Origin { account: account.clone(), connection: id.clone() });
        let counted = around.metrics.by_connection.of(&id);
        let client = PlatformClient::through(settings.proxy.clone(), Arc::clone(&around.platform), account);
        let grounds = Grounds {
            around: &around,
            origin: &origin,
            client: &client,
            drill: settings.drill.clone(),
            settings: ConversationSettings {
                dialect: settings.dialect(),
                is_by_webhook: false,
                history: settings.history,
                limits: settings.limits,
                sends_when_caught_up: true,
            },
            max_waiting_commands: settings.max_waiting_commands,
        };
        let roster = Roster::of(&me, grounds);
        Self {
            session: Session::new(settings.policy.clone()),
            started: Instant::now(),
            window: Arc::new(Semaphore::new(settings.max_unhandled_frames)),
            isolation: Isolation::default(),
            pace: LoginPace::default(),
            recovery: RecoveryQueue::default(),
            tries: Vec::new(),
            refusals: BTreeMap::new(),
            readiness: Readiness::default(),
            told: Told::default(),
            requests: RequestTable::new(settings.max_requests.min(super::link::WRITE_QUEUE)),
            agent_state: settings.agent_state.clone(),
            roster,
            settings: Arc::new(settings),
            counted,
            around,
            origin,
            client,
            credentials: None,
            identity: None,
            identities: 0,
            anonymity: Anonymity::default(),
            stepping_up: None,
            lookups: 0,
            socket: None,
            subscribed: Subscribed::default(),
            repeated: RepeatedFrames::default(),
            ring_subscription: None,
            rings: RingTable::default(),
            arrivals: Arrivals::default(),
            left: Left::default(),
            snapshot_taken: false,
            creations: VecDeque::new(),
            status,
            connecting: Span::none(),
            timer: None,
            resuming: None,
            linked: false,
            me,
            ready: false,
            restored: false,
            lease: None,
            claims: false,
            waiting: None,
            waited_for: None,
            closing_words: None,
        }
    }

    /// A status no connection has fed yet.
    #[must_use]
    pub fn idle_status() -> ConnectionStatus {
        ConnectionStatus::idle()
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.around.metrics
    }

    pub(super) fn publish(&self, data: EventData) {
        self.around.routing.publish(&self.origin, Subject::Connection, data);
    }

    pub(super) fn now(&self) -> Millis {
        Millis(u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    /// Feeds the session and carries out what it answers.
    pub(super) fn feed(&mut self, input: Input, ctx: &mut Context<Self>) {
        let now = self.now();
        let outputs = self.session.handle(input, now, &mut rand::random::<u64>);
        for output in outputs {
            self.carry_out(output, ctx);
        }
        self.after_step(ctx);
    }

    /// Feeds the outcome of an attempt; one of an earlier attempt changes nothing.
    pub(super) fn feed_of(&mut self, epoch: Epoch, input: Input, ctx: &mut Context<Self>) {
        if epoch == self.session.epoch() {
            self.feed(input, ctx);
        }
    }

    /// Notes a sign of life. The timer stays as it is: a tick that comes too early does no harm.
    pub(super) fn frame_received(&mut self) {
        let now = self.now();
        self.session.handle(Input::FrameReceived, now, &mut rand::random::<u64>);
    }

    fn after_step(&mut self, ctx: &mut Context<Self>) {
        let ready = self.session.may_send();
        if ready != self.ready {
            self.ready = ready;
            if ready {
                self.around.metrics.connections_ready.inc();
            } else {
                self.around.metrics.connections_ready.dec();
            }
        }
        self.update_status();
        self.tell_waiting();
        if let Some(timer) = self.timer.take() {
            ctx.cancel_future(timer);
        }
        if let Some(Millis(wake)) = self.session.next_wake() {
            let Millis(now) = self.now();
            let wait = Duration::from_millis(wake.saturating_sub(now));
            self.timer = Some(ctx.run_later(wait, |connection, ctx| {
                connection.timer = None;
                connection.feed(Input::Tick, ctx);
            }));
        }
    }

    fn update_status(&self) {
        let state = *self.session.phase();
        let (attempts, reconnects) = (self.session.attempts(), self.session.reconnects());
        let conversations = self.roster.len();
        self.status.send_if_modified(|status| {
            let changed = status.state != state;
            if changed {
                status.since = jiff::Timestamp::now();
            }
            let differs = changed
                || (status.attempts, status.reconnects, status.conversations) != (attempts, reconnects, conversations);
            (status.state, status.attempts, status.reconnects, status.conversations) =
                (state, attempts, reconnects, conversations);
            differs
        });
    }

    /// How full the connection's own queues are.
    fn show_queues(&self) {
        let held = self.settings.max_unhandled_frames.saturating_sub(self.window.available_permits());
        self.counted.frames_waiting.set(i64::try_from(held).unwrap_or(i64::MAX));
        self.counted.requests_in_flight.set(i64::try_from(self.requests.len()).unwrap_or(i64::MAX));
    }

    pub(super) fn note_error(&self, error: &dyn std::fmt::Display) {
        tracing::warn!(connection = %self.settings.id, %error, "connection trouble");
        self.status.send_modify(|status| status.last_error = Some(error.to_string()));
    }

    fn carry_out(&mut self, output: Output, ctx: &mut Context<Self>) {
        match output {
            Output::Claim => self.claim(ctx),
            Output::LogIn => self.log_in(ctx),
            Output::RefreshToken => self.refresh(ctx),
            Output::OpenSocket => self.open_socket(ctx),
            Output::Verify => self.verify(),
            Output::Resume { attempt, first } => self.begin_resume(attempt, first, ctx),
            Output::SendKeepAlive => self.keep_alive(),
            Output::CloseSocket { code } => self.close_socket(code),
            Output::Report(report) => self.report(report, ctx),
        }
    }

    fn report(&mut self, report: Report, ctx: &mut Context<Self>) {
        tracing::debug!(connection = %self.settings.id, ?report, "session");
        match report {
            Report::Connecting => {
                let attempt = self.session.attempts();
                self.connecting =
                    tracing::debug_span!("connect", connection = %self.settings.id, attempt, outcome = Empty);
            }
            Report::Waiting { .. } => {}
            Report::Connected => self.publish(EventData::Connected {}),
            Report::Disconnected(closure, reason) => {
                self.connecting_ended("disconnected");
                self.tell_closed(closure, reason);
                self.publish(EventData::Disconnected { code: closure.code, by: closure.by, reason });
            }
            Report::Resuming => self.publish(EventData::Resuming { attempt: self.session.attempts() }),
            Report::Resumed => {
                self.connecting_ended("resumed");
                if self.session.reconnects() > 0 {
                    self.metrics().reconnects.inc();
                }
            }
            Report::Failed(reason) => {
                self.connecting_ended("failed");
                self.fail(reason);
            }
            Report::Stopped => ctx.stop(),
        }
    }

    /// The span of an attempt ends with what became of it.
    fn connecting_ended(&mut self, outcome: &'static str) {
        self.connecting.record("outcome", outcome);
        self.connecting = Span::none();
    }

    fn fail(&mut self, reason: FailureReason) {
        let last_error = self.status.borrow().last_error.clone();
        let reason = match last_error {
            Some(error) => format!("{reason}: {error}"),
            None => reason.to_string(),
        };
        tracing::error!(connection = %self.settings.id, reason, "connection failed");
        self.lose_socket();
        self.fail_creations();
        self.fail_step_up();
        self.roster.tell_failed();
        self.lease = None;
        self.publish(EventData::Failed { reason });
    }

    /// Everything that ends with a socket: requests in flight, subscriptions, the resume plan.
    pub(super) fn lose_socket(&mut self) {
        self.socket = None;
        self.forget_socket();
    }

    fn forget_socket(&mut self) {
        self.linked = false;
        self.resuming = None;
        let lost = self.subscribed.state.socket_lost();
        self.carry_out_all(lost);
        self.repeated.clear();
        self.ring_subscription = None;
        // An offer whose acceptance was lost stands still, and is to be accepted again.
        self.rings = RingTable::default();
        self.fail_requests();
        self.roster.tell_lost();
        self.lacks_socket();
    }

    fn close_socket(&mut self, code: u16) {
        if let Some(socket) = &self.socket {
            socket.close(code);
        }
        // The other end may never answer, and nothing that it still says is listened to.
        self.forget_socket();
    }
}

impl Actor for Connection {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(SWEEP_EVERY, Self::sweep);
        if self.restored {
            return self.claim(ctx);
        }
        let (journal, id) = (Arc::clone(self.around.routing.journal()), self.settings.id.clone());
        let remembering = async move { (identity::stored(&journal, &id).await, remembered(&journal, &id).await) };
        ctx.spawn(remembering.into_actor(self).map(|(stored, conversations), connection, ctx| {
            connection.restored = true;
            if !conversations.is_empty() {
                // This login has had conversations: its credentials have worked.
                connection.session.trust_credentials();
            }
            connection.roster.restore(conversations);
            connection.take_up_identity(stored);
            connection.claim(ctx);
        }));
    }
}

impl Drop for Connection {
    /// However it ended, stopped, given up or with its arbiter: its conversations end with it.
    fn drop(&mut self) {
        if self.ready {
            self.around.metrics.connections_ready.dec();
        }
        self.roster.forget_all();
    }
}

impl Supervised for Connection {
    /// After a panic nothing of the socket can be trusted: it is dropped, and the session begins anew. The
    /// conversations stay; they are brought up to date by the resume plan.
    fn restarting(&mut self, _: &mut Self::Context) {
        self.lose_socket();
        self.timer = None;
        if std::mem::take(&mut self.ready) {
            self.around.metrics.connections_ready.dec();
        }
        self.restart_step_up();
        self.lookups = 0;
        let credentials_worked = self.session.credentials_worked();
        self.session = Session::new(self.settings.policy.clone());
        if credentials_worked {
            self.session.trust_credentials();
        }
        self.claims = false;
    }
}

impl Connection {
    fn sweep(&mut self, ctx: &mut Context<Self>) {
        self.expire_requests();
        self.try_due(ctx);
        self.send_commands();
        self.let_go();
        self.let_sleep();
        self.rings.forget_expired();
        self.arrivals.forget_closed();
        self.update_status();
        self.show_queues();
    }
}

impl Handler<Stop> for Connection {
    type Result = ();

    fn handle(&mut self, _: Stop, ctx: &mut Self::Context) {
        if matches!(self.session.phase(), Phase::Stopped) {
            ctx.stop();
        } else {
            self.feed(Input::Stop, ctx);
        }
    }
}
