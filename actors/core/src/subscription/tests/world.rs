//! One schedule: a seed decides all actions and their times; a queue of events is the only clock.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    fmt::Write,
};

use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};

use super::{
    client::{Client, Known, LINGER, Outgoing, own},
    link::{LATE, Link},
    platform::{Frame, ME, Platform},
};
use crate::{
    id::ConversationId,
    session::{ClosedBy, Closure, Epoch, Input, Millis},
    subscription::page::PageRule,
    ums::{ConversationQuery, Stage},
};

/// Pages of a schedule: 900 and 1001 made small, so that most schedules have several.
const SMALL: PageRule = PageRule { full: 4, most: 5, overlap: 100 };
const AGENTS: [&str; 3] = [ME, "b", "c"];
/// How long the result may take to become correct after the last action, in milliseconds.
const SETTLES_WITHIN: u64 = 600_000;

enum Event {
    LoggedIn(Epoch),
    SocketOpened(Epoch),
    Asked { socket: u64, action: Outgoing },
    Arrived { socket: u64, frame: Frame },
    Closed { socket: u64, closure: Closure },
    Tick,
    Sweep,
    Act,
}

struct Timed {
    at: u64,
    order: u64,
    event: Event,
}

impl PartialEq for Timed {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}
impl Eq for Timed {}
impl PartialOrd for Timed {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Timed {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

/// The socket as the platform and the link have it.
struct Socket {
    number: u64,
    epoch: Epoch,
    /// Since when nothing passes any more, without a notice to either side.
    half_open_since: Option<u64>,
}

/// Since when a conversation matches the connection's subscriptions, and whether it left them by ending.
#[derive(Clone, Copy, Default)]
struct Membership {
    since: Option<u64>,
    ended_at: Option<u64>,
}

pub(super) struct World {
    random: StdRng,
    now: u64,
    order: u64,
    queue: BinaryHeap<Reverse<Timed>>,
    platform: Platform,
    client: Client,
    link: Link,
    own: ConversationQuery,
    socket: Option<Socket>,
    sockets: u64,
    memberships: BTreeMap<usize, Membership>,
    caller_left_at: Option<u64>,
    tick_at: Option<u64>,
    sweeps: bool,
    acts: u32,
    /// The remaining actions, the callers' subscriptions, and those that have not begun, at the last check.
    noted: (u32, usize, usize),
    /// The log of the schedule, if it is printed.
    pub(super) told: Option<String>,
    pub(super) events: u64,
}

macro_rules! tell {
    ($world:expr, $($text:tt)+) => {
        if let Some(told) = &mut $world.told {
            let _ = write!(told, "{:>8} ", $world.now);
            let _ = writeln!(told, $($text)+);
        }
    };
}

impl World {
    pub(super) fn new(seed: u64, is_told: bool) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let link = Link::drawn(&mut random);
        let acts = random.random_range(0..80);
        let mut world = Self {
            platform: Platform::new(SMALL),
            client: Client::new(SMALL),
            link,
            random,
            now: 1_000_000,
            order: 0,
            queue: BinaryHeap::new(),
            own: own(),
            socket: None,
            sockets: 0,
            memberships: BTreeMap::new(),
            caller_left_at: None,
            tick_at: None,
            sweeps: false,
            acts,
            noted: (u32::MAX, 0, 0),
            told: is_told.then(String::new),
            events: 0,
        };
        for _ in 0..world.random.random_range(0..15) {
            world.open();
        }
        world
    }

    /// Runs the schedule, then waits until everything is at rest.
    pub(super) fn run(&mut self) -> Result<(), String> {
        tell!(self, "{:?}", self.link);
        self.client.feed(Input::Start, self.now, &mut self.random);
        self.at(0, Event::Act);
        self.after_step()?;
        let mut rests_by = u64::MAX;
        while let Some(Reverse(Timed { at, event, .. })) = self.queue.pop() {
            self.now = self.now.max(at);
            self.events += 1;
            self.take(event)?;
            self.after_step()?;
            if self.acts == 0 && (self.now > rests_by || self.client.is_at_rest() || rests_by == u64::MAX) {
                rests_by = rests_by.min(self.now + SETTLES_WITHIN);
                let frames = self.queue.iter().any(|Reverse(timed)| {
                    matches!(timed.event, Event::Asked { .. } | Event::Arrived { .. } | Event::Closed { .. })
                });
                if !frames
                    && self.socket.as_ref().is_some_and(|socket| socket.half_open_since.is_none())
                    && self.client.is_at_rest()
                {
                    return self.check_end();
                }
            }
            if self.now > rests_by {
                return Err(format!("it waits for ever, {}", self.client.state.describe()));
            }
        }
        Err("nothing happens any more".to_owned())
    }

