//! The last changes to the document, which the macros cannot make. They apply to all schemas.

use std::mem;

use serde_json::{Value, json};

/// The name of the schema of any JSON value.
const JSON: &str = "Json";
/// The name of the schema of any JSON object.
const JSON_OBJECT: &str = "JsonObject";
/// The macros name the schema of a page with this prefix and the name of the items.
const PAGE_OF: &str = "Page_";

/// The sign before the number of a section.
const SECTION: char = '\u{a7}';

/// The members of a document or schema that hold one schema.
const HOLD_ONE: [&str; 3] = ["items", "schema", "additionalProperties"];
/// The members that hold schemas in a list.
const HOLD_LIST: [&str; 3] = ["oneOf", "anyOf", "allOf"];
/// The members that hold schemas by name.
const HOLD_NAMED: [&str; 2] = ["properties", "schemas"];

/// Gives names to the schemas that the macros leave anonymous, and removes text that is only for this crate's
/// documentation.
pub(super) fn finish(document: &mut Value) {
    name_items_of_pages(document);
    name_json(document);
    visit_texts(document, &mut |text| *text = without_links_into_the_code(text.trim()));
    for paths in ["paths", "webhooks"] {
        operations(&mut document[paths]).for_each(|operation| {
            summarize(operation);
            let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
            parameters.into_iter().flatten().for_each(never_null);
        });
    }
    let schemas = &mut document["components"]["schemas"];
    // The schema of a list of any values would refer to itself, which TypeScript allows only within an object. So the
    // schema allows lists in lists, but no deeper lists, which do not occur.
    let one = [json!("string"), json!("number"), json!("boolean"), json!("null")].map(|kind| json!({ "type": kind }));
    let or_list = |item: &Value| {
        let list = json!({ "type": "array", "items": item });
        json!({ "oneOf": one.iter().cloned().chain([reference(JSON_OBJECT), list]).collect::<Vec<_>>() })
    };
    let item = json!({ "oneOf": one.iter().cloned().chain([reference(JSON_OBJECT)]).collect::<Vec<_>>() });
    schemas[JSON] = or_list(&or_list(&item));
    schemas[JSON]["description"] = "Any JSON.".into();
    schemas[JSON_OBJECT] =
        json!({ "type": "object", "description": "Any JSON object.", "additionalProperties": reference(JSON) });
}

pub(super) fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// `Page_Ring` with a copy of `Ring` inside becomes `RingPage`, which refers to `Ring`.
fn name_items_of_pages(document: &mut Value) {
    let Some(schemas) = document["components"]["schemas"].as_object_mut() else { return };
    for (name, mut schema) in mem::take(schemas) {
        let Some(item) = name.strip_prefix(PAGE_OF) else {
            schemas.insert(name, schema);
            continue;
        };
        schema["properties"]["items"]["items"] = reference(item);
        schemas.insert(page_of(item), schema);
    }
    let start = reference(PAGE_OF)["$ref"].as_str().unwrap_or_default().to_owned();
    visit_texts(document, &mut |text| {
        if let Some(item) = text.strip_prefix(&start) {
            *text = format!("{}{}", start.trim_end_matches(PAGE_OF), page_of(item));
        }
    });
}

fn page_of(item: &str) -> String {
    format!("{item}Page")
}

