//! The connection actor: drives the session, owns the socket, and supervises the conversations of one login.

use std::{sync::Arc, time::Duration};

use actix::{Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, Handler, Supervised, WrapFuture};
use tertulia_core::{
    command::{Identity, Isolation},
    readiness::Readiness,
    refusal::LoginPace,
    session::{FailureReason, Input, Phase},
    subscription::SubscriptionKey,
    ums::{AgentState, RepeatedFrames},
};
use tokio::sync::watch;

use super::{
    ConnectionSettings, ConnectionStatus, ProcessContext, Stop,
    arrivals::Arrivals,
    children::Left,
    closing::ClosingWords,
    commands::Held,
    creation::Creations,
    drive::Drive,
    identity::{self, Anonymity},
    lease::LoginRight,
    link::Link,
    login::Credentials,
    lookup::Lookups,
    readiness::Refused,
    recovery::RecoveryQueue,
    requests::RequestTable,
    resume::Resuming,
    rings::RingTable,
    roster::{ChildContext, Roster, remembered},
    step_up::SteppingUp,
    subscriptions::Subscribed,
    waiting::Waits,
};
use crate::{
    conversation::ConversationSettings,
    log::Subject,
    metrics::{ConnectionMetrics, Metrics},
    platform::PlatformClient,
    subscriber::{EventData, Origin},
};

/// How often request deadlines and departed conversations are checked.
const SWEEP_EVERY: Duration = Duration::from_millis(250);

/// Requests whose responses the connection itself needs before it handles the next frame.
pub(super) enum OwnRequest {
    KeepAlive,
    Verify,
    Subscribe(SubscriptionKey),
    SubscribeRings,
}

/// The connection of one login, with a socket. Drives the session and supervises the login's conversations.
pub(crate) struct Connection {
    pub(super) settings: Arc<ConnectionSettings>,
    pub(super) process: ProcessContext,
    pub(super) counted: Arc<ConnectionMetrics>,
    pub(super) origin: Arc<Origin>,
    pub(super) client: PlatformClient,
    pub(super) session: Drive,
    pub(super) credentials: Option<Credentials>,
    pub(super) identity: Option<Arc<Identity>>,
    /// Counts changes of the consumer, so that a login for an earlier consumer is ignored.
    pub(super) identities: u64,
    pub(super) anonymity: Anonymity,
    pub(super) stepping_up: Option<SteppingUp>,
    pub(super) lookups: Lookups,
    pub(super) link: Link,
    pub(super) requests: RequestTable<OwnRequest>,
    /// The commands in flight, and the commands that wait because some are suspected of ending sockets.
    pub(super) isolation: Isolation<Held>,
    /// Kept over all sockets, because the platform counts per login.
    pub(super) pace: LoginPace,
    pub(super) recovery: RecoveryQueue,
    pub(super) readiness: Readiness,
    pub(super) refused: Refused,
    pub(super) subscribed: Subscribed,
    pub(super) repeated: RepeatedFrames,
    pub(super) rings: RingTable,
    pub(super) arrivals: Arrivals,
    pub(super) agent_state: Option<AgentState>,
    pub(super) roster: Roster<()>,
    /// Conversations that left this connection.
    pub(super) left: Left,
    /// Whether a complete snapshot was received: a conversation that is new after it began while the connection was
    /// there.
    pub(super) snapshot_taken: bool,
    pub(super) creations: Creations,
    pub(super) status: Arc<watch::Sender<ConnectionStatus>>,
    /// The resume plan, until it is complete.
    pub(super) resuming: Option<Resuming>,
    /// Whether commands may be sent: the snapshots have shown which conversations the connection has, or the resume
    /// plan continues without them.
    pub(super) linked: bool,
    /// The address of this actor.
    pub(super) me: Addr<Self>,
    /// Whether the conversations of the previous run are restored.
    restored: bool,
    pub(super) login_right: LoginRight,
    pub(super) waits: Waits,
    pub(super) closing_words: ClosingWords,
}