    fn at(&mut self, after: u64, event: Event) {
        self.order += 1;
        self.queue.push(Reverse(Timed { at: self.now + after, order: self.order, event }));
    }

    fn take(&mut self, event: Event) -> Result<(), String> {
        let now = self.now;
        match event {
            Event::LoggedIn(epoch) if epoch == self.client.session.epoch() => {
                self.client.feed(Input::LoggedIn, now, &mut self.random);
            }
            Event::SocketOpened(epoch) if epoch == self.client.session.epoch() => {
                self.sockets += 1;
                if let Some(old) = self.socket.replace(Socket { number: self.sockets, epoch, half_open_since: None }) {
                    self.platform.drop_socket(old.number);
                    self.link.forget(old.number);
                }
                tell!(self, "socket {} opened", self.sockets);
                self.client.feed(Input::SocketOpened, now, &mut self.random);
            }
            Event::LoggedIn(_) | Event::SocketOpened(_) => {}
            Event::Asked { socket, action } if self.is_there(socket) => match action {
                Outgoing::Ask { request } => self.platform.outbox.push((socket, Frame::Done { request })),
                Outgoing::Subscribe { request, query } => {
                    tell!(self, "asked {request}: {query:?}");
                    self.platform.subscribe(socket, request, query);
                }
                Outgoing::Unsubscribe(id) => {
                    tell!(self, "unsubscribed {id}");
                    self.platform.unsubscribe(&id);
                }
                Outgoing::CloseSocket => {
                    let closure = Closure { by: ClosedBy::Platform, code: Some(1001) };
                    self.platform.drop_socket(socket);
                    let after = self.random.random_range(0..=self.link.latency);
                    self.at(after, Event::Closed { socket, closure });
                }
                Outgoing::LogIn(_) | Outgoing::OpenSocket(_) => {}
            },
            Event::Arrived { socket, frame } if self.is_there(socket) && self.is_current() => {
                tell!(self, "arrived {frame:?}");
                self.client.take_frame(frame, &self.platform, now, &mut self.random);
            }
            Event::Asked { .. } | Event::Arrived { .. } => {}
            Event::Closed { socket, closure } => {
                if self.socket.as_ref().is_some_and(|one| one.number == socket) {
                    let is_current = self.is_current();
                    self.socket = None;
                    self.platform.drop_socket(socket);
                    self.link.forget(socket);
                    if is_current {
                        tell!(self, "closed");
                        self.client.socket_closed(closure, now, &mut self.random);
                    }
                }
            }
            Event::Tick => {
                self.tick_at = None;
                self.client.feed(Input::Tick, now, &mut self.random);
            }
            Event::Sweep => {
                self.sweeps = false;
                for (conversation, known) in self.client.sweep(now, &mut self.random) {
                    self.check_let_go(conversation, &known)?;
                }
            }
            Event::Act => self.act(),
        }
        Ok(())
    }

    fn is_there(&self, socket: u64) -> bool {
        self.socket.as_ref().is_some_and(|one| one.number == socket && one.half_open_since.is_none())
    }

    /// Whether the connection still uses the socket.
    fn is_current(&self) -> bool {
        self.socket.as_ref().is_some_and(|one| one.epoch == self.client.session.epoch())
    }

