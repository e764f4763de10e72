//! Metadata of a message or of a clicked element (protocol [§7.12](crate::protocol#712)).

use super::rule::{
    Rule::{self, Boolean, Integer, List, Number, NumberWithin, Object, OneOfOrOther, Text, Word},
    Shape,
    Tag::{None, Open, Required},
    optional, required,
};

/// One object of metadata. Four types are published; others are defined by their readers.
pub(super) static METADATA: Rule =
    OneOfOrOther(&[&EXTERNAL_ID, &ACTION_REASON, &BOT_RESPONSE, &BOT_RESPONSE_2018, &IBM_WATSON_INFO]);

/// The metadata of an element, sent by a click.
pub(super) const ALL_METADATA: Rule = List(0, usize::MAX, &METADATA);

static EXTERNAL_ID: Shape = Shape { name: "ExternalId", tag: Required, members: &[&[required("id", Text(64))]] };

static ACTION_REASON: Shape = Shape {
    name: "ActionReason",
    tag: Required,
    members: &[&[optional("reasonId", Text(64)), optional("reason", Text(64))]],
};

static BOT_RESPONSE: Shape = Shape {
    name: "BotResponse",
    tag: Required,
    members: &[&[
        optional("bot", Object(&BOT)),
        optional("consumerUtteranceSequenceNumbers", List(0, 16, &Number)),
        optional("consumerId", Text(64)),
        optional("kBSourceId", Text(64)),
        optional("botInteractionId", Text(64)),
        optional("externalConversationId", Text(64)),
        optional("businessCases", List(0, 16, &Text(256))),
        optional("intentMatched", Boolean),
        optional("intents", List(0, 16, &Object(&INTENT))),
    ]],
};

static BOT: Shape = Shape {
    name: "bot",
    tag: None,
    members: &[&[
        required("botId", Text(64)),
        optional("botProvider", Text(64)),
        optional("botProviderType", Word(&["1P", "3P_LP_CONNECTOR", "3P_EXTERNAL_CONNECTOR"])),
        optional("botType", Text(64)),
        optional("botLanguage", Text(64)),
        optional("botLastUpdateTimestamp", Number),
    ]],
};

static INTENT: Shape = Shape {
    name: "intents",
    tag: None,
    members: &[&[
        required("id", Text(256)),
        required("confidenceScore", NumberWithin(0, 1)),
        optional("name", Text(256)),
        optional("confidence", Text(64)),
        optional("intentMatchType", Text(20)),
        optional("intentMatchEventType", Text(20)),
    ]],
};

/// The older published form, which was never withdrawn.
static BOT_RESPONSE_2018: Shape = Shape {
    name: "BotResponse",
    tag: Required,
    members: &[&[
        optional("externalConversationId", Text(64)),
        optional("businessCases", List(0, usize::MAX, &Text(64))),
        optional("intents", List(0, usize::MAX, &Object(&INTENT_2018))),
    ]],
};

static INTENT_2018: Shape = Shape {
    name: "intents",
    tag: Open,
    members: &[&[required("id", Text(64)), required("confidence", NumberWithin(0, 1)), optional("name", Text(64))]],
};

static IBM_WATSON_INFO: Shape = Shape {
    name: "IBMWatsonInfo",
    tag: Required,
    members: &[&[
        required("referred_visitor_message_sequences", List(0, usize::MAX, &Integer)),
        optional("branch_exited", Boolean),
        optional("branch_exited_reason", Text(64)),
        optional("capability", Text(64)),
        optional("nodes_visited", List(0, usize::MAX, &Text(64))),
        optional("referred_capability", Text(64)),
        optional("referred_nodes", List(0, usize::MAX, &Text(64))),
        optional("entities", List(0, usize::MAX, &Object(&ENTITY))),
    ]],
};

static ENTITY: Shape = Shape {
    name: "entities",
    tag: Open,
    members: &[&[
        optional("entity", Text(usize::MAX)),
        optional("location", List(0, usize::MAX, &Integer)),
        optional("value", Text(usize::MAX)),
    ]],
};
