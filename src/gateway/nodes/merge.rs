//! One page of a list of which each node has a part. Pure.

use serde_json::{Map, Value, json};

use crate::gateway::page::Cursor;

/// A page as one node has it.
pub(super) struct Part {
    pub(super) items: Vec<Value>,
    pub(super) is_last: bool,
}

impl Part {
    /// Reads a page; `None` if the text is not one.
    pub(super) fn read(text: &[u8]) -> Option<Self> {
        let mut page: Map<String, Value> = serde_json::from_slice(text).ok()?;
        let is_last = page.get("nextCursor").is_none_or(Value::is_null);
        match page.remove("items")? {
            Value::Array(items) => Some(Self { items, is_last }),
            _ => None,
        }
    }
}

/// The position of an item in its list: its id, and its connection if it has one, as cursors name it.
fn place(item: &Value) -> String {
    let id = ["id", "conversationId"].iter().find_map(|name| item[*name].as_str()).unwrap_or_default();
    match item["connection"].as_str() {
        Some(connection) => format!("{id}/{connection}"),
        None => id.to_owned(),
    }
}

/// Puts the parts of a page of at most `limit` items together. `incomplete` names the nodes that did not answer.
pub(super) fn merge(parts: Vec<Part>, limit: usize, incomplete: &[String]) -> Value {
    let is_last = parts.iter().all(|part| part.is_last);
    let mut items: Vec<(String, Value)> =
        parts.into_iter().flat_map(|part| part.items).map(|item| (place(&item), item)).collect();
    items.sort_by(|(one, _), (other, _)| one.cmp(other));
    // A connection that has just moved may be in two parts.
    items.dedup_by(|(one, _), (other, _)| one == other);
    let is_more = items.len() > limit || !is_last;
    items.truncate(limit);
    let next = items.last().filter(|_| is_more).map(|(place, _)| Cursor::name(place));
    let items: Vec<Value> = items.into_iter().map(|(_, item)| item).collect();
    let mut page = json!({ "items": items, "nextCursor": next });
    if !incomplete.is_empty() {
        page["incomplete"] = json!(incomplete);
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(ids: &[&str], next: Option<&str>) -> Part {
        let items: Vec<Value> = ids.iter().map(|id| json!({ "id": id })).collect();
        Part::read(&serde_json::to_vec(&json!({ "items": items, "nextCursor": next })).unwrap()).unwrap()
    }

    fn ids(page: &Value) -> Vec<&str> {
        page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect()
    }

    #[test]
    fn items_of_all_nodes_are_in_one_order_and_none_is_left_out() {
        let page = merge(vec![part(&["a", "d"], None), part(&["b", "c"], None)], 10, &[]);
        assert_eq!(
            (ids(&page), &page["nextCursor"], page.get("incomplete")),
            (vec!["a", "b", "c", "d"], &Value::Null, None)
        );
        // The first node has more after "d", so nothing after it can be known yet, and "c" is the last of this page.
        let page = merge(vec![part(&["a", "d"], Some("x")), part(&["b", "c"], None)], 2, &["n3".to_owned()]);
        assert_eq!((ids(&page), &page["nextCursor"]), (vec!["a", "b"], &json!(Cursor::name("b"))));
        assert_eq!(page["incomplete"], json!(["n3"]));
    }

    #[test]
    fn a_connection_that_moves_is_listed_once() {
        assert_eq!(ids(&merge(vec![part(&["a"], None), part(&["a"], None)], 10, &[])), ["a"]);
    }

    #[test]
    fn what_is_not_a_page_is_refused() {
        assert!(Part::read(b"[]").is_none() && Part::read(b"{}").is_none() && Part::read(b"<html>").is_none());
    }
}
