//! `[[connections]]`: the logins that the service holds, and what each login does.

use std::collections::BTreeMap;

use serde_json::Value;
use tertulia_actors::{
    connection::{Agents, Rings},
    core::{
        conversation::HistoryStart,
        id::AgentId,
        placement::DutySettings,
        ums::{AgentState, Stage},
    },
    platform::ConsumerLogin,
};

use super::{
    Admissible, Environment, Problem,
    client_properties::ClientProperties,
    document,
    field::Field,
    login::{Access, Login, Role, Session},
    node::read_placement,
    problem::Reading,
    proxy::Proxy,
};

/// The longest connection id, in bytes: it is part of URLs, metric labels and event sources.
const MAX_ID_BYTES: usize = 64;

/// One login and what the connection does with it.
#[derive(Debug)]
pub struct Connection {
    /// Unique and safe in URLs: 1 to 64 of `A-Z a-z 0-9 . _ ~ -`.
    pub id: String,
    /// The account at the platform, ASCII letters and digits.
    pub account: String,
    /// The connection's side of conversations, and its credentials. A consumer without a login is anonymous.
    pub access: Access,
    /// The proxy between the connection and the platform.
    pub proxy: Option<Proxy>,
    /// The device that the connection reports to the platform: the device of its consumers, or for a brand the device
    /// of its own socket. An intake has no device.
    pub client_properties: Option<ClientProperties>,
    /// The conversations that the connection subscribes to; `None` without a socket (connector and intake).
    pub subscribe: Option<(Vec<Stage>, Agents)>,
    /// How the connection handles rings; off by default.
    pub rings: Rings,
    /// Whether messages from before the connection's start are reported as events; yes by default.
    pub history: HistoryStart,
    /// The agent state to set after each connect; `None` leaves the state unchanged.
    pub agent_state: Option<AgentState>,
    /// Which nodes may run the connection, and how much work it is.
    pub nodes: DutySettings,
    /// The session that the login has at the platform.
    session: Option<Session>,
}

/// A connection described by a request, with the same members as in the configuration.
#[derive(Debug)]
pub struct Requested {
    /// The connection.
    pub connection: Connection,
    /// Whether the request contains a secret itself. Only a request may do so, not the configuration.
    pub has_written_secrets: bool,
}

impl Requested {
    /// Reads and validates `definition`, which may refer only to `admissible` secrets and proxies.
    ///
    /// # Errors
    /// Every mistake; never empty.
    pub fn parse(definition: &Value, environment: &Environment, admissible: &Admissible) -> Result<Self, Vec<Problem>> {
        let reading = Reading::of_request(environment, admissible);
        let connection = Connection::read(Field::whole(document::of_json(definition), &reading), &mut BTreeMap::new());
        let has_written_secrets = reading.has_written_secrets();
        match (reading.into_problems(), connection) {
            (problems, Some(connection)) if problems.is_empty() => Ok(Self { connection, has_written_secrets }),
            (problems, _) => Err(problems),
        }
    }
}

const ROLES: &[(&str, Role)] =
    &[("brand", Role::Brand), ("consumer", Role::Consumer), ("connector", Role::Connector), ("intake", Role::Intake)];
const STAGES: &[(&str, Stage)] = &[("OPEN", Stage::Open), ("CLOSE", Stage::Close), ("LOCKED", Stage::Locked)];
const RINGS: &[(&str, Rings)] = &[("accept", Rings::Accept), ("manual", Rings::Manual), ("off", Rings::Off)];
const HISTORIES: &[(&str, HistoryStart)] =
    &[("beginning", HistoryStart::Beginning), ("first-seen", HistoryStart::FirstSeen)];
const AGENT_STATES: &[(&str, AgentState)] = &[
    ("ONLINE", AgentState::Online),
    ("OCCUPIED", AgentState::Occupied),
    ("BACK_SOON", AgentState::BackSoon),
    ("AWAY", AgentState::Away),
    ("OFFLINE", AgentState::Offline),
];

/// Reads all connections and returns those without a mistake.
pub(super) fn read_all(field: Field<'_>) -> Vec<Connection> {
    let (mut ids, mut logins) = (BTreeMap::new(), BTreeMap::new());
    let read = |field: Field<'_>| {
        let (reading, place, path) = (field.reading, field.place.clone(), field.path.clone());
        let connection = Connection::read(field, &mut ids)?;
        if let Some((kind, user)) = connection.session.clone()
            && let Some(other) = logins.insert((connection.account.clone(), kind, user), path.clone())
        {
            let message = format!("the same login as {other}: the platform allows one session per login");
            reading.report(&place, &format!("{path}.login"), message);
        }
        Some(connection)
    };
    field.list().into_iter().filter_map(read).collect()
}

