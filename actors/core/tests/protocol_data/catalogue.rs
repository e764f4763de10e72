//! Structured content, quick replies and metadata with every member that the schemas know, each valid.

use serde_json::{Value, json};

use super::data;

/// The attributes for screen readers, all of them.
fn accessibility() -> Value {
    let schema: Value = serde_json::from_str(&data::text("rich-content-schemas/accessibilityWeb.json")).unwrap();
    let names = schema["properties"].as_object().unwrap().keys();
    json!({ "web": names.map(|name| (name.clone(), json!("x"))).collect::<serde_json::Map<_, _>>() })
}

fn style() -> Value {
    json!({ "background-color": "#fff", "background-color-active": "#fff", "background-color-hover": "#fff",
        "border-color": "#fff", "border-color-selected": "#fff", "border-color-hover": "#fff", "border-radius": 4,
        "font-family": "serif", "bold": true, "italic": false, "color": "red", "color-hover": "red",
        "color-active": "red", "size": "large", "fill": "red" })
}

fn with(mut element: Value, members: Value) -> Value {
    let (Value::Object(element_members), Value::Object(more)) = (&mut element, members) else { panic!("no objects") };
    element_members.extend(more);
    element
}

/// The same with what everything that is drawn may have.
fn drawn(element: Value) -> Value {
    with(
        element,
        json!({ "rtl": true, "tooltip": "tip", "tag": "tag", "tagVersion": "1", "style": { "bold": true },
        "accessibility": { "web": { "role": "x" } } }),
    )
}

/// The same with a click of this action.
fn clicked(element: Value, action: Value) -> Value {
    let click = json!({ "actions": [action], "metadata": [{ "type": "ExternalId", "id": "k" }] });
    with(drawn(element), json!({ "alt": "alt", "click": click }))
}

fn publish() -> Value {
    json!({ "type": "publishText", "text": "yes" })
}

fn text(text: &str) -> Value {
    json!({ "type": "text", "text": text })
}

fn actions() -> Vec<Value> {
    let elsewhere = json!({ "uri": "https://example.com/app" });
    let slot = json!({ "type": "scheduleSlot", "id": "1", "start": 1, "end": 2, "title": "Noon", "description": "d",
        "imageUrl": "https://example.com/a.png" });
    vec![
        publish(),
        json!({ "type": "addToCart", "items": [{ "productId": "p", "quantity": 2 }] }),
        json!({ "type": "navigate", "la": 1.5, "lo": 2, "name": "here" }),
        json!({ "type": "link", "uri": "https://example.com", "name": "site", "ios": elsewhere, "android": elsewhere,
            "web": elsewhere, "target": "blank", "accessibility": { "web": { "role": "x" } } }),
        json!({ "type": "custom", "data": [{ "key": "k", "value": "v" }] }),
        json!({ "type": "datePicker", "class": "range", "title": "When", "minDate": 1, "maxDate": 2, "dateFormat": "d" }),
        json!({ "type": "scheduleSlotList", "title": "When", "slots": [slot], "firstDayOfTheWeek": "sun" }),
    ]
}

/// What is shown or clicked by itself.
pub(crate) fn basics() -> Vec<Value> {
    let button = json!({ "type": "button", "title": "Buy", "subtitle": "now", "class": "button",
        "ref": { "name": "r", "type": "carouselSelect" } });
    vec![
        clicked(text("hello"), publish()),
        with(text("hello"), json!({ "style": style(), "accessibility": accessibility() })),
        clicked(json!({ "type": "image", "url": "https://example.com/a.png", "caption": "a" }), publish()),
        clicked(button, publish()),
        clicked(json!({ "type": "map", "lo": 1, "la": 2.5 }), publish()),
        clicked(json!({ "type": "linkPreview", "url": "https://example.com", "title": "t" }), publish()),
        clicked(
            json!({ "type": "template", "templateType": "quickReply", "title": "t", "resp": ["a", "b"] }),
            publish(),
        ),
        json!({ "type": "keyValuePairList", "elements": [{ "key": "k", "value": "v" }] }),
    ]
}

