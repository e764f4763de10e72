//! The plan by which faults strike: drawn from a seed, plus whatever was armed by hand. It only decides; the
//! caller acts, and the platform has accepted what it accepted before the plan is asked.

use std::collections::HashMap;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::{Fault, FaultKind, FaultMode, Side};
use crate::platform::{FrameKind, Millis, SocketId};

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RequestFate {
    Proceed,
    /// Carried out, then the socket drops before the answer.
    DropAfter,
    /// Answered with a status instead of being carried out.
    Refuse(u16),
}

/// What becomes of an outgoing frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FrameFate {
    Send,
    Late(Duration),
    Twice(Duration),
}

/// What becomes of a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LoginFate {
    Proceed,
    Refuse(u16),
    Slow(Duration),
}

/// What strikes a socket out of the blue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strike {
    Cut,
    Close(u16),
    HalfOpen,
    ExpireToken(Option<u16>),
    Malformed,
    Oversize,
}

/// Which socket a decision is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) socket: SocketId,
    pub(crate) side: Side,
}

/// Probabilities of one mode.
#[derive(Debug, Clone, Copy)]
struct Odds {
    drop_after_publish: f64,
    throttle: f64,
    late_answer: f64,
    late_notification: f64,
    duplicate: f64,
    reorder: f64,
    omit_last_content: f64,
    stale_snapshot: f64,
    refuse_login: f64,
    slow_login: f64,
    refuse_refresh: f64,
    /// A message so late that its conversation may be gone.
    late_message: f64,
}

const FLAKY: Odds = Odds {
    drop_after_publish: 0.002,
    throttle: 0.0,
    late_answer: 0.01,
    late_notification: 0.02,
    duplicate: 0.02,
    reorder: 0.02,
    omit_last_content: 0.02,
    stale_snapshot: 0.0,
    refuse_login: 0.0,
    slow_login: 0.0,
    refuse_refresh: 0.0,
    late_message: 0.0,
};

const HOSTILE: Odds = Odds {
    drop_after_publish: 0.004,
    throttle: 0.002,
    stale_snapshot: 0.2,
    refuse_login: 0.2,
    slow_login: 0.2,
    refuse_refresh: 0.3,
    late_message: 0.002,
    ..FLAKY
};

/// Where chance comes from: a stream for each kind of decision, so that the tenth login or the third strike of a seed
/// is the same however many frames went out before.
#[derive(Debug)]
struct Streams {
    requests: StdRng,
    frames: StdRng,
    logins: StdRng,
    strikes: StdRng,
}

impl Streams {
    fn of(seed: u64) -> Self {
        let mut seeds = StdRng::seed_from_u64(seed);
        let [requests, frames, logins, strikes] = std::array::from_fn(|_| StdRng::seed_from_u64(seeds.random()));
        Self { requests, frames, logins, strikes }
    }
}

/// Decides what goes wrong, and counts it.
#[derive(Debug)]
pub(crate) struct FaultPlan {
    mode: FaultMode,
    streams: Streams,
    injected: u64,
    armed: HashMap<(SocketId, FaultKind), (usize, Option<u16>)>,
    /// Armed for the next socket of a user who had none.
    awaiting: Vec<Fault>,
    /// Armed logins, in order: refused with a status or slow, for one user or for anyone.
    logins: Vec<(LoginFate, Option<String>)>,
    /// Throttled sockets, each with the time until which every request is refused with 429.
    throttled: HashMap<SocketId, Millis>,
    next_strike: u64,
    strike_brand: bool,
}

impl FaultPlan {
    pub(crate) fn new(mode: FaultMode, seed: u64) -> Self {
        Self {
            mode,
            streams: Streams::of(seed),
            injected: 0,
            armed: HashMap::new(),
            awaiting: Vec::new(),
            logins: Vec::new(),
            throttled: HashMap::new(),
            next_strike: 0,
            strike_brand: false,
        }
    }

    /// Another mode from now on; what was armed and counted stays.
    pub(crate) fn set_mode(&mut self, mode: FaultMode, seed: u64) {
        self.mode = mode;
        self.streams = Streams::of(seed);
        self.throttled.clear();
        self.next_strike = 0;
    }

    pub(crate) fn injected(&self) -> u64 {
        self.injected
    }

    /// Counts faults that were carried out by hand.
    pub(crate) fn count(&mut self, faults: usize) {
        self.injected += faults as u64;
    }

    /// Nothing can go wrong, so nobody needs to ask.
    pub(crate) fn idle(&self) -> bool {
        self.mode == FaultMode::None && self.armed.is_empty()
    }

    fn odds(&self) -> Option<Odds> {
        match self.mode {
            FaultMode::None => None,
            FaultMode::Flaky => Some(FLAKY),
            FaultMode::Hostile => Some(HOSTILE),
        }
    }

