//! The actor of a connection without a socket: its life from the first token to its end.

use std::{
    collections::HashMap,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, Supervised, WrapFuture};
use tertulia_core::{
    command::Identity,
    id::{ConversationId, DialogId, ExternalConsumerId, UserId},
    session::{Backoff, FailureReason, LoginRefusal, Phase},
};
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    IntakeRole, IntakeSettings,
    agent::{AgentDesk, RestSender},
    children::Children,
    send::Sender,
    tokens::Tokens,
};
use crate::{
    connection::{ConnectionStatus, Stop, Surroundings},
    conversation::{Door, Upstream, remembered},
    metrics::{ConnectionMetrics, Metrics},
    platform::{AgentSession, HttpError, PlatformClient},
    subscriber::{EventData, Origin, Subject},
    supervision::Fairness,
};

/// How often ended conversations are looked at.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// The pauses between two tries to get the first token.
const LOGIN_BACKOFF: Backoff =
    Backoff { floor: Duration::from_secs(1), base: Duration::from_secs(1), max: Duration::from_secs(60) };

/// A connection without a socket. See [`super`] for what it does.
pub struct Intake {
    pub(super) settings: Arc<IntakeSettings>,
    pub(super) around: Surroundings,
    pub(super) counted: Arc<ConnectionMetrics>,
    pub(super) origin: Arc<Origin>,
    pub(super) identity: Arc<Identity>,
    pub(super) sender: Option<Sender>,
    /// Where an agent acts.
    pub(super) rest: Option<RestSender>,
    pub(super) tokens: Arc<Tokens>,
    pub(super) children: Children,
    /// Conversations that are in the store only, and for whom is spoken in each.
    pub(super) asleep: HashMap<ConversationId, Option<ExternalConsumerId>>,
    /// Webhooks are refused for a while, because the conversations failed together.
    pub(super) held_back: bool,
    /// How often they were.
    pub(super) times_held_back: u32,
    pub(super) door: Option<Arc<Door>>,
    pub(super) upstream: Option<Rc<Upstream>>,
    pub(super) dialogs: HashMap<DialogId, ConversationId>,
    /// Requests sent so far; the number of the next one is its id.
    pub(super) requests: u64,
    /// Conversations being opened.
    pub(super) opening: usize,
    /// Ends what was begun for others: held histories and requests on their way.
    pub(super) ending: CancellationToken,
    _ended: DropGuard,
    pub(super) status: Arc<watch::Sender<ConnectionStatus>>,
    pub(super) phase: Phase,
    attempts: u32,
    pub(super) fairness: Fairness,
}

impl Intake {
    /// A connection that begins when its actor starts.
    #[must_use]
    pub fn new(settings: IntakeSettings, around: Surroundings, status: Arc<watch::Sender<ConnectionStatus>>) -> Self {
        let account = settings.account.clone();
        let ending = CancellationToken::new();
        Self {
            origin: Arc::new(Origin { account: account.clone(), connection: settings.id.clone() }),
            // It speaks for many consumers; each request tells for whom by its token.
            identity: Arc::new(Identity::Consumer { account, user_id: UserId::from("") }),
            tokens: Arc::new(Tokens::new(settings.app.clone(), settings.max_consumer_tokens)),
            counted: around.metrics.by_connection.of(&settings.id),
            settings: Arc::new(settings),
            around,
            sender: None,
            rest: None,
            children: Children::default(),
            asleep: HashMap::new(),
            held_back: false,
            times_held_back: 0,
            door: None,
            upstream: None,
            dialogs: HashMap::new(),
            requests: 0,
            opening: 0,
            _ended: ending.clone().drop_guard(),
            ending,
            status,
            phase: Phase::Idle,
            attempts: 0,
            fairness: Fairness::default(),
        }
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.around.metrics
    }

    pub(super) fn is_ready(&self) -> bool {
        self.phase == Phase::Ready
    }