/// What holds other elements.
pub(crate) fn layouts() -> Vec<Value> {
    let stacked = |kind: &str| {
        json!({ "type": kind, "elements": [text("a"), text("b")], "tag": "tag", "tagVersion": "1", "alt": "alt",
            "border": "dropShadow", "accessibility": { "web": { "role": "x" } },
            "metadata": [{ "type": "ExternalId", "id": "k" }] })
    };
    let display = json!({ "aspectRatio": "square", "size": "cover" });
    let turned = |kind: &str| {
        json!({ "type": kind, "elements": [stacked("vertical"), text("b")], "tooltip": "tip", "padding": 10,
            "alt": "alt", "display": display, "style": { "bold": true }, "accessibility": { "web": { "role": "x" } } })
    };
    let multiple = json!({ "name": "choice", "type": "multiple" });
    let titles = json!([{ "name": "one", "additional": "more" }]);
    vec![
        with(stacked("horizontal"), json!({ "borderLine": true, "percentages": [30, 70.5] })),
        with(stacked("vertical"), json!({ "scroll": "enable", "display": display, "style": { "bold": true } })),
        turned("carousel"),
        with(turned("carouselSelect"), json!({ "selectMode": multiple })),
        with(turned("accordionSelect"), json!({ "selectMode": { "name": "choice" }, "titles": titles })),
        json!({ "type": "tabs", "style": { "bold": true }, "elements": [stacked("vertical"), text("b")] }),
    ]
}

/// A list to tick things off.
pub(crate) fn lists() -> Vec<Value> {
    let web = json!({ "web": { "role": "x" } });
    let checked = json!({ "type": "checked", "publishText": "yes", "accessibility": web });
    let click = json!({ "actions": [checked], "metadata": [{ "type": "ExternalId", "id": "k" }] });
    let checkbox =
        drawn(json!({ "type": "checkbox", "text": "one", "borderLine": true, "borderColor": "red", "click": click }));
    let checklist = json!({ "type": "checklist", "elements": [checkbox, { "type": "checkbox", "text": "", "click": {} }],
        "tooltip": "tip", "padding": 0, "alt": "alt", "accessibility": web });
    let section = |elements: Value| {
        json!({ "type": "section", "elements": elements, "sectionID": "s", "tooltip": "tip", "padding": 1, "alt": "alt",
            "accessibility": web })
    };
    let submit = json!({ "type": "submitAsText", "submit": true, "accessibility": web });
    let click = json!({ "actions": [submit], "metadata": [{ "type": "ExternalId", "id": "k" }] });
    let button =
        drawn(json!({ "type": "submitButton", "title": "Send", "alt": "alt", "disabled": false, "click": click }));
    let sections = [section(json!([checklist])), section(json!([text("title"), checklist]))];
    let list = json!({ "type": "list", "tooltip": "tip", "alt": "alt", "elements": [
        text("Which?"),
        { "type": "sectionList", "tooltip": "tip", "alt": "alt", "elements": sections },
        { "type": "buttonList", "tooltip": "tip", "alt": "alt", "padding": 2,
          "elements": [button, { "type": "button", "title": "No" }] },
    ] });
    vec![list]
}

/// Each action, on a button.
pub(crate) fn clicks() -> Vec<Value> {
    let button = |action| json!({ "type": "button", "title": "t", "click": { "actions": [action] } });
    actions().into_iter().map(button).collect()
}

/// Structured content of every kind.
pub(crate) fn content() -> Vec<Value> {
    [basics(), clicks(), layouts(), lists()].concat()
}

/// Quick replies.
pub(crate) fn quick_replies() -> Vec<Value> {
    let button = clicked(json!({ "type": "button", "title": "Yes" }), publish());
    vec![json!({ "type": "quickReplies", "itemsPerRow": 8, "replies": [button, button] })]
}

/// Objects of metadata.
pub(crate) fn metadata() -> Vec<Value> {
    let bot = json!({ "botId": "b", "botProvider": "p", "botProviderType": "1P", "botType": "t", "botLanguage": "en",
        "botLastUpdateTimestamp": 1.5 });
    let scored = json!({ "id": "i", "name": "n", "confidence": "high", "confidenceScore": 1, "intentMatchType": "m",
        "intentMatchEventType": "e" });
    let entity = json!({ "entity": "e", "location": [0, 4], "value": "v" });
    vec![
        json!({ "type": "ExternalId", "id": "k" }),
        json!({ "type": "ActionReason", "reasonId": "1", "reason": "r" }),
        json!({ "type": "BotResponse", "externalConversationId": "c", "businessCases": ["b"],
            "intents": [{ "id": "i", "name": "n", "confidence": 0.5 }] }),
        json!({ "type": "BotResponse", "bot": bot, "consumerUtteranceSequenceNumbers": [1], "consumerId": "c",
            "kBSourceId": "k", "botInteractionId": "i", "externalConversationId": "c", "businessCases": ["b"],
            "intentMatched": true, "intents": [scored] }),
        json!({ "type": "IBMWatsonInfo", "branch_exited": true, "branch_exited_reason": "r", "capability": "c",
            "nodes_visited": ["n"], "referred_capability": "c", "referred_nodes": ["n"],
            "referred_visitor_message_sequences": [1], "entities": [entity] }),
    ]
}
