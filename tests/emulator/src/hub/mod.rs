//! Where the platform and the sockets meet: one lock, under which a request is handled and its frames are queued,
//! so that every socket sees the platform's order. Faults strike here, after the platform has accepted.

mod ruled;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
pub(crate) use ruled::{refusal, spoil_records};
use serde::Serialize;
use tokio::sync::mpsc::Sender;
use tokio_util::sync::CancellationToken;

use crate::dialect::{Dialect, Operation, Request};
use crate::faults::{
    Fault, FaultKind, FaultMode, FaultPlan, FrameFate, RequestFate, Rules, Side, Strike, Target, Weather,
};
use crate::identity::{AgentSession, AgentSessions, SessionNumber};
use crate::platform::{
    AgentIndex, Caller, ConsumerId, Emission, FrameKind, Millis, Party, Platform, Refusal, SocketId,
};
use crate::socket::Outgoing;

/// The shell's side of one open socket.
#[derive(Debug, Clone)]
pub(crate) struct SocketHandle {
    pub(crate) queue: Sender<Outgoing>,
    /// Told when the shell wants the socket to end.
    pub(crate) ending: CancellationToken,
    /// Nothing is read any more.
    pub(crate) stalled: Arc<AtomicBool>,
    pub(crate) overflown: Arc<AtomicBool>,
    /// The consumer's token, so that it can be taken back.
    pub(crate) token: Option<String>,
    /// The agent's session that opened the socket.
    pub(crate) session: Option<SessionNumber>,
}

#[derive(Debug)]
struct Open {
    handle: SocketHandle,
    side: Side,
    party: Party,
    dialect: Dialect,
    /// Not a socket: faults of sockets pass it by.
    webhook: bool,
}

/// One user with open sockets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UserSessions {
    /// `brand` or `consumer`.
    pub side: Side,
    /// An agent's login or a consumer's id.
    pub user: String,
    /// Open sockets now.
    pub now: u64,
    /// Open sockets at once, at most, so far.
    pub max: u64,
}

/// The platform, its sockets and its faults.
#[derive(Debug)]
pub(crate) struct Hub {
    pub(crate) platform: Platform,
    pub(crate) faults: FaultPlan,
    pub(crate) rules: Rules,
    weather: Weather,
    pub(crate) agents: AgentSessions,
    pub(crate) revoked_tokens: Vec<String>,
    sockets: HashMap<SocketId, Open>,
    next_socket: u64,
    /// Consumers for whom a connector speaks.
    webhooks: HashMap<ConsumerId, SocketId>,
    /// Agents who ask by REST without a socket, each by the number that faults strike.
    rest: HashMap<AgentIndex, SocketId>,
}

impl Hub {
    pub(crate) fn new(platform: Platform, mode: FaultMode, seed: u64, agents: AgentSessions) -> Self {
        Self {
            platform,
            faults: FaultPlan::new(mode, seed),
            rules: Rules::default(),
            weather: Weather::new(mode, seed),
            agents,
            revoked_tokens: Vec::new(),
            sockets: HashMap::new(),
            next_socket: 0,
            webhooks: HashMap::new(),
            rest: HashMap::new(),
        }
    }

    /// Takes in an authenticated socket.
    pub(crate) fn open(&mut self, mut caller: Caller, handle: SocketHandle) -> SocketId {
        self.next_socket += 1;
        let id = SocketId(self.next_socket);
        caller.socket = id;
        let side = if caller.party.is_consumer() { Side::Consumer } else { Side::Brand };
        self.sockets
            .insert(id, Open { handle, side, party: caller.party.clone(), dialect: caller.dialect, webhook: false });
        let user = self.platform.user_name(&caller.party);
        self.faults.opened(id, side, &user);
        self.platform.open_socket(caller);
        id
    }

