//! The connection actor: drives the session, owns the socket, and supervises the conversations of one login.

use std::{collections::HashSet, sync::Arc, time::Duration};

use actix::{Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, Handler, Supervised, WrapFuture};
use bytes::Bytes;
use tertulia_core::{
    refusal::LoginPace,
    session::{FailureReason, Input, Phase},
    subscription::Subscriptions,
    ums::RepeatedFrames,
};
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    ConnectionContext, ConnectionSettings, ConnectionStatus, ProcessContext, StatusBoard, Stop,
    arrivals::Arrivals,
    availability::Availability,
    command_queue::CommandQueue,
    creation_queue::CreationQueue,
    departures::Departures,
    identity_record,
    link::{Link, WRITE_QUEUE},
    login_right::LoginRight,
    parts::Parts,
    principal::Principal,
    recovery_queue::RecoveryQueue,
    request_table::RequestTable,
    resume_plan::ResumePlan,
    ring_table::RingTable,
    roster::{ChildContext, Roster, remembered},
    session::SessionDriver,
    step_up_progress::StepUpProgress,
    subscription_callers::SubscriptionCallers,
    token_queue::TokenQueue,
    waiter::OwnRequest,
    waits::Waits,
};
use crate::{
    connection::{
        connection_record::{self, ConnectionRecord, StoredConnection},
        duty,
    },
    conversation::{ConversationSettings, FramePermit},
    engine::SendGate,
    frame_window::FrameWindow,
    subscriber::EventData,
};

/// How often request deadlines and departed conversations are checked.
const SWEEP_EVERY: Duration = Duration::from_millis(250);

