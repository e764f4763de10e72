//! Which node can serve a request, by its method and path. Pure.

use actix_web::{http::Method, web::Query};
use serde::Deserialize;
use tertulia_actors::core::{
    id::{ConnectionId, NodeId},
    placement::DutyName,
};

/// Which node can serve a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::gateway) enum Class {
    /// Every node, by what all share, or by what it asks of the others.
    Here,
    /// The node that does a duty.
    Duty(DutyName),
    /// The node that the path names.
    Node(NodeId),
    /// The node whose connection has the conversation of this part of the path.
    Conversation(String),
    /// The node that has the connection of a dead letter.
    Letter(String),
    /// The node whose connection was offered the ring of this part of the path.
    Ring(String),
    /// All nodes together: each has a part of a list.
    Everyone,
}

impl Class {
    /// Whether the body of the request may name a connection, which then decides.
    pub(super) fn may_be_named_in_body(&self) -> bool {
        matches!(self, Self::Ring(_) | Self::Conversation(_))
    }
}

/// A part of a path in plain text.
pub(super) fn decoded(segment: &str) -> String {
    #[derive(Deserialize)]
    struct One {
        id: String,
    }
    // A query is decoded like a path but for these characters.
    let query = format!("id={}", segment.replace('+', "%2B").replace('&', "%26").replace(';', "%3B"));
    Query::<One>::from_query(&query).map_or_else(|_| segment.to_owned(), |one| one.into_inner().id)
}

#[derive(Deserialize)]
struct Through {
    connection: Option<String>,
}

/// Determines the class of a request to `path` with `query`. A request that can have a body may name its connection there;
/// `in_body` is what it names.
pub(in crate::gateway) fn class(method: &Method, path: &str, query: &str, in_body: Option<&str>) -> Class {
    let Some(rest) = path.strip_prefix("/v1/") else { return Class::Here };
    let segments: Vec<&str> = rest.split('/').collect();
    let is_read = *method == Method::GET || *method == Method::HEAD;
    let through = Query::<Through>::from_query(query).ok().and_then(|through| through.into_inner().connection);
    let through = through.as_deref().or(in_body);
    let connection = |id: &str| Class::Duty(DutyName::Connection(ConnectionId::from(id)));
    match segments.as_slice() {
        ["connections" | "conversations" | "rings"] if is_read => through.map_or(Class::Everyone, connection),
        // Written to the database.
        ["connections", _, "move"] | ["nodes", "rebalance"] => Class::Here,
        ["connections", id, ..] => connection(&decoded(id)),
        ["conversations", id, ..] => through.map_or_else(|| Class::Conversation((*id).to_owned()), connection),
        ["rings", id, ..] => through.map_or_else(|| Class::Ring((*id).to_owned()), connection),
        ["dead-letters", id, "replay"] => Class::Letter(decoded(id)),
        ["nodes", id, ..] => Class::Node(NodeId::from(decoded(id).as_str())),
        ["webhooks", ..] => Class::Duty(DutyName::Webhooks),
        ["bulk", ..] => Class::Duty(DutyName::Bulk),
        _ => Class::Here,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(method: &str, path: &str) -> Class {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        class(&method.parse().unwrap(), path, query, None)
    }

    fn connection(id: &str) -> Class {
        Class::Duty(DutyName::Connection(id.into()))
    }

    #[test]
    fn what_names_a_connection_goes_to_its_node() {
        assert_eq!(of("GET", "/v1/connections/bots-1"), connection("bots-1"));
        assert_eq!(of("POST", "/v1/connections/bots-1/requests?x=1"), connection("bots-1"));
        assert_eq!(of("GET", "/v1/connections/b%C3%B6ts%2F1+%26;=?x=1"), connection("böts/1+&;="));
        assert_eq!(of("POST", "/v1/conversations/c/messages?connection=bots-1"), connection("bots-1"));
        assert_eq!(of("GET", "/v1/conversations?connection=bots-1"), connection("bots-1"));
        let load = class(&Method::POST, "/v1/conversations/load", "", Some("connector"));
        assert_eq!(load, connection("connector"));
    }

    #[test]
    fn what_names_no_connection_is_looked_for_and_lists_are_put_together() {
        assert_eq!(of("POST", "/v1/conversations/c%20d/messages"), Class::Conversation("c%20d".into()));
        assert_eq!(of("POST", "/v1/rings/r%20s/accept"), Class::Ring("r%20s".into()));
        assert_eq!(of("POST", "/v1/dead-letters/l/replay"), Class::Letter("l".into()));
        for list in ["/v1/connections", "/v1/conversations", "/v1/rings?limit=3"] {
            assert_eq!(of("GET", list), Class::Everyone, "{list}");
        }
    }

    #[test]
    fn the_rest_is_a_duty_or_everywhere_the_same() {
        assert_eq!(of("PATCH", "/v1/webhooks/w"), Class::Duty(DutyName::Webhooks));
        for (method, path) in [("POST", "/v1/nodes/a/drain"), ("GET", "/v1/nodes/a")] {
            assert_eq!(of(method, path), Class::Node("a".into()), "{path}");
        }
        assert_eq!(of("POST", "/v1/bulk"), Class::Duty(DutyName::Bulk));
        for path in
            ["/v1/events", "/v1/events/socket", "/v1/dead-letters", "/v1/overview", "/v1/nodes", "/healthz", "/"]
        {
            assert_eq!(of("GET", path), Class::Here, "{path}");
        }
        for path in ["/v1/connections", "/v1/connections/bots-1/move", "/v1/nodes/rebalance"] {
            assert_eq!(of("POST", path), Class::Here, "{path}");
        }
    }
}