    fn after_step(&mut self) -> Result<(), String> {
        for action in std::mem::take(&mut self.client.out) {
            match action {
                Outgoing::LogIn(epoch) => self.at(1, Event::LoggedIn(epoch)),
                Outgoing::OpenSocket(epoch) => {
                    let after = self.random.random_range(1..=200);
                    self.at(after, Event::SocketOpened(epoch));
                }
                action => {
                    if let Some(socket) = self.socket.as_ref().map(|socket| socket.number) {
                        let arrives = self.link.up(socket, self.now, &mut self.random);
                        self.at(arrives - self.now, Event::Asked { socket, action });
                    }
                }
            }
        }
        for (socket, frame) in std::mem::take(&mut self.platform.outbox) {
            for arrives in self.link.down(socket, &frame, self.now, &mut self.random) {
                self.at(arrives - self.now, Event::Arrived { socket, frame: frame.clone() });
            }
        }
        if let Some(Millis(wake)) = self.client.session.next_wake()
            && self.tick_at.is_none_or(|tick| wake < tick)
        {
            self.tick_at = Some(wake);
            self.at(wake.saturating_sub(self.now), Event::Tick);
        }
        if !self.sweeps && !self.client.is_at_rest() {
            self.sweeps = true;
            self.at(250, Event::Sweep);
        }
        let counts = (self.acts, self.client.callers.len(), self.client.begun.len());
        if std::mem::replace(&mut self.noted, counts) != counts {
            self.note_places();
        }
        self.client.state.check_bounds(self.client.known.len(), self.client.callers.len())
    }

    fn is_wanted(&self, conversation: usize) -> bool {
        let one = &self.platform.conversations[conversation];
        let mut callers = self.client.callers.iter().filter(|(caller, _)| !self.client.begun.contains(caller));
        Platform::matches(&self.own, one) || callers.any(|(_, query)| Platform::matches(query, one))
    }

    /// The time within which all sides have received a change.
    fn explained_by(&self) -> u64 {
        2 * (LATE + self.link.latency) + 250
    }

    fn dead_since(&self) -> Option<u64> {
        self.socket.as_ref().and_then(|socket| socket.half_open_since)
    }

    fn note_places(&mut self) {
        let (dead_since, explained_by) = (self.dead_since(), self.explained_by());
        for conversation in 0..self.platform.conversations.len() {
            let (is_wanted, is_open) =
                (self.is_wanted(conversation), self.platform.conversations[conversation].is_open);
            let now = self.now;
            let place = self.memberships.entry(conversation).or_default();
            if is_wanted {
                place.since.get_or_insert(now);
            } else if let Some(since) = place.since.take()
                && !is_open
                // The client cannot have heard of a return that the dead socket did not deliver.
                && dead_since.is_none_or(|dead| since + explained_by < dead)
            {
                place.ended_at = Some(now);
            }
        }
    }

    /// Checks that no conversation of a subscription is dropped, and that every end in a subscription is reported.
    fn check_let_go(&self, conversation: usize, known: &Known) -> Result<(), String> {
        let id = &self.platform.conversations[conversation].id;
        let Membership { since, ended_at } = self.memberships[&conversation];
        let linger = u64::try_from(LINGER.as_millis()).unwrap();
        let explained_by = self.explained_by();
        // The socket went dead before the end of a caller's subscription took effect. The client cannot know which
        // conversations of that subscription other subscriptions have too.
        if self.dead_since().zip(self.caller_left_at).is_some_and(|(dead, ended)| dead < ended + explained_by) {
            return Ok(());
        }
        if since.is_some_and(|since| since + linger + explained_by < self.now) {
            return Err(format!("{id} was let go of while it was there since {since:?}, at {}", self.now));
        }
        let one = &self.platform.conversations[conversation];
        if ended_at.is_some_and(|at| at + explained_by < self.now) && !one.is_hidden && !known.has_ended {
            return Err(format!("{id} was let go of at {} without its ending at {ended_at:?}", self.now));
        }
        Ok(())
    }

    fn check_end(&self) -> Result<(), String> {
        let all = 0..self.platform.conversations.len();
        let wanted: Vec<usize> = all.filter(|conversation| self.is_wanted(*conversation)).collect();
        let held: Vec<usize> = self.client.known.keys().copied().collect();
        if held != wanted {
            return Err(format!("held: {held:?}, wanted: {wanted:?}"));
        }
        if self.platform.subscriptions() != 1 + self.client.callers.len() {
            return Err(format!("{} subscriptions live on", self.platform.subscriptions()));
        }
        Ok(())
    }