/// The connection of one login, with a socket. Drives the session and supervises the login's conversations.
///
/// Each concern has a field of its own, whose type decides and knows nothing of the connection. The files with
/// `impl Connection` act.
pub(crate) struct Connection {
    pub(super) settings: Arc<ConnectionSettings>,
    pub(super) context: ConnectionContext,
    /// The address of this actor.
    pub(super) me: Addr<Self>,
    pub(super) session: SessionDriver,
    pub(super) login_right: LoginRight,
    pub(super) principal: Principal,
    pub(super) step_up: StepUpProgress,
    /// The running HTTP requests with the token of the login.
    pub(super) lookups: TaskTracker,
    /// Forwarded requests that wait for the token.
    pub(super) token_queue: TokenQueue,
    /// Cancels forwarded requests when the connection ends.
    pub(super) ending: CancellationToken,
    pub(super) link: Link,
    pub(super) waits: Waits,
    pub(super) requests: RequestTable<OwnRequest>,
    pub(super) commands: CommandQueue,
    pub(super) recovery: RecoveryQueue,
    /// Kept over all sockets, because the platform counts per login.
    pub(super) pace: LoginPace,
    pub(super) plan: ResumePlan,
    pub(super) parts: Parts,
    pub(super) availability: Availability,
    /// The subscriptions. A notification that must wait for the response to its subscription keeps its permit.
    pub(super) subscriptions: Subscriptions<(Bytes, FramePermit)>,
    pub(super) subscription_callers: SubscriptionCallers,
    pub(super) repeated: RepeatedFrames,
    /// Whether frames of states are presumed to be usual on this socket.
    pub(super) presumes: bool,
    pub(super) rings: RingTable,
    pub(super) arrivals: Arrivals,
    pub(super) creations: CreationQueue,
    pub(super) roster: Roster<()>,
    pub(super) departures: Departures,
    /// What the store keeps about the connection itself.
    pub(super) record: ConnectionRecord,
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
        let (id, account, proxy) = (settings.id.clone(), settings.account.clone(), settings.proxy.clone());
        let context = ConnectionContext::new(process, id, account, proxy, StatusBoard::new(status));
        let roster = Roster::of(
            &me,
            ChildContext {
                process: &context.process,
                origin: &context.origin,
                client: &context.client,
                drill: settings.drill.clone(),
                settings: ConversationSettings {
                    dialect: settings.dialect(),
                    is_by_webhook: false,
                    history: settings.history,
                    limits: settings.limits,
                    sends_when_caught_up: true,
                },
                max_waiting_commands: settings.max_waiting_commands,
            },
        );
        let window = FrameWindow::new(settings.max_unhandled_frames, Arc::clone(&context.process.unhandled));
        let link = Link::new(window, SendGate::new(context.process.cluster.tenure()));
        Self {
            context,
            me,
            session: SessionDriver::new(settings.policy.clone()),
            login_right: LoginRight::default(),
            principal: Principal::default(),
            step_up: StepUpProgress::default(),
            lookups: TaskTracker::new(),
            token_queue: TokenQueue::default(),
            ending: CancellationToken::new(),
            link,
            waits: Waits::default(),
            requests: RequestTable::new(settings.max_requests.min(WRITE_QUEUE)),
            commands: CommandQueue::default(),
            recovery: RecoveryQueue::default(),
            pace: LoginPace::default(),
            plan: ResumePlan::default(),
            parts: Parts::default(),
            availability: Availability::new(settings.agent_state.clone()),
            subscriptions: Subscriptions::default(),
            subscription_callers: SubscriptionCallers::default(),
            repeated: RepeatedFrames::default(),
            presumes: true,
            rings: RingTable::default(),
            arrivals: Arrivals::default(),
            creations: CreationQueue::default(),
            roster,
            departures: Departures::default(),
            record: ConnectionRecord::default(),
            settings: Arc::new(settings),
        }
    }

    pub(super) fn update_status(&self) {
        self.show_identity();
        let (attempts, reconnects) = (self.session.attempts(), self.session.reconnects());
        self.context.status.show(*self.session.phase(), attempts, reconnects, self.roster.len());
    }

    /// Writes the user id, the agent id and the agent's state into the status.
    pub(super) fn show_identity(&self) {
        let identity = self.principal.identity().map(Arc::as_ref);
        self.context.status.show_identity(identity, self.principal.consumer_id(), self.availability.confirmed());
    }

    /// Exports the fill levels of the connection's own queues.
    fn show_queues(&self) {
        self.context.counted.frames_waiting.set(i64::try_from(self.link.unhandled()).unwrap_or(i64::MAX));
        self.context.counted.requests_in_flight.set(i64::try_from(self.requests.len()).unwrap_or(i64::MAX));
    }

    pub(super) fn fail(&mut self, reason: FailureReason) {
        let reason = match self.context.status.last_error() {
            Some(error) => format!("{reason}: {error}"),
            None => reason.to_string(),
        };
        tracing::error!(connection = %self.settings.id, reason, "connection failed");
        self.lose_socket();
        self.fail_creations();
        self.fail_step_up();
        self.roster.tell_failed();
        self.login_right.give_back();
        self.context.publish(EventData::Failed { reason });
    }

    /// Drops everything that ends with a socket: requests in flight, subscriptions, the resume plan.
    pub(super) fn lose_socket(&mut self) {
        self.link.drop_socket();
        self.forget_socket();
    }

    fn forget_socket(&mut self) {
        self.plan.socket_lost();
        let lost = self.subscriptions.socket_lost();
        self.carry_out_all(lost);
        self.repeated.clear();
        self.presumes = true;
        // An offer whose acceptance was lost is still open and must be accepted again.
        self.rings = RingTable::default();
        self.availability.socket_lost();
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
        if self.roster.is_restored() {
            return self.claim(ctx);
        }
        let (process, id) = (self.context.process.clone(), self.settings.id.clone());
        let remembering = async move {
            duty::take(&process, &id).await;
            let journal = &process.journal;
            let identity = identity_record::stored(journal, process.seal.as_deref(), &id).await;
            let StoredConnection { record, .. } = connection_record::stored(journal, &id).await;
            (identity, record, remembered(journal, &id, HashSet::new()).await)
        };
        ctx.spawn(remembering.into_actor(self).map(|(identity, record, conversations), connection, ctx| {
            if !conversations.is_empty() {
                // With this login conversations were held, so its credentials have worked.
                connection.session.trust_credentials();
            }
            connection.roster.restore(conversations);
            connection.take_up_identity(identity);
            connection.take_up_record(record);
            connection.claim(ctx);
        }));
    }
}

impl Drop for Connection {
    /// However the connection ended (stopped, given up, or with its arbiter), its conversations end with it.
    fn drop(&mut self) {
        self.ending.cancel();
        self.session.end(&self.context.process.metrics);
        self.roster.forget_all();
    }
}

impl Supervised for Connection {
    /// After a panic the state of the socket is suspect: the socket is dropped, and the session restarts. The
    /// conversations stay; the resume plan brings them up to date.
    fn restarting(&mut self, _: &mut Self::Context) {
        self.lose_socket();
        self.restart_step_up();
        self.session.restart(self.settings.policy.clone(), &self.context.process.metrics);
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