    fn publish(&self, data: EventData) {
        self.around.routing.publish(&self.origin, Subject::Connection, data);
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
        let (state, attempts, conversations) = (self.phase, self.attempts, self.children.len() + self.asleep.len());
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

    /// Tries the credentials: the agent's where one acts, otherwise the application's.
    fn log_in(&mut self, ctx: &mut Context<Self>) {
        let Some(Sender { client, tokens, .. }) = self.sender.clone() else { return };
        self.enter(Phase::LoggingIn);
        let agent = self.rest.as_ref().map(|rest| Arc::clone(&rest.agent));
        let granted = async move {
            match agent {
                Some(agent) => agent.session(&client, None).await.map(Some),
                None => tokens.app(&client, None).await.map(|_| None),
            }
        };
        ctx.spawn(granted.into_actor(self).map(|granted, intake, ctx| intake.logged_in(granted, ctx)));
    }

    fn logged_in(&mut self, granted: Result<Option<AgentSession>, HttpError>, ctx: &mut Context<Self>) {
        let error = match granted {
            Ok(session) => {
                self.metrics().logins.inc();
                if let Some(AgentSession { agent_id, user_id, name, .. }) = session {
                    let user_id = user_id.unwrap_or_else(|| UserId::from(agent_id.as_str()));
                    let account = self.settings.account.clone();
                    self.identity = Arc::new(Identity::Brand { account, agent_id, user_id, name });
                }
                return self.begin();
            }
            Err(error) => error,
        };
        self.metrics().logins_refused.inc();
        self.note_error(&error);
        self.attempts += 1;
        let wait = match error.login_refusal() {
            LoginRefusal::Credentials => return self.fail(&error),
            LoginRefusal::Throttled { retry_after } => retry_after.unwrap_or_default(),
            LoginRefusal::Unavailable => Duration::ZERO,
        };
        let wait = wait.max(LOGIN_BACKOFF.delay(self.attempts - 1, rand::random()));
        self.enter(Phase::WaitingToLogIn);
        ctx.run_later(wait, Self::log_in);
    }

    fn begin(&mut self) {
        self.attempts = 0;
        self.enter(Phase::Ready);
        self.publish(EventData::Connected {});
        self.publish(EventData::Resumed {
            conversations: self.children.len() + self.asleep.len(),
            filled: 0,
            incomplete: 0,
        });
        self.tell_children_ready();
    }

    fn fail(&mut self, error: &HttpError) {
        let reason = format!("{}: {error}", FailureReason::CredentialsRefused);
        self.end_in(FailureReason::CredentialsRefused, reason);
    }

    pub(super) fn end_in(&mut self, failure: FailureReason, reason: String) {
        tracing::error!(connection = %self.settings.id, reason, "connection failed");
        self.enter(Phase::Failed(failure));
        self.children.tell_failed();
        self.publish(EventData::Failed { reason });
    }
}

impl Actor for Intake {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let (account, proxy) = (self.settings.account.clone(), self.settings.proxy.clone());
        let client = PlatformClient::through(proxy, Arc::clone(&self.around.platform), account);
        let (turns, within) =
            (Arc::new(Semaphore::new(self.settings.max_requests.max(1))), self.settings.request_timeout);
        self.rest = self.settings.agent.clone().map(|login| RestSender {
            client: client.clone(),
            agent: Arc::new(AgentDesk::new(login)),
            turns: Arc::clone(&turns),
            within,
        });
        self.sender = Some(Sender {
            client,
            tokens: Arc::clone(&self.tokens),
            client_properties: self.settings.client_properties.http_header().into(),
            turns,
            within,
        });
        ctx.run_interval(SWEEP_EVERY, |intake, ctx| {
            intake.sweep_children(Instant::now());
            intake.let_sleep(Instant::now(), ctx);
        });
        if self.is_ready() {
            return;
        }
        let (journal, id) = (Arc::clone(self.around.routing.journal()), self.settings.id.clone());
        let remembering = async move { remembered(&journal, &id).await };
        ctx.spawn(remembering.into_actor(self).map(|conversations, intake, ctx| {
            intake.restore(conversations, ctx);
            match intake.settings.role {
                _ if intake.rest.is_some() => intake.log_in(ctx),
                IntakeRole::Connector => intake.log_in(ctx),
                IntakeRole::Intake => intake.begin(),
            }
        }));
    }
}

impl Drop for Intake {
    /// However it ended, stopped, given up or with its arbiter: its conversations end with it.
    fn drop(&mut self) {
        if self.is_ready() {
            self.metrics().connections_ready.dec();
        }
        self.forget_children();
    }
}

impl Supervised for Intake {
    /// Nothing here is suspect after a panic but the notification that was being routed: the conversations stay.
    fn restarting(&mut self, _: &mut Self::Context) {
        self.held_back = self.has_failed();
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