    fn open(&mut self) {
        let agent = AGENTS.choose(&mut self.random).unwrap();
        let is_hidden = self.random.random_range(0..8) == 0;
        // Each change has its own time, because a page cannot separate more changes of one time than it holds (SB-10).
        self.now += 1;
        self.platform.open(agent, is_hidden, self.now);
    }

    fn act(&mut self) {
        let numbers = self.platform.conversations.len();
        let some = if numbers == 0 { None } else { Some(self.random.random_range(0..numbers)) };
        match (self.random.random_range(0..20), some) {
            (0..5, _) | (5..13, None) => {
                self.open();
                tell!(self, "opens c{}", numbers);
            }
            (5..8, Some(number)) if self.platform.conversations[number].is_open => {
                self.now += 1;
                tell!(self, "ends c{number}");
                self.platform.change(number, self.now, |one| one.is_open = false);
            }
            (8..11, Some(number)) if self.platform.conversations[number].is_open => {
                self.now += 1;
                let agent = AGENTS.choose(&mut self.random).unwrap();
                tell!(self, "moves c{number} to {agent}");
                self.platform.change(number, self.now, |one| one.agent = (*agent).into());
                // From here on another subscription may have to report the conversation.
                self.memberships.entry(number).or_default().since = None;
            }
            (11..13, Some(number)) => {
                self.now += 1;
                tell!(self, "changes c{number}");
                self.platform.change(number, self.now, |_| {});
            }
            (13..15, _) => {
                let query = self.some_query(some);
                tell!(self, "adds a caller with {query:?}");
                self.client.add_caller(query, self.now, &mut self.random);
            }
            (15, _) => {
                let callers: Vec<_> =
                    self.client.callers.keys().filter(|caller| !self.client.begun.contains(*caller)).collect();
                if let Some(caller) = callers.choose(&mut self.random).copied().copied() {
                    tell!(self, "ends {caller:?}");
                    self.client.remove_caller(caller, self.now, &mut self.random);
                    self.caller_left_at = Some(self.now);
                    // From here on another subscription reports the conversations that remain. The others are
                    // reported by none.
                    self.memberships.values_mut().for_each(|membership| *membership = Membership::default());
                }
            }
            (16, _) => {
                let known: Vec<usize> = self.client.known.keys().copied().collect();
                if let Some(number) = known.choose(&mut self.random) {
                    tell!(self, "refreshes c{number}");
                    let id = ConversationId::from(format!("c{number}"));
                    self.client.refresh(id, self.now, &mut self.random);
                }
            }
            (17..19, _) => {
                if let Some(socket) = self.socket.as_ref().map(|socket| socket.number) {
                    tell!(self, "cuts socket {socket}");
                    let closure = Closure { by: ClosedBy::Transport, code: None };
                    self.at(0, Event::Closed { socket, closure });
                }
            }
            (19, _) => {
                if let Some(socket) = &mut self.socket {
                    socket.half_open_since.get_or_insert(self.now);
                    tell!(self, "half open");
                }
            }
            _ => {}
        }
        self.acts = self.acts.saturating_sub(1);
        if self.acts > 0 {
            let longest = [1, 20, 300, 4_000, 30_000][self.random.random_range(0..5)];
            let after = self.random.random_range(0..=longest);
            self.at(after, Event::Act);
        }
    }

    fn some_query(&mut self, some: Option<usize>) -> ConversationQuery {
        let stage = vec![Stage::Open];
        match (self.random.random_range(0..3), some) {
            (0, Some(number)) => {
                let conversation_id = Some(self.platform.conversations[number].id.clone());
                ConversationQuery { conversation_id, ..ConversationQuery::default() }
            }
            (1, _) => ConversationQuery { agent_ids: vec!["b".into()], stage, ..ConversationQuery::default() },
            _ => ConversationQuery { stage, ..ConversationQuery::default() },
        }
    }
}
