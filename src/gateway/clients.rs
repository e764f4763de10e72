//! The connections of callers below HTTP: which connection is closed when there are too many.
//!
//! Callers without a token may use few resources. If too many connections have shown no token, from one address or in
//! total, the oldest of them is closed, so that a newer connection, which may be a probe, is always served. While there
//! is room, a new connection is spared for a moment, because it may be about to show a token.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    io,
    net::{IpAddr, Ipv6Addr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;

use super::capacity::Capacity;

/// How long a new connection has to show a token before others of its address replace it.
const NEW: Duration = Duration::from_secs(1);
/// The bytes of incomplete request heads that all connections may hold together.
const UNREAD: usize = 32 * 1024 * 1024;

/// All connections of callers.
#[derive(Clone)]
pub(super) struct Clients {
    table: Arc<Mutex<Table>>,
    /// The bytes of all incomplete heads.
    unread: Arc<AtomicUsize>,
}

/// One connection of a caller.
#[derive(Clone)]
pub(super) struct Client {
    clients: Clients,
    id: u64,
    /// Cancelled when the connection must end.
    pub(super) ended: CancellationToken,
    /// Cancelled when the caller will send no more.
    pub(super) silent: CancellationToken,
    /// The bytes received since the last request.
    unread: Arc<AtomicUsize>,
    /// Requests being answered. Bytes received meanwhile belong to their bodies, which have their own limits.
    asking: Arc<AtomicUsize>,
}

/// A connection's place; dropping it frees the place.
pub(super) struct ClientPermit(Client);

/// Held while a request of the connection is being answered.
pub(super) struct Busy(Client);

struct Table {
    capacity: Capacity,
    next: u64,
    open: BTreeMap<u64, Entry>,
    /// Connections without a token, by address.
    unknown: HashMap<IpAddr, BTreeSet<u64>>,
    /// The number of connections without a token.
    unknowns: usize,
    /// Idle connections with a token, the longest idle first.
    idle: BTreeSet<(Instant, u64)>,
}

struct Entry {
    address: IpAddr,
    began: Instant,
    ended: CancellationToken,
    unread: Arc<AtomicUsize>,
    is_known: bool,
    /// Requests that are being answered.
    busy: usize,
    idle_since: Instant,
}

impl Clients {
    pub(super) fn new(capacity: Capacity) -> Self {
        Self { table: Arc::new(Mutex::new(Table::new(capacity))), unread: Arc::default() }
    }

    /// Registers a connection from `address`.
    pub(super) fn enter(&self, address: IpAddr) -> ClientPermit {
        let (ended, unread) = (CancellationToken::new(), Arc::<AtomicUsize>::default());
        let id = self.table().enter(address, ended.clone(), Arc::clone(&unread), Instant::now());
        ClientPermit(Client {
            clients: self.clone(),
            id,
            ended,
            silent: CancellationToken::new(),
            unread,
            asking: Arc::default(),
        })
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Client {
    /// Records that the caller has shown a valid token.
    pub(super) fn know(&self) {
        self.clients.table().know(self.id);
    }

    /// Records that a request's head is complete; the request counts as being answered until the result is dropped.
    pub(super) fn asks(&self) -> Busy {
        self.asking.fetch_add(1, Ordering::Relaxed);
        self.forget_unread();
        self.clients.table().ask(self.id);
        Busy(self.clone())
    }

    /// Records received bytes.
    pub(super) fn received(&self, bytes: usize) {
        if self.asking.load(Ordering::Relaxed) > 0 {
            return;
        }
        self.unread.fetch_add(bytes, Ordering::Relaxed);
        if self.clients.unread.fetch_add(bytes, Ordering::Relaxed) + bytes > UNREAD {
            self.clients.table().end_largest();
        }
    }

    fn forget_unread(&self) {
        let bytes = self.unread.swap(0, Ordering::Relaxed);
        self.clients.unread.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl ClientPermit {
    /// The client of this place.
    pub(super) fn client(&self) -> &Client {
        &self.0
    }
}

impl Drop for ClientPermit {
    fn drop(&mut self) {
        self.0.forget_unread();
        self.0.clients.table().leave(self.0.id);
    }
}

/// The error with which a connection ends to make room for another.
pub(super) fn gave_way() -> io::Error {
    io::Error::other("the connection was closed to make room for another caller")
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.asking.fetch_sub(1, Ordering::Relaxed);
        self.0.clients.table().answered(self.0.id, Instant::now());
    }
}

impl Table {
    fn new(capacity: Capacity) -> Self {
        Self { capacity, next: 0, open: BTreeMap::new(), unknown: HashMap::new(), unknowns: 0, idle: BTreeSet::new() }
    }

    fn enter(&mut self, address: IpAddr, ended: CancellationToken, unread: Arc<AtomicUsize>, now: Instant) -> u64 {
        let address = network(address);
        self.make_room(address, now);
        self.next += 1;
        let id = self.next;
        let entry = Entry { address, began: now, ended, unread, is_known: false, busy: 0, idle_since: now };
        self.open.insert(id, entry);
        self.unknown.entry(address).or_default().insert(id);
        self.unknowns += 1;
        id
    }

    /// Closes connections if needed, so that a new one from `address` fits.
    fn make_room(&mut self, address: IpAddr, now: Instant) {
        let of_address = self.unknown.get(&address).map_or(0, BTreeSet::len);
        if of_address >= self.capacity.unknown_of_address {
            self.end_oldest_of(address, |entry| now.saturating_duration_since(entry.began) >= NEW);
        }
        let is_full = self.open.len() >= self.capacity.callers;
        if is_full || self.unknowns >= self.capacity.unknown {
            // From the address with the most connections, so that other addresses do not suffer.
            let most = self.unknown.iter().max_by_key(|(_, ids)| ids.len()).map(|(address, _)| *address);
            let has_ended = most.is_some_and(|address| self.end_oldest_of(address, |_| true));
            if is_full
                && !has_ended
                && let Some(&(_, idle)) = self.idle.first()
            {
                self.end(idle);
            }
        }
    }

    /// Closes the oldest connection without a token from an address, if `may` allows. Returns whether it closed one.
    fn end_oldest_of(&mut self, address: IpAddr, may: impl Fn(&Entry) -> bool) -> bool {
        let oldest = self.unknown.get(&address).and_then(|ids| ids.first()).copied();
        let oldest = oldest.filter(|id| self.open.get(id).is_some_and(may));
        if let Some(id) = oldest {
            self.end(id);
        }
        oldest.is_some()
    }

    /// Closes the connection that has sent the longest incomplete head.
    fn end_largest(&mut self) {
        let unknown = self.open.iter().filter(|(_, entry)| entry.busy == 0);
        let largest = unknown.max_by_key(|(_, entry)| entry.unread.load(Ordering::Relaxed)).map(|(id, _)| *id);
        if let Some(id) = largest {
            self.end(id);
        }
    }

    fn end(&mut self, id: u64) {
        if let Some(entry) = self.open.get(&id) {
            entry.ended.cancel();
        }
        // The place is free at once; the connection's task ends by itself.
        self.leave(id);
    }

    fn know(&mut self, id: u64) {
        let Some(entry) = self.open.get_mut(&id).filter(|entry| !entry.is_known) else { return };
        entry.is_known = true;
        let (address, is_idle, since) = (entry.address, entry.busy == 0, entry.idle_since);
        self.forget_unknown(address, id);
        if is_idle {
            self.idle.insert((since, id));
        }
    }

    fn ask(&mut self, id: u64) {
        let Some(entry) = self.open.get_mut(&id) else { return };
        entry.busy += 1;
        self.idle.remove(&(entry.idle_since, id));
    }

    fn answered(&mut self, id: u64, now: Instant) {
        let Some(entry) = self.open.get_mut(&id) else { return };
        entry.busy = entry.busy.saturating_sub(1);
        if entry.busy == 0 {
            entry.idle_since = now;
            if entry.is_known {
                self.idle.insert((now, id));
            }
        }
    }

    fn leave(&mut self, id: u64) {
        let Some(entry) = self.open.remove(&id) else { return };
        self.idle.remove(&(entry.idle_since, id));
        if !entry.is_known {
            self.forget_unknown(entry.address, id);
        }
    }

    fn forget_unknown(&mut self, address: IpAddr, id: u64) {
        let Some(ids) = self.unknown.get_mut(&address) else { return };
        self.unknowns -= usize::from(ids.remove(&id));
        if ids.is_empty() {
            self.unknown.remove(&address);
        }
    }
}

/// One caller can have any number of IPv6 addresses with the same upper half, so that half counts as one address.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use futures_util::{StreamExt as _, stream::FuturesUnordered};
    use tertulia_actors::Tertulia;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpStream,
        time::timeout,
    };

    use super::*;
    use crate::{
        bulk::Bulk,
        config::Limits,
        gateway::{Gateway, Listening, State},
        webhooks::{self, Webhooks},
    };

    /// The longest wait in these tests.
    const PATIENCE: Duration = Duration::from_secs(20);

    const CAPACITY: Capacity = Capacity { callers: 10, streams: 8, unknown: 6, unknown_of_address: 3 };

    /// Connections in a table with its own clock.
    struct Scene {
        table: Table,
        now: Instant,
        open: Vec<(u64, CancellationToken)>,
    }

    impl Scene {
        fn new() -> Self {
            Self { table: Table::new(CAPACITY), now: Instant::now(), open: Vec::new() }
        }

        /// Adds a connection, after the previous one has lost its protection as a new one.
        fn enter(&mut self, address: &str) -> u64 {
            self.now += NEW;
            self.enter_at_once(address)
        }

        fn enter_at_once(&mut self, address: &str) -> u64 {
            let ended = CancellationToken::new();
            let id = self.table.enter(address.parse().unwrap(), ended.clone(), Arc::default(), self.now);
            self.open.push((id, ended));
            id
        }

        fn ended(&self) -> Vec<u64> {
            self.open.iter().filter(|(_, ended)| ended.is_cancelled()).map(|(id, _)| *id).collect()
        }
    }

    #[test]
    fn the_oldest_connection_of_an_address_is_closed_unless_it_has_shown_a_token() {
        let mut scene = Scene::new();
        let ids: Vec<u64> = (0..3).map(|_| scene.enter("10.0.0.1")).collect();
        scene.table.know(ids[0]);
        scene.enter("10.0.0.1");
        assert!(scene.ended().is_empty());
        scene.enter("10.0.0.1");
        assert_eq!(scene.ended(), [ids[1]]);
        scene.enter("10.0.0.2");
        assert_eq!(scene.ended(), [ids[1]]);
    }

    #[test]
    fn a_new_connection_is_not_closed_while_there_is_room() {
        let mut scene = Scene::new();
        (0..6).for_each(|_| _ = scene.enter_at_once("10.0.0.1"));
        assert!(scene.ended().is_empty(), "more than of one address, fewer than in all");
        scene.enter_at_once("10.0.0.2");
        assert_eq!(scene.ended(), [1], "of the address that has most");
    }

    #[test]
    fn when_tokens_take_all_places_the_longest_idle_connection_is_closed() {
        let mut scene = Scene::new();
        for address in 0..10 {
            let id = scene.enter(&format!("10.0.0.{address}"));
            scene.table.ask(id);
            scene.table.know(id);
            if address != 3 {
                scene.table.answered(id, scene.now);
            }
        }
        scene.table.ask(1);
        scene.enter("10.0.1.1");
        assert_eq!(scene.ended(), [2]);
        scene.enter("10.0.1.2");
        assert_eq!(scene.ended(), [2, 11], "before any other with a token");
    }

    #[test]
    fn places_are_free_again_after_their_connections_end() {
        let mut scene = Scene::new();
        for _ in 0..100 {
            let id = scene.enter("10.0.0.1");
            scene.table.ask(id);
            scene.table.know(id);
            scene.table.leave(id);
            scene.table.answered(id, scene.now);
        }
        assert!(scene.ended().is_empty() && scene.table.open.is_empty());
        assert!(scene.table.unknown.is_empty() && scene.table.idle.is_empty() && scene.table.unknowns == 0);
    }

    /// A connection to the gateway at `address` that has requested `path` and read the status.
    async fn asked(address: SocketAddr, path: &str) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.unwrap();
        ask(&mut stream, path).await;
        stream
    }

    async fn ask(stream: &mut TcpStream, path: &str) {
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut status = [0; 12];
        timeout(PATIENCE, stream.read_exact(&mut status)).await.unwrap().unwrap();
        assert_eq!(&status, b"HTTP/1.1 200", "{path}");
    }

    #[actix_rt::test]
    async fn many_connections_without_a_token_neither_block_a_probe_nor_close_a_connection_with_one() {
        const SILENT: usize = 200;
        let tertulia = Arc::new(Tertulia::builder().start().unwrap());
        let (webhooks, bulk) =
            (Webhooks::start(&tertulia, webhooks::Settings::default()), Bulk::start(Arc::clone(&tertulia)));
        let mut state = State::new(tertulia, webhooks, bulk, &[], &Limits::default());
        state.capacity = CAPACITY;
        let gateway = Gateway::start(state, Listening::plain("127.0.0.1:0".parse().unwrap())).unwrap();
        let known = asked(gateway.address(), "/v1/connections").await;
        let mut silent = FuturesUnordered::new();
        for _ in 0..SILENT {
            let mut stream = asked(gateway.address(), "/healthz").await;
            silent.push(async move {
                let mut rest = Vec::new();
                // A reset also counts as an end.
                let _ = stream.read_to_end(&mut rest).await;
            });
        }
        for _ in 0..SILENT - CAPACITY.unknown {
            timeout(PATIENCE, silent.next()).await.unwrap();
        }
        asked(gateway.address(), "/healthz").await;
        let mut known = known;
        // The buffer still has the rest of the first response; the test needs only the second response.
        known.write_all(b"GET /v1/connections HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut said = Vec::new();
        timeout(PATIENCE, known.read_to_end(&mut said)).await.unwrap().unwrap();
        assert!(String::from_utf8_lossy(&said).contains("HTTP/1.1 200"));
        gateway.stop(PATIENCE).await;
    }

    #[test]
    fn addresses_of_one_ipv6_network_count_as_one() {
        let same = |one: &str, other: &str| network(one.parse().unwrap()) == network(other.parse().unwrap());
        assert!(same("2001:db8::1", "2001:db8::ffff:1") && !same("2001:db8::1", "2001:db8:0:1::1"));
        assert!(same("::ffff:10.0.0.1", "10.0.0.1") && !same("10.0.0.1", "10.0.0.2"));
    }
}
