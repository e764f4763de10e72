//! The events in the document: a schema for each kind, one type for all kinds, and the requests that a webhook
//! receives.

use serde_json::{Value, json};
use tertulia_actors::{
    core::conversation::ConversationEvent,
    subscriber::{EventData, EventKind},
};
use utoipa::{PartialSchema as _, ToSchema};

use super::finish::reference;
use crate::gateway::events::LogGap;

/// The kinds whose data has a schema of its own, by the name of that schema.
const NAMED: [(&str, EventKind); 3] =
    [("Message", EventKind::Message), ("MessageDelivery", EventKind::MessageDelivery), ("Offer", EventKind::Ring)];
/// The unions of the data of several kinds. They are split into one schema for each kind.
const UNIONS: [&str; 2] = ["ConversationEvent", "EventData"];

/// The event that only a test of a webhook sends.
const TEST: &str = "test";

/// The headers of Standard Webhooks.
const HEADERS: [(&str, &str); 3] = [
    ("webhook-id", "The id of the event, the same for every attempt"),
    ("webhook-timestamp", "When this attempt began, in seconds since the epoch"),
    ("webhook-signature", "Signatures of id, timestamp and body, separated by spaces"),
];

/// Adds the schemas of all events, and the section `webhooks`.
pub(super) fn describe(document: &mut Value) {
    let schemas = &mut document["components"]["schemas"];
    let mut parts = Vec::new();
    EventData::schemas(&mut parts);
    LogGap::schemas(&mut parts);
    parts.push((LogGap::name().into_owned(), LogGap::schema()));
    for (name, schema) in parts.into_iter().filter(|(name, _)| !UNIONS.contains(&name.as_str())) {
        schemas[name] = json!(schema);
    }

    schemas["ConversationChanges"] = changes_of(&schemas["Conversation"]);

    let mut events = Vec::new();
    for (kind, mut data) in variants() {
        if kind == EventKind::Update {
            data["properties"]["changed"] = reference("ConversationChanges");
        }
        let name = type_name(kind.name());
        let summary = data["description"].as_str().map(str::to_owned);
        let data = match data.get("$ref") {
            Some(_) => data,
            None => {
                let named = if kind == EventKind::Gap { "SequenceGap".to_owned() } else { format!("{name}Data") };
                schemas[&named] = data;
                reference(&named)
            }
        };
        let data = if kind == EventKind::Gap {
            schemas["GapData"] = json!({
                "description": "What is missing: messages of a dialog, or events of the log.",
                "oneOf": [data, reference("LogGap")],
            });
            reference("GapData")
        } else {
            data
        };
        let summary = summary.or_else(|| described(&schemas[name_in(&data)])).unwrap_or_default();
        schemas[format!("{name}Event")] = envelope(kind.name(), &data, &summary);
        events.push((kind.name().to_owned(), summary));
    }
    let of_kind = |(kind, _): &(String, String)| reference(&format!("{}Event", type_name(kind)));
    let mapping = events.iter().map(|event| (format!("tertulia.{}", event.0), of_kind(event)["$ref"].clone()));
    let mapping: serde_json::Map<String, Value> = mapping.collect();
    schemas["Event"] = json!({
        "description": "An event, as a CloudEvents 1.0 object. The member `type` determines the schema.",
        "oneOf": events.iter().map(of_kind).collect::<Vec<_>>(),
        "discriminator": { "propertyName": "type", "mapping": mapping },
    });

    let test = "A test of the webhook, which reports nothing.";
    schemas["TestData"] = json!({ "type": "object", "description": test, "additionalProperties": false });
    schemas["TestEvent"] = envelope(TEST, &reference("TestData"), test);
    events.push((TEST.to_owned(), test.to_owned()));
    document["webhooks"] =
        events.iter().map(|(kind, summary)| (format!("tertulia.{kind}"), webhook(kind, summary))).collect();
}

/// The members of a conversation, all of them optional.
fn changes_of(conversation: &Value) -> Value {
    let mut changes = conversation.clone();
    if let Some(schema) = changes.as_object_mut() {
        schema.remove("required");
    }
    if let Some(members) = changes["properties"].as_object_mut() {
        members.remove("connection");
        members.remove("sequence");
    }
    changes["description"] = "The members that changed, with their new values. A member that was unset is null.".into();
    changes
}