/// Replaces each schema without constraints by a reference to a named schema, so that generated code has a type for it.
fn name_json(value: &mut Value) {
    match value {
        Value::Object(members) => {
            let is_schema = |name: &str| !["default", "example", "examples"].contains(&name);
            for (name, member) in members.iter_mut().filter(|(name, _)| is_schema(name)) {
                match member {
                    schema if HOLD_ONE.contains(&name.as_str()) => name_json_schema(schema),
                    Value::Array(schemas) if HOLD_LIST.contains(&name.as_str()) => {
                        schemas.iter_mut().for_each(name_json_schema);
                    }
                    Value::Object(schemas) if HOLD_NAMED.contains(&name.as_str()) => {
                        schemas.values_mut().for_each(name_json_schema);
                    }
                    other => name_json(other),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(name_json),
        _ => {}
    }
}

fn name_json_schema(schema: &mut Value) {
    let Value::Object(members) = schema else { return };
    let is_vague = !members.keys().any(|key| ["$ref", "oneOf", "anyOf", "allOf", "enum", "const"].contains(&&**key));
    let says_properties = members.contains_key("properties") || members.contains_key("additionalProperties");
    let kind = members.get("type").cloned();
    let named = match kind {
        None if is_vague => reference(JSON),
        Some(kind) if kind == "object" && !says_properties => reference(JSON_OBJECT),
        Some(kind) if kind == json!(["object", "null"]) && !says_properties => {
            json!({ "oneOf": [{ "type": "null" }, reference(JSON_OBJECT)] })
        }
        _ => return name_json(schema),
    };
    members.remove("type");
    if let Value::Object(named) = named {
        members.extend(named);
    }
}

/// The operations of the paths.
fn operations(paths: &mut Value) -> impl Iterator<Item = &mut Value> {
    let items = paths.as_object_mut().into_iter().flat_map(|paths| paths.values_mut());
    items.filter_map(Value::as_object_mut).flat_map(|item| item.values_mut()).filter(|value| value.is_object())
}

/// Removes the type null from a parameter, because a parameter is absent rather than null.
fn never_null(parameter: &mut Value) {
    let Some(kind) = parameter.pointer_mut("/schema/type") else { return };
    let other = kind.as_array().and_then(|kinds| kinds.iter().find(|kind| *kind != "null")).cloned();
    if let Some(other) = other {
        *kind = other;
    }
}

/// Makes the first sentence the summary, and all sentences the description.
fn summarize(operation: &mut Value) {
    let all = [&operation["summary"], &operation["description"]];
    let all: Vec<String> = all.into_iter().filter_map(Value::as_str).map(|text| text.replace('\n', " ")).collect();
    let all = all.join(" ");
    let first = all.split_once(". ").map_or(&*all, |(first, _)| first);
    operation["summary"] = first.trim_end_matches('.').into();
    operation["description"] = all.into();
}

/// Calls `change` with every text in `value`.
fn visit_texts(value: &mut Value, change: &mut impl FnMut(&mut String)) {
    match value {
        Value::String(text) => change(text),
        Value::Array(values) => values.iter_mut().for_each(|value| visit_texts(value, change)),
        Value::Object(members) => members.values_mut().for_each(|value| visit_texts(value, change)),
        _ => {}
    }
}

/// Removes the links that only rustdoc can resolve: citations of rules in brackets, and the brackets around names of
/// items.
fn without_links_into_the_code(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('[') {
        let (before, link) = rest.split_at(start);
        let Some(end) = link.find(']') else { break };
        let (words, after) = (&link[1..end], &link[end + 1..]);
        let target = after.strip_prefix('(').and_then(|after| after.split_once(')'));
        match target {
            Some((target, after)) if target.contains("::") => {
                plain.push_str(before);
                plain.push_str(words);
                rest = after;
            }
            None if words.starts_with('`') && words.ends_with('`') => {
                plain.push_str(before);
                plain.push_str(words);
                rest = after;
            }
            _ => {
                plain.push_str(&rest[..start + 1]);
                rest = &rest[start + 1..];
            }
        }
    }
    plain.push_str(rest);
    without_citations(&plain)
}

/// Removes `(CV-F9)`, `(protocol §7.1)` and the like, with the space before.
fn without_citations(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('(') {
        let (before, bracket) = rest.split_at(start);
        let Some(end) = bracket.find(')') else { break };
        if is_citation(&bracket[1..end]) {
            plain.push_str(before.trim_end());
        } else {
            plain.push_str(before);
            plain.push_str(&bracket[..=end]);
        }
        rest = &bracket[end + 1..];
    }
    plain.push_str(rest);
    plain
}

/// Whether the words in brackets are ids of rules, sections of the protocol, promises or items of the code.
fn is_citation(words: &str) -> bool {
    let is_rule = |word: &str| {
        let Some((area, number)) = word.split_once('-') else { return false };
        area.len() == 2
            && area.bytes().all(|byte| byte.is_ascii_uppercase())
            && number.bytes().any(|byte| byte.is_ascii_digit())
            && number.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.')
    };
    let mut words = words.split([' ', ',']).filter(|word| !word.is_empty());
    let first = words.next().unwrap_or_default();
    let is_item = first.starts_with('`') && first.contains("::");
    is_rule(first)
        || is_item
        || first.starts_with(SECTION)
        || (first == "protocol" || first == "promise") && words.next().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_into_the_code_and_citations_are_removed_and_other_brackets_stay() {
        for (text, plain) in [
            ("Published before\n([`super::Arrival`]).", "Published before."),
            ("A dialog closed ([CV-E1](crate::rules#cv-e1)).", "A dialog closed."),
            ("Why it ends ([§7.5](crate::protocol#75)).", "Why it ends."),
            ("Delivery continues after them (promise 2).", "Delivery continues after them."),
            (
                "Of [`Message`], see [the site](https://example.org) (or not).",
                "Of `Message`, see [the site](https://example.org) (or not).",
            ),
            ("`[[connections]]` (CV-M1, CV-M2) [open", "`[[connections]]` [open"),
            ("{ \"a\": [1] } (protocol [§4.4](crate::protocol#44))", "{ \"a\": [1] }"),
        ] {
            assert_eq!(without_links_into_the_code(text), plain);
        }
    }
}