    fn hits(&mut self, stream: fn(&mut Streams) -> &mut StdRng, chance: f64) -> bool {
        let hit = chance > 0.0 && stream(&mut self.streams).random_bool(chance);
        self.injected += u64::from(hit);
        hit
    }

    fn hits_request(&mut self, chance: f64) -> bool {
        self.hits(|streams| &mut streams.requests, chance)
    }

    fn hits_frame(&mut self, chance: f64) -> bool {
        self.hits(|streams| &mut streams.frames, chance)
    }

    fn hits_login(&mut self, chance: f64) -> bool {
        self.hits(|streams| &mut streams.logins, chance)
    }

    /// Arms a fault for the next frames or requests of a socket.
    pub(crate) fn arm(&mut self, socket: SocketId, fault: &Fault) {
        let slot = self.armed.entry((socket, fault.kind)).or_insert((0, fault.code));
        slot.0 += fault.count;
        slot.1 = fault.code.or(slot.1);
    }

    /// Arms a fault for the next socket of the user that it names.
    pub(crate) fn await_socket(&mut self, fault: Fault) {
        self.awaiting.push(fault);
    }

    /// Arms what waited for a socket of this user.
    pub(crate) fn opened(&mut self, socket: SocketId, side: Side, user: &str) {
        let meant =
            |fault: &mut Fault| fault.user.as_deref() == Some(user) && fault.side.is_none_or(|wanted| wanted == side);
        let faults: Vec<Fault> = self.awaiting.extract_if(.., meant).collect();
        faults.iter().for_each(|fault| self.arm(socket, fault));
    }

    /// Forgets a socket that is gone.
    pub(crate) fn disarm(&mut self, socket: SocketId) {
        self.throttled.remove(&socket);
        if !self.armed.is_empty() {
            self.armed.retain(|(armed, _), _| *armed != socket);
        }
    }

    fn fire(&mut self, socket: SocketId, kind: FaultKind) -> Option<Option<u16>> {
        let (left, code) = self.armed.get_mut(&(socket, kind))?;
        let code = *code;
        *left -= 1;
        if *left == 0 {
            self.armed.remove(&(socket, kind));
        }
        self.injected += 1;
        Some(code)
    }

    /// Decides about a request before it is carried out.
    pub(crate) fn request(&mut self, target: Target, publishes: bool, now: Millis) -> RequestFate {
        if self.fire(target.socket, FaultKind::Throttle).is_some() {
            return RequestFate::Refuse(429);
        }
        if let Some(code) = self.fire(target.socket, FaultKind::Error) {
            return RequestFate::Refuse(code.unwrap_or(500));
        }
        let Some(odds) = self.odds() else { return RequestFate::Proceed };
        if self.throttled.get(&target.socket).is_some_and(|until| now < *until) {
            self.injected += 1;
            return RequestFate::Refuse(429);
        }
        if self.hits_request(odds.throttle) {
            let until = now + self.streams.requests.random_range(100..1_000);
            self.throttled.insert(target.socket, until);
            return RequestFate::Refuse(429);
        }
        if publishes && self.hits_request(odds.drop_after_publish) {
            return RequestFate::DropAfter;
        }
        RequestFate::Proceed
    }

    /// Whether the answer to a connector's request is lost.
    pub(crate) fn loses_answer(&mut self, socket: SocketId) -> bool {
        self.fire(socket, FaultKind::Drop).is_some()
    }

    /// Decides about a frame that is about to leave.
    pub(crate) fn frame(&mut self, target: Target, kind: FrameKind) -> FrameFate {
        self.armed_frame(target.socket, kind).or_else(|| self.drawn_frame(kind)).unwrap_or(FrameFate::Send)
    }

    fn armed_frame(&mut self, socket: SocketId, kind: FrameKind) -> Option<FrameFate> {
        if self.armed.is_empty() {
            return None;
        }
        let late = |millis| FrameFate::Late(Duration::from_millis(millis));
        let notification = !matches!(kind, FrameKind::Answer | FrameKind::Snapshot);
        let mut fires = |fault| self.fire(socket, fault).is_some();
        if kind == FrameKind::Snapshot && fires(FaultKind::StaleSnapshot) {
            return Some(late(400));
        }
        if kind == FrameKind::Message && fires(FaultKind::DeleteThenLate) {
            return Some(late(1_000));
        }
        if notification && fires(FaultKind::Duplicate) {
            return Some(FrameFate::Twice(Duration::ZERO));
        }
        if notification && fires(FaultKind::Reorder) {
            return Some(late(300));
        }
        if kind != FrameKind::Snapshot && fires(FaultKind::Delay) {
            return Some(late(300));
        }
        None
    }