    /// The caller of a connector's consumer; with somewhere to send webhooks it hears its conversations from now on.
    pub(crate) fn connector_caller(
        &mut self,
        consumer: &ConsumerId,
        app: &str,
        token: String,
        queue: Option<Sender<Outgoing>>,
        now: Millis,
    ) -> Caller {
        let party = Party::Consumer(consumer.clone());
        let known = self.webhooks.get(consumer).copied().filter(|socket| self.sockets.contains_key(socket));
        let app = Some(Arc::from(app));
        let mut caller = Caller { socket: SocketId(0), party, dialect: Dialect::V3, client_properties: None, app };
        if let Some(socket) = known {
            if let Some(open) = self.sockets.get_mut(&socket) {
                open.handle.token = Some(token);
            }
            return Caller { socket, ..caller };
        }
        let Some(queue) = queue else { return caller };
        self.next_socket += 1;
        caller.socket = SocketId(self.next_socket);
        let handle = SocketHandle {
            queue,
            ending: CancellationToken::new(),
            stalled: Arc::new(AtomicBool::new(false)),
            overflown: Arc::new(AtomicBool::new(false)),
            token: Some(token),
            session: None,
        };
        let party = caller.party.clone();
        let open = Open { handle, side: Side::Consumer, party, dialect: Dialect::V3, webhook: true };
        self.sockets.insert(caller.socket, open);
        self.webhooks.insert(consumer.clone(), caller.socket);
        self.platform.open_webhook(caller.clone());
        let body = r#"{"type":"cqm.SubscribeExConversations","body":{"stage":["OPEN","CLOSE"]}}"#;
        if let Ok(subscribe) = Request::read(body.as_bytes())
            && let Err(refusal) = self.platform.perform(&caller, &subscribe, now)
        {
            tracing::warn!(%consumer, text = refusal.text, "webhooks without conversations");
        }
        caller
    }

    /// Handles one request that came by HTTP from a connector or an agent, and queues its effects. A fault that would
    /// drop a socket is a response with 502 here.
    pub(crate) fn perform(&mut self, caller: &Caller, request: &Request, now: Millis) -> Result<String, Refusal> {
        let publishes = Operation::of(&request.type_name) == Some(Operation::PublishEvent);
        let side = if caller.party.is_consumer() { Side::Consumer } else { Side::Brand };
        let socket = self.struck_as(caller);
        let target = Target { socket, side };
        let fate = if self.faults.idle() { RequestFate::Proceed } else { self.faults.request(target, publishes, now) };
        if let RequestFate::Refuse(code) = fate {
            return Err(Refusal::by_rule(code));
        }
        let body = self.platform.perform(caller, request, now);
        self.flush();
        match fate {
            RequestFate::DropAfter => Err(Refusal::new(502, "Bad gateway")),
            _ if self.faults.loses_answer(socket) => Err(Refusal::new(502, "Bad gateway")),
            _ => body,
        }
    }

    /// The number that faults strike a request by HTTP by: of a socket or a webhook, or the agent's own.
    fn struck_as(&mut self, caller: &Caller) -> SocketId {
        let Party::Agent(agent) = caller.party else { return caller.socket };
        if self.sockets.contains_key(&caller.socket) {
            return caller.socket;
        }
        if let Some(known) = self.rest.get(&agent) {
            return *known;
        }
        self.next_socket += 1;
        let socket = SocketId(self.next_socket);
        self.rest.insert(agent, socket);
        let user = self.platform.user_name(&caller.party);
        self.faults.opened(socket, Side::Brand, &user);
        socket
    }

    /// The numbers of agents without a socket whom the fault names and can strike.
    fn struck_by_rest(&self, fault: &Fault) -> Vec<SocketId> {
        let strikes = fault.kind.strikes_rest() && fault.side != Some(Side::Consumer);
        let is_meant = |agent: AgentIndex| {
            let party = Party::Agent(agent);
            let has_socket = self.sockets.values().any(|open| open.party == party);
            !has_socket && fault.user.as_ref().is_none_or(|user| *user == self.platform.user_name(&party))
        };
        self.rest.iter().filter(|(agent, _)| strikes && is_meant(**agent)).map(|(_, socket)| *socket).collect()
    }

    /// Lets go of a socket.
    pub(crate) fn close(&mut self, socket: SocketId) {
        if self.sockets.remove(&socket).is_some() {
            self.platform.close_socket(socket);
            self.faults.disarm(socket);
        }
    }

