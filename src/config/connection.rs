//! `[[connections]]`: the logins that the service holds, and what each of them does.

use std::collections::BTreeMap;

use serde_json::Value;
use tertulia_actors::{
    connection::{Agents, Rings, Subscribe},
    core::{
        conversation::HistoryStart,
        id::AgentId,
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
    problem::Reading,
    proxy::Proxy,
};

/// The longest connection id, in bytes: it is part of URLs, metric labels and event sources.
const MAX_ID_BYTES: usize = 64;

/// One login and what it does.
#[derive(Debug)]
pub struct Connection {
    /// Unique and safe in URLs: 1 to 64 of `A-Z a-z 0-9 . _ ~ -`.
    pub id: String,
    /// The account at the platform, ASCII letters and digits.
    pub account: String,
    /// Its side of conversations, and its credentials. A consumer without a login is anonymous.
    pub access: Access,
    /// What stands between it and the platform.
    pub proxy: Option<Proxy>,
    /// The device that its consumers are said to use; of a brand, whose socket it is. An intake has none.
    pub client_properties: Option<ClientProperties>,
    /// What it hears of; none where there is no socket (connector and intake).
    pub subscribe: Option<Subscribe>,
    /// What it does with rings; off by default.
    pub rings: Rings,
    /// Whether messages are told that were said before the connection came; they are by default.
    pub history: HistoryStart,
    /// The agent state to set after each connect; unchanged where there is none.
    pub agent_state: Option<AgentState>,
    /// The session that it has at the platform.
    session: Option<Session>,
}

/// A connection that a request describes, in the same members as the configuration's.
#[derive(Debug)]
pub struct Requested {
    /// The connection.
    pub connection: Connection,
    /// Secrets were written where they are used; only a request may do so.
    pub has_written_secrets: bool,
}

impl Requested {
    /// Reads and validates `definition`, which may refer only to what is `admissible`.
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

/// All connections; those without a mistake.
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
    /// `ids` are those of the connections before it, with their paths.
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
        section.finish();

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
            session,
        })
    }
}

/// How the connection gets to the platform, and the session it has there. Nothing is known of a mistaken role but that it
/// has its own mistake.
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

/// The conversations that a connection sees: `OPEN` ones by default, a consumer's `OPEN` and `CLOSE` ones.
fn read_subscribe(field: Field<'_>, role: Option<Role>) -> Option<Subscribe> {
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
        // A consumer sees their own conversations, whoever serves them.
        Some(Agents::All)
    } else if agents.is_list() {
        let id = |field: Field<'_>| field.text().map(|agent| AgentId::from(agent.as_str()));
        entries(agents, id).map(Agents::Listed)
    } else {
        agents.word(&[("self", false), ("all", true)]).map(|all| if all { Agents::All } else { Agents::Mine })
    };
    Some(Subscribe { stage, agents: agents.unwrap_or(Agents::Mine) })
}

/// The entries of a list that must not be empty; `None` where there is no list.
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
    // A path segment of dots alone means another path.
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
