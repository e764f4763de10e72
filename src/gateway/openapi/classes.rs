//! Which node serves which endpoint of the interface.

use std::collections::BTreeMap;

use actix_web::http::Method;
use serde_json::Value;

use super::gather;
use crate::gateway::nodes::{Class, class};

/// The endpoints by their classes. A new endpoint belongs into one of these lists, and then, if need be, into
/// `gateway::nodes::class`.
const CLASSES: [(&str, &[&str]); 8] = [
    (
        "here",
        &[
            "addConnection",
            "discardDeadLetter",
            "discardDeadLetters",
            "getDeadLetter",
            "getHealth",
            "getMetrics",
            "getOpenApi",
            "getOverview",
            "getReadiness",
            "getSupervision",
            "listDeadLetterCauses",
            "listDeadLetters",
            "listNodes",
            "moveConnection",
            "openEventSocket",
            "readEvents",
            "rebalanceNodes",
            "receivePlatformWebhook",
            "takeBackup",
        ],
    ),
    (
        "connection",
        &[
            "createConversation",
            "deletePlatformService",
            "getConnection",
            "getPlatformService",
            "headPlatformService",
            "optionsPlatformService",
            "patchPlatformService",
            "postPlatformService",
            "putPlatformService",
            "removeConnection",
            "restartConnection",
            "sendRequest",
            "setAgentState",
            "stepUpConsumer",
        ],
    ),
    (
        "duty",
        &[
            "cancelBulkJob",
            "changeWebhook",
            "createWebhook",
            "deleteWebhook",
            "getBulkJob",
            "getWebhook",
            "listBulkItems",
            "listBulkJobs",
            "listDeliveries",
            "listWebhooks",
            "pauseBulkJob",
            "resumeBulkJob",
            "rotateWebhookSecret",
            "startBulkJob",
            "testWebhook",
        ],
    ),
    ("node", &["drainNode", "getNode"]),
    ("letter", &["replayDeadLetter"]),
    ("ring", &["acceptRing", "rejectRing"]),
    (
        "conversation",
        &[
            "cancelCommand",
            "closeConversation",
            "downloadFile",
            "getConversation",
            "getSnapshot",
            "joinConversation",
            "leaveConversation",
            "listCommands",
            "listMessages",
            "loadConversation",
            "markAccepted",
            "markRead",
            "rateConversation",
            "releaseConversation",
            "sendMessage",
            "setChatState",
            "setManualDeadline",
            "setNote",
            "setResponseTime",
            "takeOverConsumer",
            "transferConversation",
            "unloadConversation",
            "uploadFile",
        ],
    ),
    ("everyone", &["listConnections", "listConversations", "listRings"]),
];

fn word(class: &Class) -> &'static str {
    use tertulia_actors::core::placement::DutyName;
    match class {
        Class::Here => "here",
        Class::Duty(DutyName::Connection(_)) => "connection",
        Class::Duty(_) => "duty",
        Class::Node(_) => "node",
        Class::Conversation(_) => "conversation",
        Class::Letter(_) => "letter",
        Class::Ring(_) => "ring",
        Class::Everyone => "everyone",
    }
}

#[test]
fn every_endpoint_has_a_class_on_purpose() {
    let document: Value = serde_json::from_slice(&gather().json).unwrap();
    let mut found: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let path = path.replace(['{', '}'], "");
        for (method, operation) in item.as_object().unwrap() {
            let Ok(method) = method.to_uppercase().parse::<Method>() else { continue };
            let Some(id) = operation["operationId"].as_str() else { continue };
            found.entry(word(&class(&method, &path, "", None))).or_default().push(id.to_owned());
        }
    }
    for (name, expected) in CLASSES {
        let mut found = found.remove(name).unwrap_or_default();
        found.sort_unstable();
        assert_eq!(found, expected, "endpoints of the class {name}");
    }
}