    /// One request of one socket: handled, and everything that follows from it queued.
    pub(crate) fn request(&mut self, socket: SocketId, request: &Request, now: Millis) {
        self.note_session(socket, request);
        if let Some(verdict) = self.verdict(socket, request, now) {
            return self.ruled(socket, request, verdict, |hub| {
                hub.platform.handle(socket, request, now);
                hub.platform.take_frames()
            });
        }
        let Some(open) = self.sockets.get(&socket) else { return };
        let publishes = Operation::of(&request.type_name) == Some(Operation::PublishEvent);
        let target = Target { socket, side: open.side };
        let fate = if self.faults.idle() { RequestFate::Proceed } else { self.faults.request(target, publishes, now) };
        match fate {
            RequestFate::Refuse(code) => {
                let refusal = Refusal::by_rule(code);
                let text = refusal.frame(&request.id, open.dialect);
                self.answer(socket, text);
            }
            RequestFate::Proceed => {
                let omit = !self.faults.idle() && self.faults.omits_last_content();
                self.platform.omit_last_content(omit);
                self.platform.handle(socket, request, now);
                self.platform.omit_last_content(false);
                self.platform.take_frames().into_iter().for_each(|frame| self.send(frame, Some(socket)));
            }
            RequestFate::DropAfter => {
                self.platform.handle(socket, request, now);
                let frames = self.platform.take_frames();
                self.cut(socket);
                frames.into_iter().for_each(|frame| self.send(frame, None));
            }
        }
    }

    /// Notes the session of the socket's agent. Every request acts but those that only keep the socket open.
    fn note_session(&mut self, socket: SocketId, request: &Request) {
        let Some(open) = self.sockets.get(&socket) else { return };
        if let (Party::Agent(agent), Some(session)) = (&open.party, open.handle.session) {
            let acts = Operation::of(&request.type_name) != Some(Operation::GetClock);
            self.agents.note_request(*agent, session, acts);
        }
    }

    /// One request of one socket whose answer was made elsewhere.
    pub(crate) fn respond(&mut self, socket: SocketId, request: &Request, text: String, now: Millis) {
        self.note_session(socket, request);
        match self.verdict(socket, request, now) {
            Some(verdict) => self.ruled(socket, request, verdict, |_| {
                vec![Emission { socket, kind: FrameKind::Answer, text: text.into() }]
            }),
            None => self.answer(socket, text),
        }
    }

    /// Answers a request by hand, in the socket's own dialect.
    pub(crate) fn answer(&mut self, socket: SocketId, text: String) {
        self.queue(socket, Outgoing::Answer(text.into()));
    }

    /// Queues every frame the platform has decided.
    pub(crate) fn flush(&mut self) {
        for frame in self.platform.take_frames() {
            self.send(frame, None);
        }
    }

    /// Queues a frame. The effects of a request on its own socket are held back until after the response
    /// ([SB-12](crate::rules#sb-12)); on the platform the two come from two services.
    fn send(&mut self, frame: Emission, asked_by: Option<SocketId>) {
        let Some(open) = self.sockets.get(&frame.socket) else { return };
        let target = Target { socket: frame.socket, side: open.side };
        let fate = if self.faults.idle() { FrameFate::Send } else { self.faults.frame(target, frame.kind) };
        let Emission { socket, kind, text } = frame;
        let item = match kind {
            FrameKind::Answer => Outgoing::Answer,
            FrameKind::Snapshot => Outgoing::Held,
            _ if asked_by == Some(socket) => Outgoing::Held,
            _ => Outgoing::Frame,
        };
        match fate {
            FrameFate::Send => self.queue(socket, item(text)),
            FrameFate::Late(after) => self.queue(socket, Outgoing::Late(after, text)),
            FrameFate::Twice(after) => {
                self.queue(socket, item(text.clone()));
                self.queue(socket, Outgoing::Late(after, text));
            }
        }
    }

    /// A socket that does not read is cut off when its queue is full.
    fn queue(&mut self, socket: SocketId, item: Outgoing) {
        let Some(open) = self.sockets.get(&socket) else { return };
        if open.handle.queue.try_send(item).is_err() {
            tracing::warn!(socket = socket.0, "socket does not read, dropped");
            self.cut(socket);
        }
    }