    fn drawn_frame(&mut self, kind: FrameKind) -> Option<FrameFate> {
        let odds = self.odds()?;
        let some_millis = |plan: &mut Self, from, to| Duration::from_millis(plan.streams.frames.random_range(from..to));
        match kind {
            FrameKind::Answer => self.hits_frame(odds.late_answer).then(|| FrameFate::Late(some_millis(self, 5, 80))),
            FrameKind::Snapshot => {
                self.hits_frame(odds.stale_snapshot).then(|| FrameFate::Late(some_millis(self, 100, 500)))
            }
            FrameKind::ConversationUpsert | FrameKind::Routing if self.hits_frame(odds.reorder) => {
                Some(FrameFate::Late(some_millis(self, 10, 60)))
            }
            FrameKind::Message if self.hits_frame(odds.late_message) => {
                Some(FrameFate::Late(some_millis(self, 900, 1_500)))
            }
            _ if self.hits_frame(odds.duplicate) => Some(FrameFate::Twice(some_millis(self, 0, 40))),
            _ if self.hits_frame(odds.late_notification) => Some(FrameFate::Late(some_millis(self, 5, 120))),
            _ => None,
        }
    }

    /// Whether the trees of the next change lose their last content event.
    pub(crate) fn omits_last_content(&mut self) -> bool {
        self.odds().is_some_and(|odds| self.hits_frame(odds.omit_last_content))
    }

    /// Arms the next logins.
    pub(crate) fn arm_logins(&mut self, fault: &Fault) {
        let fate = match fault.kind {
            FaultKind::RefuseLogin => LoginFate::Refuse(fault.code.unwrap_or(401)),
            _ => LoginFate::Slow(Duration::from_secs(3)),
        };
        self.logins.extend(std::iter::repeat_n((fate, fault.user.clone()), fault.count));
    }

    /// Decides about a login. By itself the plan never says that credentials are wrong, only that the service
    /// is not there or busy.
    pub(crate) fn login(&mut self, user: &str) -> LoginFate {
        let armed = self.logins.iter().position(|(_, wanted)| wanted.as_deref().is_none_or(|name| name == user));
        if let Some(place) = armed {
            self.injected += 1;
            return self.logins.remove(place).0;
        }
        let Some(odds) = self.odds() else { return LoginFate::Proceed };
        if self.hits_login(odds.refuse_login) {
            return LoginFate::Refuse(if self.streams.logins.random_bool(0.5) { 429 } else { 503 });
        }
        if self.hits_login(odds.slow_login) {
            return LoginFate::Slow(Duration::from_millis(self.streams.logins.random_range(200..1_500)));
        }
        LoginFate::Proceed
    }

    /// Whether a refresh is answered 401.
    pub(crate) fn refuses_refresh(&mut self) -> bool {
        self.odds().is_some_and(|odds| self.hits_login(odds.refuse_refresh))
    }

    /// Whether it is time for the plan to strike.
    pub(crate) fn strike_is_due(&self, now: u64) -> bool {
        self.mode != FaultMode::None && now >= self.next_strike
    }