impl Connection {
    /// `ids` holds the ids of the earlier connections with their paths.
    fn read(field: Field<'_>, ids: &mut BTreeMap<String, String>) -> Option<Self> {
        let own_path = field.path.clone();
        let mut section = field.section();
        let id = section.field("id").required().parse(|id| unique_id(id, own_path, ids));
        let account = section.field("account").required().parse(account);
        let role = section.field("role").required().word(ROLES);
        let login = section.field("login");
        let proxy = Proxy::read(section.field("proxy"));
        let client_properties = section.field("client_properties");
        let subscribe = section.field("subscribe");
        let rings = section.field("rings");
        let history = section.field("history");
        let agent_state = section.field("agent_state");
        let nodes = section.field("nodes");
        section.finish();

        let nodes = read_placement(nodes, role == Some(Role::Connector));

        let access = read_access(login, role);
        let client_properties = if role == Some(Role::Intake) {
            client_properties.refused("a connection of role \"intake\" has no device");
            None
        } else {
            ClientProperties::read(client_properties)
        };
        let subscribe = read_subscribe(subscribe, role);
        let history = history.word(HISTORIES);
        let (rings, agent_state) = if role.is_some_and(|role| role != Role::Brand) {
            rings.refused("only a connection of role \"brand\" receives rings");
            agent_state.refused("only a connection of role \"brand\" has an agent state");
            (None, None)
        } else {
            (rings.word(RINGS), agent_state.word(AGENT_STATES))
        };
        let (access, session) = access?;
        Some(Self {
            id: id?,
            account: account?,
            access,
            proxy,
            client_properties,
            subscribe,
            rings: rings.unwrap_or(Rings::Off),
            history: history.unwrap_or_default(),
            agent_state,
            nodes,
            session,
        })
    }
}

/// Reads the credentials, and the session that the login has at the platform. If `role` is `None`, the role's own
/// mistake was already reported.
fn read_access(field: Field<'_>, role: Option<Role>) -> Option<(Access, Option<Session>)> {
    if role == Some(Role::Consumer) && !field.is_present() {
        return Some((Access::Consumer(ConsumerLogin::SignUp), None));
    }
    let field = if role.is_none() { field } else { field.required() };
    let (reading, place, path) = (field.reading, field.place.clone(), field.path.clone());
    let login = Login::read(field)?;
    let role = role?;
    let session = if matches!(role, Role::Brand | Role::Consumer) { login.session() } else { None };
    match login.access(role) {
        Ok(access) => Some((access, session)),
        Err(mistake) => {
            reading.report(&place, &path, mistake);
            None
        }
    }
}

/// The conversations that a connection sees: by default `OPEN` conversations, and for a consumer also `CLOSE`
/// conversations.
fn read_subscribe(field: Field<'_>, role: Option<Role>) -> Option<(Vec<Stage>, Agents)> {
    if matches!(role, Some(Role::Connector | Role::Intake)) {
        field.refused("a connection without a socket has no subscription");
        return None;
    }
    let mut section = field.section();
    let stage = section.field("stage");
    let agents = section.field("agents");
    section.finish();

    let is_consumer = role == Some(Role::Consumer);
    let default_stage = if is_consumer { vec![Stage::Open, Stage::Close] } else { vec![Stage::Open] };
    let stage = entries(stage, |field| field.word(STAGES)).unwrap_or(default_stage);
    let agents = if is_consumer {
        agents.refused("a consumer's subscription has no agents");
        // A consumer sees their own conversations, whichever agent has them.
        Some(Agents::All)
    } else if agents.is_list() {
        let id = |field: Field<'_>| field.text().map(|agent| AgentId::from(agent.as_str()));
        entries(agents, id).map(Agents::Listed)
    } else {
        agents.word(&[("self", false), ("all", true)]).map(|all| if all { Agents::All } else { Agents::Mine })
    };
    Some((stage, agents.unwrap_or(Agents::Mine)))
}

/// Reads the entries of a list that must not be empty; `None` if the list is absent.
fn entries<'a, T>(field: Field<'a>, read: impl Fn(Field<'a>) -> Option<T>) -> Option<Vec<T>> {
    let (reading, place, path, is_list) = (field.reading, field.place.clone(), field.path.clone(), field.is_list());
    let fields = field.list();
    if fields.is_empty() {
        if is_list {
            reading.report(&place, &path, "must not be empty");
        }
        return None;
    }
    Some(fields.into_iter().filter_map(read).collect())
}

fn unique_id(id: &str, path: String, ids: &mut BTreeMap<String, String>) -> Result<String, String> {
    let is_url_safe = |byte: u8| byte.is_ascii_alphanumeric() || b"._~-".contains(&byte);
    // A path segment that consists of dots has a special meaning in URLs.
    let is_dots = id.bytes().all(|byte| byte == b'.');
    if id.len() > MAX_ID_BYTES || is_dots || !id.bytes().all(is_url_safe) {
        return Err(format!("{id:?} is not 1 to {MAX_ID_BYTES} of the characters A-Z a-z 0-9 . _ ~ -"));
    }
    match ids.get(id) {
        Some(other) => Err(format!("{id:?} is already the id of {other}")),
        None => {
            ids.insert(id.to_owned(), path);
            Ok(id.to_owned())
        }
    }
}

fn account(text: &str) -> Result<String, String> {
    if text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        Ok(text.to_owned())
    } else {
        Err(format!("{text:?} is not an account: letters and digits only"))
    }
}