    /// Ends the connection without a close frame.
    fn cut(&mut self, socket: SocketId) {
        let Some(open) = self.sockets.get(&socket) else { return };
        if open.handle.queue.try_send(Outgoing::Cut).is_err() {
            open.handle.overflown.store(true, Ordering::Relaxed);
        }
        open.handle.ending.cancel();
        self.close(socket);
    }

    /// Starts the close handshake.
    fn close_with(&mut self, socket: SocketId, code: u16) {
        self.queue(socket, Outgoing::Close(Some(code)));
        if let Some(open) = self.sockets.get(&socket) {
            open.handle.ending.cancel();
            self.close(socket);
        }
    }

    /// Another fault mode from now on; what was given by hand stays.
    pub(crate) fn set_mode(&mut self, mode: FaultMode, seed: u64) {
        self.faults.set_mode(mode, seed);
        self.weather = Weather::new(mode, seed);
        self.rules.forget_drawn();
    }

    /// Time passes.
    pub(crate) fn tick(&mut self, now: Millis) {
        self.platform.tick(now);
        if let Some(rule) = self.weather.turn(now) {
            tracing::debug!(request = rule.request, outcome = ?rule.outcome, "refusals begin");
            self.rules.draw(rule, now);
        }
        if self.faults.strike_is_due(now) {
            let of_side = |side| {
                let mut ids: Vec<SocketId> = self
                    .sockets
                    .iter()
                    .filter(|(_, open)| open.side == side && !open.webhook)
                    .map(|(id, _)| *id)
                    .collect();
                ids.sort_unstable();
                ids
            };
            let (brand, consumer) = (of_side(Side::Brand), of_side(Side::Consumer));
            if let Some((socket, strike)) = self.faults.strike(now, &brand, &consumer) {
                tracing::debug!(socket = socket.0, ?strike, "fault");
                self.carry_out(socket, strike, false);
            }
        }
        self.flush();
    }

    /// One fault now; the number of sockets it hit or armed.
    pub(crate) fn inject(&mut self, fault: &Fault) -> usize {
        if matches!(fault.kind, FaultKind::RefuseLogin | FaultKind::SlowLogin) {
            self.faults.arm_logins(fault);
            return 0;
        }
        let mut ids: Vec<SocketId> = self
            .sockets
            .iter()
            .filter(|(_, open)| !open.webhook || fault.kind.strikes_webhooks())
            .filter(|(_, open)| fault.side.is_none_or(|side| side == open.side))
            .filter(|(_, open)| fault.user.as_ref().is_none_or(|user| *user == self.platform.user_name(&open.party)))
            .map(|(id, _)| *id)
            .chain(self.struck_by_rest(fault))
            .collect();
        ids.sort_unstable();
        let strike = match fault.kind {
            FaultKind::Drop => Some(Strike::Cut),
            FaultKind::Close => Some(Strike::Close(fault.code.unwrap_or(1011))),
            FaultKind::HalfOpen => Some(Strike::HalfOpen),
            FaultKind::ExpireToken => Some(Strike::ExpireToken(fault.code)),
            FaultKind::Malformed => Some(Strike::Malformed),
            FaultKind::Oversize => Some(Strike::Oversize),
            _ => None,
        };
        let Some(strike) = strike else {
            if ids.is_empty() && fault.user.is_some() {
                self.faults.await_socket(fault.clone());
            }
            ids.iter().for_each(|id| self.faults.arm(*id, fault));
            return ids.len();
        };
        ids.truncate(fault.count);
        ids.iter().for_each(|id| self.carry_out(*id, strike, true));
        let mut hit = ids.len();
        if fault.kind == FaultKind::ExpireToken {
            hit += self.expire_sessions(fault, fault.count - hit);
        }
        self.faults.count(hit);
        hit
    }