    /// Whether it is time to strike some socket, and how. Sides take turns as long as both have sockets, so that
    /// a few agents among many consumers get their share.
    pub(crate) fn strike(&mut self, now: u64, brand: &[SocketId], consumer: &[SocketId]) -> Option<(SocketId, Strike)> {
        if !self.strike_is_due(now) {
            return None;
        }
        let first = self.next_strike == 0;
        self.next_strike = now + self.streams.strikes.random_range(300..500);
        self.strike_brand = !self.strike_brand;
        let (wanted, other) = if self.strike_brand { (brand, consumer) } else { (consumer, brand) };
        let sockets = if wanted.is_empty() { other } else { wanted };
        if first || sockets.is_empty() {
            return None;
        }
        let socket = sockets[self.streams.strikes.random_range(0..sockets.len())];
        let strikes: &[Strike] = match self.mode {
            FaultMode::Hostile => &[
                Strike::Cut,
                Strike::Cut,
                Strike::Close(1001),
                Strike::Close(1011),
                Strike::Close(4407),
                Strike::ExpireToken(None),
                Strike::HalfOpen,
                Strike::Malformed,
                Strike::Oversize,
            ],
            _ => &[Strike::Cut, Strike::Cut, Strike::Close(1001), Strike::Close(1011)],
        };
        self.injected += 1;
        Some((socket, strikes[self.streams.strikes.random_range(0..strikes.len())]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: Target = Target { socket: SocketId(1), side: Side::Brand };

    #[test]
    fn the_same_seed_makes_the_same_plan() {
        let fates = |seed| {
            let mut plan = FaultPlan::new(FaultMode::Flaky, seed);
            (0..2_000)
                .map(|now| (plan.request(TARGET, true, now), plan.frame(TARGET, FrameKind::Message)))
                .collect::<Vec<_>>()
        };
        assert_eq!(fates(7), fates(7));
        assert_ne!(fates(7), fates(8));
    }

    /// What one kind of decision comes to does not depend on how often another was made.
    #[test]
    fn the_same_seed_refuses_the_same_logins_and_strikes_the_same_however_much_is_said() {
        let sockets = [SocketId(1), SocketId(2), SocketId(3)];
        let plan = |seed, frames| {
            let mut plan = FaultPlan::new(FaultMode::Hostile, seed);
            let mut moment = |tick: u64| {
                for _ in 0..frames {
                    plan.frame(TARGET, FrameKind::Message);
                    plan.request(TARGET, true, tick * 500);
                }
                (plan.login("bot1"), plan.refuses_refresh(), plan.strike(tick * 500, &sockets, &[]))
            };
            (1..100).map(&mut moment).collect::<Vec<_>>()
        };
        assert_eq!(plan(7, 0), plan(7, 30));
        assert_ne!(plan(7, 0), plan(8, 0));
    }

    /// Everything that a hostile day promises happens on it.
    #[test]
    fn a_hostile_day_has_every_kind_of_fault() {
        let mut plan = FaultPlan::new(FaultMode::Hostile, 1);
        let logins: Vec<LoginFate> = (0..100).map(|_| plan.login("bot1")).collect();
        assert!(logins.contains(&LoginFate::Refuse(429)) && logins.contains(&LoginFate::Refuse(503)));
        assert!(logins.iter().any(|fate| matches!(fate, LoginFate::Slow(_))));
        assert!((0..100).any(|_| plan.refuses_refresh()));
        let requests: Vec<RequestFate> = (0..100_000).map(|now| plan.request(TARGET, true, now)).collect();
        assert!(requests.windows(100).any(|hundred| hundred == [RequestFate::Refuse(429); 100]), "a throttled socket");
        assert!(requests.contains(&RequestFate::DropAfter));
        let late = |plan: &mut FaultPlan, kind, least: u64| {
            let late = |fate| matches!(fate, FrameFate::Late(after) if after >= Duration::from_millis(least));
            (0..10_000).any(|_| late(plan.frame(TARGET, kind)))
        };
        assert!(late(&mut plan, FrameKind::Snapshot, 100) && late(&mut plan, FrameKind::Message, 900));
        assert!((0..10_000).any(|_| matches!(plan.frame(TARGET, FrameKind::Message), FrameFate::Twice(_))));
        let strikes: Vec<Strike> = (1..500)
            .filter_map(|tick| plan.strike(tick * 500, &[SocketId(1)], &[]))
            .map(|(_, strike)| strike)
            .collect();
        let all = [
            Strike::Cut,
            Strike::Close(1011),
            Strike::Close(4407),
            Strike::ExpireToken(None),
            Strike::HalfOpen,
            Strike::Malformed,
            Strike::Oversize,
        ];
        assert!(all.iter().all(|strike| strikes.contains(strike)));
    }

    #[test]
    fn without_a_mode_nothing_happens_but_what_was_armed_and_every_fault_is_counted() {
        let mut plan = FaultPlan::new(FaultMode::None, 1);
        assert!(plan.idle());
        assert_eq!(plan.request(TARGET, true, 0), RequestFate::Proceed);
        plan.arm(TARGET.socket, &Fault::new(FaultKind::Throttle).count(2));
        plan.arm(TARGET.socket, &Fault::new(FaultKind::Error).code(503));
        let fates: Vec<_> = (0..4).map(|_| plan.request(TARGET, false, 0)).collect();
        let refuse = RequestFate::Refuse;
        assert_eq!(fates, [refuse(429), refuse(429), refuse(503), RequestFate::Proceed]);
        assert_eq!(plan.injected(), 3);
    }

    #[test]
    fn a_flaky_day_drops_some_publishers_and_strikes_both_sides() {
        let mut plan = FaultPlan::new(FaultMode::Flaky, 1);
        let drops = (0..10_000).filter(|_| plan.request(TARGET, true, 0) == RequestFate::DropAfter).count();
        assert!(drops > 5, "{drops}");
        let (brand, consumer) = ([SocketId(1)], [SocketId(2), SocketId(3)]);
        let struck: Vec<SocketId> =
            (1..40).filter_map(|tick| plan.strike(tick * 500, &brand, &consumer)).map(|(socket, _)| socket).collect();
        assert!(struck.len() > 30);
        assert!(struck.contains(&SocketId(1)) && struck.iter().any(|socket| *socket != SocketId(1)));
    }
}
