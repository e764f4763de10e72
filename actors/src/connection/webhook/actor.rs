//! The actor of a connection without a socket, from its first token to its end.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use actix::{Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, Handler, Supervised, WrapFuture};
use tertulia_core::{
    command::Identity,
    id::UserId,
    session::{FailureReason, Phase, WaitReason},
};
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    IntakeSettings,
    agent::{AgentDesk, RestSender},
    children::Notes,
    grant::{Grant, NotGranted},
    send::Sender,
    tokens::Tokens,
};
use crate::{
    connection::{
        ConnectionStatus, ProcessContext, Restart, Role, Stop, Waiting,
        roster::{ChildContext, Roster, remembered},
    },
    conversation::ConversationSettings,
    metrics::{ConnectionMetrics, Metrics},
    platform::{AgentSession, HttpError, PlatformClient},
    subscriber::{EventData, Origin, Subject},
    supervision::Fairness,
};

/// How often ended conversations are checked.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// A connection without a socket. See [`super`] for what it does.
pub(crate) struct Intake {
    pub(super) settings: Arc<IntakeSettings>,
    pub(super) process: ProcessContext,
    pub(super) counted: Arc<ConnectionMetrics>,
    pub(super) origin: Arc<Origin>,
    pub(super) identity: Arc<Identity>,
    pub(super) sender: Sender,
    /// The REST API, if an agent acts.
    pub(super) rest: Option<RestSender>,
    pub(super) roster: Roster<Notes>,
    /// Whether webhooks are refused for a while because the conversations failed together.
    pub(super) held_back: bool,
    /// How often webhooks were refused for this reason.
    pub(super) times_held_back: u32,
    /// The number of requests sent so far; the next number is the id of the next request.
    pub(super) requests: u64,
    /// The number of conversations being opened.
    pub(super) opening: usize,
    /// Ends delayed histories and running requests.
    pub(super) ending: CancellationToken,
    _ended: DropGuard,
    pub(super) status: Arc<watch::Sender<ConnectionStatus>>,
    pub(super) phase: Phase,
    attempts: u32,
    /// Whether the platform ever granted a token for these credentials.
    credentials_worked: bool,
    /// The reason for waiting that was emitted as an event since the connection was last ready.
    waited_for: Option<WaitReason>,
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
        me: &Addr<Self>,
    ) -> Self {
        let account = settings.account.clone();
        let ending = CancellationToken::new();
        let origin = Arc::new(Origin { account: account.clone(), connection: settings.id.clone() });
        let counted = process.metrics.by_connection.of(&settings.id);
        let platform = Arc::clone(&process.platform);
        let client = PlatformClient::through(settings.proxy.clone(), platform, account.clone());
        let turns = Arc::new(Semaphore::new(settings.max_requests.max(1)));
        let within = settings.request_timeout;
        let grant = Grant::new(settings.login_backoff, Arc::clone(&status));
        let rest = settings.agent.clone().map(|login| RestSender {
            client: client.clone(),
            agent: Arc::new(AgentDesk::new(login, Grant::new(settings.login_backoff, Arc::clone(&status)))),
            turns: Arc::clone(&turns),
            within,
        });
        let sender = Sender {
            client: client.clone(),
            tokens: Arc::new(Tokens::new(settings.app.clone(), grant, settings.max_consumer_tokens)),
            client_properties: settings.client_properties.http_header().into(),
            turns,
            within,
        };
        let context = ChildContext {
            process: &process,
            origin: &origin,
            client: &client,
            drill: settings.drill.clone(),
            settings: ConversationSettings {
                dialect: settings.dialect(),
                is_by_webhook: true,
                history: settings.history,
                limits: settings.limits,
                sends_when_caught_up: false,
            },
            max_waiting_commands: settings.max_waiting_commands,
        };
        let roster = Roster::of(me, context);
        Self {
            origin,
            // A connector speaks for many consumers; the token of each request says for whom.
            identity: Arc::new(Identity::Consumer { account, user_id: UserId::from("") }),
            roster,
            counted,
            settings: Arc::new(settings),
            process,
            sender,
            rest,
            held_back: false,
            times_held_back: 0,
            requests: 0,
            opening: 0,
            _ended: ending.clone().drop_guard(),
            ending,
            status,
            phase: Phase::Idle,
            attempts: 0,
            credentials_worked: false,
            waited_for: None,
            logins: 0,
            fairness: Fairness::default(),
        }
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.process.metrics
    }

    pub(super) fn is_ready(&self) -> bool {
        self.phase == Phase::Ready
    }

    fn publish(&self, data: EventData) {
        self.process.routing.publish(&self.origin, Subject::Connection, data);
    }

    pub(super) fn enter(&mut self, phase: Phase) {
        let was_ready = self.is_ready();
        self.phase = phase;
        match (was_ready, self.is_ready()) {
            (false, true) => {
                self.metrics().connections_ready.inc();
            }
            (true, false) => {
                self.metrics().connections_ready.dec();
            }
            _ => {}
        }
        self.update_status();
    }

    pub(super) fn update_status(&self) {
        let (state, attempts, conversations) = (self.phase, self.attempts, self.roster.len());
        self.status.send_if_modified(|status| {
            let is_other = status.state != state;
            if is_other {
                status.since = jiff::Timestamp::now();
            }
            let differs = is_other || (status.attempts, status.conversations) != (attempts, conversations);
            (status.state, status.attempts, status.conversations) = (state, attempts, conversations);
            differs
        });
    }

    pub(super) fn note_error(&self, error: &dyn std::fmt::Display) {
        tracing::warn!(connection = %self.settings.id, %error, "connection trouble");
        self.status.send_modify(|status| status.last_error = Some(error.to_string()));
    }

    /// Tries the credentials: the agent's credentials if an agent acts, otherwise the application's.
    fn log_in(&mut self, begins: bool, ctx: &mut Context<Self>) {
        let Sender { client, tokens, .. } = self.sender.clone();
        self.enter(Phase::LoggingIn);
        let agent = self.rest.as_ref().map(|rest| Arc::clone(&rest.agent));
        let (has_worked, life) = (self.credentials_worked, self.logins);
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
            if life == intake.logins {
                intake.logged_in(granted, ctx);
            }
        }));
    }

    fn logged_in(&mut self, granted: Result<Option<AgentSession>, NotGranted>, ctx: &mut Context<Self>) {
        let NotGranted { error, is_final, until } = match granted {
            Ok(session) => {
                self.metrics().logins.inc();
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
        self.metrics().logins_refused.inc();
        self.note_error(&error);
        self.attempts += 1;
        if is_final {
            return self.fail(&error);
        }
        self.enter(Phase::WaitingToLogIn);
        self.tell_waiting();
        let life = self.logins;
        ctx.run_later(until.saturating_duration_since(tokio::time::Instant::now()), move |intake, ctx| {
            if life == intake.logins {
                intake.log_in(false, ctx);
            }
        });
    }

    /// Reports once that the credentials are refused, until they are accepted again.
    fn tell_waiting(&mut self) {
        let status = self.status.borrow().clone();
        let Some(Waiting { reason, until }) = status.waiting.filter(|waiting| waiting.reason.concerns_login()) else {
            return;
        };
        if self.waited_for.replace(reason) != Some(reason) {
            tracing::warn!(connection = %self.settings.id, %reason, %until, "the connection waits");
            self.publish(EventData::Waiting { reason, until, last_error: status.last_error });
        }
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
        self.waited_for = None;
        self.held_back = false;
        self.enter(Phase::Ready);
        self.publish(EventData::Connected {});
        self.publish(EventData::Resumed { conversations: self.roster.len(), filled: 0, incomplete: 0 });
        self.tell_children_ready();
    }

    fn fail(&mut self, error: &HttpError) {
        let reason = format!("{}: {error}", FailureReason::CredentialsRefused);
        self.end_in(FailureReason::CredentialsRefused, reason);
    }

    pub(super) fn end_in(&mut self, failure: FailureReason, reason: String) {
        tracing::error!(connection = %self.settings.id, reason, "connection failed");
        self.enter(Phase::Failed(failure));
        self.roster.tell_failed();
        self.publish(EventData::Failed { reason });
    }
}

impl Actor for Intake {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(SWEEP_EVERY, |intake, _| {
            intake.sweep_children(Instant::now());
            intake.let_sleep();
        });
        if self.is_ready() {
            return;
        }
        let (journal, id) = (Arc::clone(self.process.routing.journal()), self.settings.id.clone());
        let remembering = async move { remembered(&journal, &id).await };
        ctx.spawn(remembering.into_actor(self).map(|conversations, intake, ctx| {
            // With this login conversations were held, so its credentials have worked.
            intake.credentials_worked |= !conversations.is_empty();
            intake.roster.restore(conversations);
            intake.start(ctx);
        }));
    }
}

impl Drop for Intake {
    /// However the connection ended (stopped, given up, or with its arbiter), its conversations end with it.
    fn drop(&mut self) {
        if self.is_ready() {
            self.metrics().connections_ready.dec();
        }
        self.roster.forget_all();
    }
}

impl Supervised for Intake {
    /// After a panic only the notification that was being routed is suspect; the conversations stay.
    fn restarting(&mut self, _: &mut Self::Context) {
        self.held_back = self.has_failed();
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
