//! The actor of a connection without a socket, from its first token to its end.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use actix::{Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, Handler, Supervised, WrapFuture};
use tertulia_core::{
    command::Identity,
    id::UserId,
    session::{FailureReason, Phase},
};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    ConnectionContext, IntakeSettings, ReportedWait, StatusBoard,
    agent::{AgentSessions, RestSender},
    backlog::{Backlog, Emptying},
    grant::{Grant, NotGranted},
    hold_back::HoldBack,
    notes::Notes,
    outgoing_counts::OutgoingCounts,
    send::Sender,
    tokens::Tokens,
    turns::Turns,
};
use crate::{
    connection::{
        ConnectionStatus, ProcessContext, Restart, Role, Stop,
        connection_record::{self, StoredConnection},
        duty,
        roster::{ChildContext, DueQueue, Roster, remembered},
    },
    conversation::ConversationSettings,
    frame_window::FrameWindow,
    platform::{AgentSession, HttpError},
    subscriber::EventData,
    supervision::Fairness,
};

/// How often ended conversations are checked.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// A connection without a socket. See [`super`] for what it does.
pub(crate) struct Intake {
    pub(super) settings: Arc<IntakeSettings>,
    pub(super) context: ConnectionContext,
    pub(super) identity: Arc<Identity>,
    pub(super) sender: Sender,
    /// The REST API, if an agent acts.
    pub(super) rest: Option<RestSender>,
    pub(super) roster: Roster<Notes>,
    /// The conversations that have ended, since when they have.
    pub(super) ended: DueQueue,
    pub(super) hold_back: HoldBack,
    /// The webhooks that other processes accepted for this connection.
    backlog: Arc<Backlog>,
    window: FrameWindow,
    pub(super) outgoing: OutgoingCounts,
    /// Ends delayed histories and running requests.
    pub(super) ending: CancellationToken,
    _ended: DropGuard,
    phase: Phase,
    attempts: u32,
    /// Whether the platform ever granted a token for these credentials.
    credentials_worked: bool,
    reported_wait: ReportedWait,
    /// Counts the starts, so that the response to a login of an earlier start is ignored.
    logins: u64,
    pub(super) fairness: Fairness,
}

impl Intake {
    /// Returns a connection that begins when its actor, whose address is `me`, starts. Call it on the actor's arbiter.
    #[must_use]
    pub(crate) fn new(
        settings: IntakeSettings,
        process: ProcessContext,
        status: Arc<watch::Sender<ConnectionStatus>>,
        backlog: Arc<Backlog>,
        window: FrameWindow,
        me: &Addr<Self>,
    ) -> Self {
        let (id, account, proxy) = (settings.id.clone(), settings.account.clone(), settings.proxy.clone());
        let status = StatusBoard::new(status);
        let ending = CancellationToken::new();
        let context = ConnectionContext::new(process, id, account.clone(), proxy, status.clone());
        let turns = Turns::new(settings.max_requests, settings.request_timeout);
        let grant = Grant::new(settings.login_backoff, status.clone());
        let rest = settings.agent.clone().map(|login| RestSender {
            client: context.client.clone(),
            agent: Arc::new(AgentSessions::new(login, Grant::new(settings.login_backoff, status))),
            turns: turns.clone(),
        });
        let sender = Sender {
            client: context.client.clone(),
            tokens: Arc::new(Tokens::new(settings.app.clone(), grant, settings.max_consumer_tokens)),
            client_properties: settings.client_properties.http_header().into(),
            turns,
        };
        let roster = Roster::of(
            me,
            ChildContext {
                process: &context.process,
                origin: &context.origin,
                client: &context.client,
                drill: settings.drill.clone(),
                settings: ConversationSettings {
                    dialect: settings.dialect(),
                    is_by_webhook: true,
                    history: settings.history,
                    limits: settings.limits,
                    sends_when_caught_up: false,
                },
                max_waiting_commands: settings.max_waiting_commands,
            },
        );
        Self {
            context,
            identity: Arc::new(Identity::Connector { account }),
            roster,
            settings: Arc::new(settings),
            sender,
            rest,
            ended: DueQueue::default(),
            hold_back: HoldBack::default(),
            backlog,
            window,
            outgoing: OutgoingCounts::default(),
            _ended: ending.clone().drop_guard(),
            ending,
            phase: Phase::Idle,
            attempts: 0,
            credentials_worked: false,
            reported_wait: ReportedWait::default(),
            logins: 0,
            fairness: Fairness::default(),
        }
    }

    pub(super) fn is_ready(&self) -> bool {
        self.phase == Phase::Ready
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase
    }

    pub(super) fn has_failed(&self) -> bool {
        matches!(self.phase, Phase::Failed(_))
    }

    fn enter(&mut self, phase: Phase) {
        let was_ready = self.is_ready();
        self.phase = phase;
        match (was_ready, self.is_ready()) {
            (false, true) => {
                self.context.metrics().connections_ready.inc();
            }
            (true, false) => {
                self.context.metrics().connections_ready.dec();
            }
            _ => {}
        }
        self.update_status();
    }

    pub(super) fn update_status(&self) {
        self.context.status.show_identity(Some(&self.identity), None, None);
        self.context.status.show(self.phase, self.attempts, 0, self.roster.len());
    }