    /// Ends the sessions of agents who hold a bearer and have no socket, at most so many; how many ended.
    fn expire_sessions(&mut self, fault: &Fault, most: usize) -> usize {
        if fault.side == Some(Side::Consumer) {
            return 0;
        }
        let has_socket = |agent| self.sockets.values().any(|open| open.party == Party::Agent(agent));
        let agents = self.agents.agents().iter().enumerate();
        let meant = agents.filter(|(_, agent)| fault.user.as_ref().is_none_or(|user| *user == agent.login));
        let expiring: Vec<AgentIndex> = meant
            .map(|(place, _)| AgentIndex(place as u32))
            .filter(|agent| self.agents.has_session(*agent) && !has_socket(*agent))
            .take(most)
            .collect();
        expiring.iter().for_each(|agent| self.agents.log_out(*agent));
        expiring.len()
    }

    fn carry_out(&mut self, socket: SocketId, strike: Strike, revoke_consumers: bool) {
        // What is no socket asks by HTTP.
        let loses_answers = match self.sockets.get(&socket) {
            Some(open) => open.webhook,
            None => self.rest.values().any(|rest| *rest == socket),
        };
        match strike {
            Strike::Cut if loses_answers => self.faults.arm(socket, &Fault::new(FaultKind::Drop)),
            Strike::Cut => self.cut(socket),
            Strike::Close(code) => self.close_with(socket, code),
            Strike::HalfOpen => {
                self.queue(socket, Outgoing::Stall);
                if let Some(open) = self.sockets.get(&socket) {
                    open.handle.stalled.store(true, Ordering::Relaxed);
                    self.close(socket);
                }
            }
            Strike::ExpireToken(code) => self.expire_token(socket, code, revoke_consumers),
            Strike::Malformed => self.queue(socket, Outgoing::Frame(Bytes::from_static(MALFORMED))),
            Strike::Oversize => self.queue(socket, Outgoing::Frame(oversize())),
        }
    }

    /// Takes a token back and closes the socket. A plan leaves consumers their token: without it an anonymous
    /// consumer would lose its identity, and with it its conversations.
    fn expire_token(&mut self, socket: SocketId, code: Option<u16>, revoke_consumers: bool) {
        let Some(open) = self.sockets.get(&socket) else { return };
        if open.webhook {
            self.revoked_tokens.extend(open.handle.token.clone());
            return;
        }
        let usual = match open.party {
            Party::Agent(agent) => {
                self.agents.log_out(agent);
                4401
            }
            Party::Consumer(_) => {
                self.revoked_tokens.extend(open.handle.token.clone().filter(|_| revoke_consumers));
                4407
            }
        };
        self.close_with(socket, code.unwrap_or(usual));
    }

    /// Starts a session of an agent. The earlier one ends, and the sockets that it opened are closed unless the account
    /// lets them be ([TK-6](crate::rules#tk-6)).
    pub(crate) fn log_in(&mut self, agent: AgentIndex, closes_sockets: bool) -> Option<AgentSession> {
        let session = self.agents.log_in(agent)?;
        let party = Party::Agent(agent);
        let mut earlier: Vec<SocketId> =
            self.sockets.iter().filter(|(_, open)| closes_sockets && open.party == party).map(|(id, _)| *id).collect();
        earlier.sort_unstable();
        earlier.into_iter().for_each(|socket| self.close_with(socket, 4401));
        Some(session)
    }

    /// Open sockets by side and user.
    pub(crate) fn sessions(&self) -> Vec<UserSessions> {
        let mut sides: BTreeMap<String, Side> = BTreeMap::new();
        for agent in self.agents.agents() {
            sides.insert(agent.login.clone(), Side::Brand);
        }
        let counts = self.platform.session_counts().iter();
        counts
            .map(|(user, count)| UserSessions {
                side: sides.get(user).copied().unwrap_or(Side::Consumer),
                user: user.clone(),
                now: count.now,
                max: count.max,
            })
            .collect()
    }
}

const MALFORMED: &[u8] = br#"{"kind":"notification","type":"cqm.ExConversationChangeNotification","body":{"changes":["#;

fn oversize() -> Bytes {
    static FRAME: std::sync::OnceLock<Bytes> = std::sync::OnceLock::new();
    let make = || {
        let filling = "x".repeat(20 * 1024 * 1024);
        Bytes::from(format!(r#"{{"kind":"notification","type":"emulator.Oversize","body":{{"filling":"{filling}"}}}}"#))
    };
    FRAME.get_or_init(make).clone()
}