impl Connection {
    /// Returns a connection that begins when its actor, whose address is `me`, starts. Call it on the actor's arbiter.
    #[must_use]
    pub(crate) fn new(
        settings: ConnectionSettings,
        process: ProcessContext,
        status: Arc<watch::Sender<ConnectionStatus>>,
        me: Addr<Self>,
    ) -> Self {
        let (id, account) = (settings.id.clone(), settings.account.clone());
        let origin = Arc::new(Origin { account: account.clone(), connection: id.clone() });
        let counted = process.metrics.by_connection.of(&id);
        let client = PlatformClient::through(settings.proxy.clone(), Arc::clone(&process.platform), account);
        let context = ChildContext {
            process: &process,
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
        let roster = Roster::of(&me, context);
        Self {
            session: Drive::new(settings.policy.clone()),
            link: Link::new(settings.max_unhandled_frames),
            isolation: Isolation::default(),
            pace: LoginPace::default(),
            recovery: RecoveryQueue::default(),
            readiness: Readiness::default(),
            refused: Refused::default(),
            requests: RequestTable::new(settings.max_requests.min(super::link::WRITE_QUEUE)),
            agent_state: settings.agent_state.clone(),
            roster,
            settings: Arc::new(settings),
            counted,
            process,
            origin,
            client,
            credentials: None,
            identity: None,
            identities: 0,
            anonymity: Anonymity::default(),
            stepping_up: None,
            lookups: Lookups::default(),
            subscribed: Subscribed::default(),
            repeated: RepeatedFrames::default(),
            rings: RingTable::default(),
            arrivals: Arrivals::default(),
            left: Left::default(),
            snapshot_taken: false,
            creations: Creations::default(),
            status,
            resuming: None,
            linked: false,
            me,
            restored: false,
            login_right: LoginRight::default(),
            waits: Waits::default(),
            closing_words: ClosingWords::default(),
        }
    }

    /// The status before the connection has started.
    #[must_use]
    pub(crate) fn idle_status() -> ConnectionStatus {
        ConnectionStatus::idle()
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.process.metrics
    }

    pub(super) fn publish(&self, data: EventData) {
        self.process.log.publish(&self.origin, Subject::Connection, data);
    }

    pub(super) fn update_status(&self) {
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

    /// Exports the fill levels of the connection's own queues.
    fn show_queues(&self) {
        self.counted.frames_waiting.set(i64::try_from(self.link.unhandled()).unwrap_or(i64::MAX));
        self.counted.requests_in_flight.set(i64::try_from(self.requests.len()).unwrap_or(i64::MAX));
    }

    pub(super) fn note_error(&self, error: &dyn std::fmt::Display) {
        tracing::warn!(connection = %self.settings.id, %error, "connection trouble");
        self.status.send_modify(|status| status.last_error = Some(error.to_string()));
    }

    pub(super) fn fail(&mut self, reason: FailureReason) {
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
        self.login_right.give_back();
        self.publish(EventData::Failed { reason });
    }

    /// Drops everything that ends with a socket: requests in flight, subscriptions, the resume plan.
    pub(super) fn lose_socket(&mut self) {
        self.link.drop_socket();
        self.forget_socket();
    }

    fn forget_socket(&mut self) {
        self.linked = false;
        self.resuming = None;
        let lost = self.subscribed.state.socket_lost();
        self.carry_out_all(lost);
        self.repeated.clear();
        // An offer whose acceptance was lost is still open and must be accepted again.
        self.rings = RingTable::default();
        self.fail_requests();
        self.roster.tell_lost();
        self.lacks_socket();
    }

    pub(super) fn close_socket(&mut self, code: u16) {
        self.link.close(code);
        // The platform may never respond, and nothing more that it sends is handled.
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
        let (journal, id) = (Arc::clone(&self.process.journal), self.settings.id.clone());
        let remembering = async move { (identity::stored(&journal, &id).await, remembered(&journal, &id).await) };
        ctx.spawn(remembering.into_actor(self).map(|(stored, conversations), connection, ctx| {
            connection.restored = true;
            if !conversations.is_empty() {
                // With this login conversations were held, so its credentials have worked.
                connection.session.trust_credentials();
            }
            connection.roster.restore(conversations);
            connection.take_up_identity(stored);
            connection.claim(ctx);
        }));
    }
}

impl Drop for Connection {
    /// However the connection ended (stopped, given up, or with its arbiter), its conversations end with it.
    fn drop(&mut self) {
        self.session.end(&self.process.metrics);
        self.roster.forget_all();
    }
}

impl Supervised for Connection {
    /// After a panic the state of the socket is suspect: the socket is dropped, and the session restarts. The
    /// conversations stay; the resume plan brings them up to date.
    fn restarting(&mut self, _: &mut Self::Context) {
        self.lose_socket();
        self.restart_step_up();
        self.lookups = Lookups::default();
        self.session.restart(self.settings.policy.clone(), &self.process.metrics);
        self.login_right.restart();
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