    /// Tries the credentials: the agent's credentials if an agent acts, otherwise the application's.
    fn log_in(&mut self, begins: bool, ctx: &mut Context<Self>) {
        let Sender { client, tokens, .. } = self.sender.clone();
        self.enter(Phase::LoggingIn);
        let agent = self.rest.as_ref().map(|rest| Arc::clone(&rest.agent));
        let (has_worked, login) = (self.credentials_worked, self.logins);
        let granted = async move {
            match agent {
                Some(agent) => {
                    if begins {
                        agent.begin(has_worked).await;
                    }
                    agent.session(&client, None).await.map(Some)
                }
                None => {
                    if begins {
                        tokens.begin(has_worked).await;
                    }
                    tokens.app(&client, None).await.map(|_| None)
                }
            }
        };
        ctx.spawn(granted.into_actor(self).map(move |granted, intake, ctx| {
            if login == intake.logins {
                intake.logged_in(granted, ctx);
            }
        }));
    }

    fn logged_in(&mut self, granted: Result<Option<AgentSession>, NotGranted>, ctx: &mut Context<Self>) {
        let NotGranted { error, is_final, until } = match granted {
            Ok(session) => {
                self.context.metrics().logins.inc();
                self.credentials_worked = true;
                if let Some(AgentSession { agent_id, user_id, name, .. }) = session {
                    let user_id = user_id.unwrap_or_else(|| UserId::from(agent_id.as_str()));
                    let account = self.settings.account.clone();
                    self.identity = Arc::new(Identity::Brand { account, agent_id, user_id, name });
                }
                return self.begin();
            }
            Err(refused) => refused,
        };
        self.context.metrics().logins_refused.inc();
        self.context.note_error(&error);
        self.attempts += 1;
        if is_final {
            return self.fail(&error);
        }
        self.enter(Phase::WaitingToLogIn);
        if let Some(waiting) = self.context.status.waiting() {
            self.reported_wait.report(waiting, &self.context);
        }
        let login = self.logins;
        ctx.run_later(until.saturating_duration_since(tokio::time::Instant::now()), move |intake, ctx| {
            if login == intake.logins {
                intake.log_in(false, ctx);
            }
        });
    }

    /// Starts for the first time or again.
    fn start(&mut self, ctx: &mut Context<Self>) {
        self.logins += 1;
        if self.settings.role() == Role::Intake {
            self.begin();
        } else {
            self.log_in(true, ctx);
        }
    }

    fn begin(&mut self) {
        self.attempts = 0;
        self.reported_wait.clear();
        self.hold_back.set(false);
        self.enter(Phase::Ready);
        self.context.publish(EventData::Connected {});
        self.context.publish(self.context.status.resumed(self.roster.len(), 0, 0));
        self.tell_children_ready();
    }

    /// Handles what other processes have accepted for this connection, now and from now on.
    fn empty_inbox(&self, ctx: &mut Context<Self>) {
        let process = self.context.process.clone();
        if !process.journal.store().is_some_and(|store| store.is_shared()) {
            return;
        }
        let (id, backlog, window) = (self.settings.id.clone(), Arc::clone(&self.backlog), self.window.clone());
        let emptying = Emptying { id, process, backlog, window, connection: ctx.address() };
        ctx.spawn(emptying.run().into_actor(self));
    }

    fn fail(&mut self, error: &HttpError) {
        let reason = format!("{}: {error}", FailureReason::CredentialsRefused);
        self.end_in(FailureReason::CredentialsRefused, reason);
    }

    pub(super) fn end_in(&mut self, failure: FailureReason, reason: String) {
        tracing::error!(connection = %self.settings.id, reason, "connection failed");
        self.enter(Phase::Failed(failure));
        self.roster.tell_failed();
        self.context.publish(EventData::Failed { reason });
    }
}

impl Actor for Intake {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(SWEEP_EVERY, |intake, _| {
            intake.sweep_children(Instant::now());
            intake.let_sleep();
        });
        if self.roster.is_restored() {
            self.empty_inbox(ctx);
        }
        if self.is_ready() {
            return;
        }
        let (process, id) = (self.context.process.clone(), self.settings.id.clone());
        let is_first = !self.roster.is_restored();
        let remembering = async move {
            // The conversations go on after a panic, and their steps are refused once the duty is taken again.
            if is_first {
                duty::take(&process, &id).await;
            }
            let StoredConnection { holds, .. } = connection_record::stored(&process.journal, &id).await;
            let loaded = holds.iter().map(|(conversation, _)| conversation.clone()).collect();
            (remembered(&process.journal, &id, loaded).await, holds)
        };
        ctx.spawn(remembering.into_actor(self).map(move |(conversations, holds), intake, ctx| {
            // With this login conversations were held, so its credentials have worked.
            intake.credentials_worked |= !conversations.is_empty();
            intake.roster.restore(conversations);
            if is_first {
                intake.take_up_holds(holds);
                intake.empty_inbox(ctx);
            }
            intake.start(ctx);
        }));
    }
}

impl Drop for Intake {
    /// However the connection ended (stopped, given up, or with its arbiter), its conversations end with it.
    fn drop(&mut self) {
        if self.is_ready() {
            self.context.metrics().connections_ready.dec();
        }
        self.roster.forget_all();
    }
}

impl Supervised for Intake {
    /// After a panic only the notification that was being routed is suspect; the conversations stay.
    fn restarting(&mut self, _: &mut Self::Context) {
        self.hold_back.set(self.has_failed());
    }
}

impl Handler<Restart> for Intake {
    type Result = ();

    fn handle(&mut self, _: Restart, ctx: &mut Self::Context) {
        if matches!(self.phase, Phase::Idle | Phase::Stopped) {
            return;
        }
        tracing::info!(connection = %self.settings.id, "the connection restarts on request");
        self.attempts = 0;
        self.start(ctx);
    }
}

impl Handler<Stop> for Intake {
    type Result = ();

    fn handle(&mut self, _: Stop, ctx: &mut Self::Context) {
        self.ending.cancel();
        self.enter(Phase::Stopped);
        ctx.stop();
    }
}
