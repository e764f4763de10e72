//! The platform's rules, one sentence each, without a single socket.

mod closing;
mod fields;
mod messages;
mod routing;
mod subscriptions;
mod takeover;
mod trees;

use std::collections::HashMap;

use serde_json::{Value, json};

use super::{AgentIndex, Caller, ConsumerId, Millis, NewAgent, Party, Platform, Settings, SocketId};
use crate::config::{Limits, Switches, TtrDefaults};
use crate::dialect::{Dialect, Request};

/// A platform with agents, consumers and a clock that only moves when told.
struct Desk {
    platform: Platform,
    now: Millis,
    sockets: u64,
    frames: HashMap<SocketId, Vec<Value>>,
}

fn settings() -> Settings {
    Settings {
        skills: vec!["501".to_owned()],
        account: "42".to_owned(),
        survey: false,
        survey_app_install_id: "survey-bot".to_owned(),
        ttr: TtrDefaults::default(),
        agent_capacity: 10,
        ring_expiry: 72_000,
        page_limit: 1_001,
        limits: Limits::default(),
        switches: Switches::default(),
    }
}

fn agent(number: u32) -> NewAgent {
    NewAgent {
        user_id: format!("90{number}"),
        pid: format!("pid-{number}"),
        login: format!("bot{number}"),
        ..NewAgent::default()
    }
}

fn desk() -> Desk {
    desk_with(|_| {})
}

fn desk_with(change: impl FnOnce(&mut Settings)) -> Desk {
    let mut settings = settings();
    change(&mut settings);
    let mut platform = Platform::new(settings, 1);
    for number in 1..=3 {
        platform.add_agent(agent(number), 0);
    }
    Desk { platform, now: 1_000_000, sockets: 0, frames: HashMap::new() }
}

impl Desk {
    fn socket(&mut self, party: Party, dialect: Dialect) -> SocketId {
        self.sockets += 1;
        let socket = SocketId(self.sockets);
        self.platform.open_socket(Caller { socket, party, dialect, client_properties: None, app: None });
        socket
    }

    fn agent(&mut self, number: u32) -> SocketId {
        self.socket(Party::Agent(AgentIndex(number - 1)), Dialect::V21)
    }

    fn consumer(&mut self, id: &str) -> SocketId {
        self.socket(Party::Consumer(ConsumerId::new(id)), Dialect::V3)
    }

    /// An agent who takes rings.
    fn ready_agent(&mut self, number: u32) -> SocketId {
        let socket = self.agent(number);
        self.ask(socket, ".ams.routing.SetAgentState", json!({"availability": "ONLINE"}));
        self.ask(socket, ".ams.routing.SubscribeRoutingTasks", json!({}));
        self.drain(socket);
        socket
    }

    /// Sends a request; code and body of the answer.
    fn request(&mut self, socket: SocketId, kind: &str, body: Value) -> (u64, Value) {
        let frame = json!({"kind": "req", "id": "q", "type": kind, "body": body});
        self.now += 1;
        self.platform.handle(socket, &Request::read(frame.to_string().as_bytes()).unwrap(), self.now);
        self.collect();
        let frames = self.frames.get_mut(&socket).unwrap();
        let place = frames.iter().position(|frame| frame["reqId"] == "q").unwrap();
        let answer = frames.remove(place);
        (answer["code"].as_u64().unwrap(), answer["body"].clone())
    }

    fn ask(&mut self, socket: SocketId, kind: &str, body: Value) -> Value {
        let (code, body) = self.request(socket, kind, body);
        assert!(code < 400, "{body}");
        body
    }

    fn collect(&mut self) {
        for emission in self.platform.take_frames() {
            let frame = serde_json::from_slice(&emission.text).unwrap();
            self.frames.entry(emission.socket).or_default().push(frame);
        }
    }

    fn wait(&mut self, millis: Millis) {
        self.now += millis;
        self.platform.tick(self.now);
        self.collect();
    }

    /// Everything a socket has got since the last look.
    fn drain(&mut self, socket: SocketId) -> Vec<Value> {
        self.collect();
        self.frames.remove(&socket).unwrap_or_default()
    }

    /// The `result`s of the changes a socket has got in notifications of a type, with their change type.
    fn changes(&mut self, socket: SocketId, kind: &str) -> Vec<(String, Value)> {
        let frames = self.drain(socket).into_iter().filter(|frame| frame["type"] == kind);
        let changes = frames.flat_map(|frame| frame["body"]["changes"].as_array().cloned().unwrap());
        changes.map(|change| (change["type"].as_str().unwrap().to_owned(), change["result"].clone())).collect()
    }

    fn rings(&mut self, socket: SocketId) -> Vec<(String, String)> {
        let changes = self.changes(socket, ".ams.routing.RoutingTaskNotification");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        changes
            .iter()
            .map(|(_, result)| {
                (text(&result["ringsDetails"][0]["ringId"]), text(&result["ringsDetails"][0]["ringState"]))
            })
            .collect()
    }

    fn open(&mut self, socket: SocketId, body: Value) -> String {
        let body = self.ask(socket, "cm.ConsumerRequestConversation", body);
        body["conversationId"].as_str().unwrap().to_owned()
    }

    fn join(&mut self, socket: SocketId, id: &str, role: &str) {
        let field = json!([{"field": "ParticipantsChange", "type": "ADD", "role": role}]);
        assert_eq!(self.change(socket, id, field), (200, json!("OK Agent added successfully")));
    }

    fn change(&mut self, socket: SocketId, id: &str, field: Value) -> (u64, Value) {
        let body = json!({"conversationId": id, "conversationField": field});
        self.request(socket, ".ams.cm.UpdateConversationField", body)
    }

    fn say(&mut self, socket: SocketId, id: &str, text: &str) -> (u64, Value) {
        let event = json!({"type": "ContentEvent", "contentType": "text/plain", "message": text});
        self.publish(socket, id, &event)
    }

    fn publish(&mut self, socket: SocketId, id: &str, event: &Value) -> (u64, Value) {
        let body = json!({"conversationId": id, "dialogId": id, "messageAudience": "ALL", "event": event});
        self.request(socket, "ms.PublishEvent", body)
    }

    fn history(&mut self, socket: SocketId, body: Value) -> Vec<Value> {
        self.ask(socket, ".ams.ms.QueryMessages", body).as_array().unwrap().clone()
    }

    /// The conversation as a brand sees it now.
    fn state(&mut self, id: &str) -> Value {
        let socket = self.agent(3);
        self.ask(socket, ".ams.aam.SubscribeExConversations", json!({"conversationId": id}));
        let (_, tree) = self.changes(socket, ".ams.aam.ExConversationChangeNotification").remove(0);
        self.platform.close_socket(socket);
        tree
    }
}