/// Each kind with the schema of its data, without the name of the kind.
fn variants() -> Vec<(EventKind, Value)> {
    let unions = [json!(EventData::schema()), json!(ConversationEvent::schema())];
    // The model writes the members itself, so their schema is that of `GET /v1/conversations/{id}`.
    let mut first = reference("Conversation");
    first["description"] = "The first state of a conversation arrived. Carries all its members.".into();
    let mut variants = vec![(EventKind::Conversation, first)];
    for mut data in unions
        .into_iter()
        .filter_map(|mut union| match union["oneOf"].take() {
            Value::Array(variants) => Some(variants),
            _ => None,
        })
        .flatten()
    {
        let name = name_in(&data).to_owned();
        let named = NAMED.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind);
        let titled = data["title"].as_str().and_then(EventKind::parse);
        let Some(kind) = named.or(titled) else { continue };
        if let Value::Object(members) = &mut data
            && named.is_none()
        {
            members.remove("title");
            if !members.contains_key("properties") {
                members.insert("additionalProperties".to_owned(), false.into());
            }
        }
        variants.push((kind, if named.is_some() { reference(&name) } else { data }));
    }
    variants.sort_by_key(|(kind, _)| *kind);
    variants
}

/// The name of the schema to which `schema` refers; empty if `schema` is not a reference.
fn name_in(schema: &Value) -> &str {
    schema["$ref"].as_str().and_then(|path| path.rsplit_once('/')).map_or("", |(_, name)| name)
}

fn described(schema: &Value) -> Option<String> {
    schema["description"].as_str().map(str::to_owned)
}

/// `dialog.close` becomes `DialogClose`.
fn type_name(kind: &str) -> String {
    let capital = |word: &str| {
        let (first, rest) = word.split_at(1);
        first.to_uppercase() + rest
    };
    kind.split(['.', '-']).map(capital).collect()
}

/// The schema of the events of one kind.
fn envelope(kind: &str, data: &Value, description: &str) -> Value {
    json!({
        "type": "object",
        "description": description,
        "required": ["specversion", "id", "source", "type", "time", "datacontenttype", "data"],
        "properties": {
            "specversion": { "type": "string", "enum": ["1.0"] },
            "id": { "type": "string", "description": "The cursor: a reader continues after this event with this id." },
            "source": { "type": "string", "description": "The account and the connection, as a path." },
            "subject": { "type": "string", "description": "The conversation; absent for a connection's own events." },
            "type": { "type": "string", "enum": [format!("tertulia.{kind}")] },
            "time": { "type": "string", "format": "date-time" },
            "sequence": {
                "type": "string",
                "description": "The event's number in its conversation, from 1, without holes.",
            },
            "connection": { "type": "string", "description": "The connection." },
            "datacontenttype": { "type": "string", "enum": ["application/json"] },
            "data": data,
        },
    })
}

/// The request that a receiver gets for an event.
fn webhook(kind: &str, summary: &str) -> Value {
    let name = type_name(kind);
    let headers = HEADERS.map(|(name, description)| {
        json!({
            "name": name, "in": "header", "required": true, "description": description,
            "schema": { "type": "string" },
        })
    });
    json!({ "post": {
        "operationId": format!("on{name}"),
        "tags": ["events"],
        "summary": summary,
        "description": "Sent to each webhook whose filter matches the event. Signed by Standard Webhooks.",
        "security": [],
        "parameters": headers,
        "requestBody": {
            "required": true,
            "content": { "application/cloudevents+json": { "schema": reference(&format!("{name}Event")) } },
        },
        "responses": {
            "2XX": {
                "description": "The event was received. With `replies`, the body has the reply for the conversation",
                "content": { "application/json": { "schema": reference("WebhookAnswer") } },
            },
            "410": { "description": "The receiver is gone for good: the webhook is disabled" },
            "4XX": { "description": "The event is sent again later" },
            "5XX": { "description": "The event is sent again later" },
        },
    } })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_kind_of_event_has_one_schema() {
        let described: Vec<EventKind> = variants().into_iter().map(|(kind, _)| kind).collect();
        assert_eq!(described, {
            let mut all = EventKind::ALL.to_vec();
            all.sort_unstable();
            all
        });
        let names: BTreeSet<String> = described.iter().map(|kind| type_name(kind.name())).collect();
        assert_eq!(names.len(), EventKind::ALL.len());
    }
}
