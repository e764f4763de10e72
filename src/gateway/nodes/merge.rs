//! One page of a list of which each node has a part. Pure.

use serde_json::{Map, Value, json};

use crate::gateway::{
    connections::MOVING,
    page::{Cursor, Place},
};

/// A page as one node has it.
pub(super) struct Part {
    items: Vec<Value>,
    /// The position after which the node has more; `None` if this is its last page.
    more_after: Option<Place>,
}

impl Part {
    /// Reads a page; `None` if the text is not one.
    pub(super) fn read(text: &[u8]) -> Option<Self> {
        let mut page: Map<String, Value> = serde_json::from_slice(text).ok()?;
        let more_after = match page.get("nextCursor") {
            None | Some(Value::Null) => None,
            Some(cursor) => Some(Cursor::read(cursor.as_str()?)?.into_place()),
        };
        match page.remove("items")? {
            Value::Array(items) => Some(Self { items, more_after: more_after.map(|place| Place::of_cursor(&place)) }),
            _ => None,
        }
    }
}

/// The position of an item in its list.
fn place(item: &Value) -> Place {
    let id = ["id", "conversationId"].iter().find_map(|name| item[*name].as_str()).unwrap_or_default();
    Place::new(id, item["connection"].as_str())
}

/// Puts the parts of a page of at most `limit` items together. `incomplete` names the nodes that did not answer.
///
/// The page ends where the first of the parts ends that has more, because what that node has after its part is not known.
pub(super) fn merge(parts: Vec<Part>, limit: usize, incomplete: &[String]) -> Value {
    let end = parts.iter().filter_map(|part| part.more_after.clone()).min();
    let mut items: Vec<(Place, Value)> =
        parts.into_iter().flat_map(|part| part.items).map(|item| (place(&item), item)).collect();
    // A connection that nobody runs by an older view is after one that runs.
    items.sort_by_cached_key(|(place, item)| (place.clone(), item["state"] == MOVING));
    items.dedup_by(|(one, _), (other, _)| one == other);
    if let Some(end) = &end {
        items.retain(|(place, _)| place <= end);
    }
    let next = if items.len() > limit {
        items.truncate(limit);
        items.last().map(|(place, _)| place.clone())
    } else {
        end
    };
    let items: Vec<Value> = items.into_iter().map(|(_, item)| item).collect();
    let mut page = json!({ "items": items, "nextCursor": next.map(|place| Cursor::name(&place.to_string())) });
    if !incomplete.is_empty() {
        page["incomplete"] = json!(incomplete);
    }
    page
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::gateway::page;

    fn part(ids: &[&str], next: Option<&str>) -> Part {
        let items: Vec<Value> = ids.iter().map(|id| json!({ "id": id })).collect();
        let next = next.map(Cursor::name);
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
        let page = merge(vec![part(&["a", "d"], Some("d")), part(&["b", "c"], None)], 2, &["n3".to_owned()]);
        assert_eq!((ids(&page), &page["nextCursor"]), (vec!["a", "b"], &json!(Cursor::name("b"))));
        assert_eq!(page["incomplete"], json!(["n3"]));
    }

    #[test]
    fn a_page_ends_where_a_node_has_more_that_is_not_known_yet() {
        // A connection of the first node ended while its page was made, so the page is short.
        let page = merge(vec![part(&["a"], Some("b")), part(&["c", "d"], Some("d"))], 2, &[]);
        assert_eq!((ids(&page), &page["nextCursor"]), (vec!["a"], &json!(Cursor::name("b"))));
    }

    #[test]
    fn a_connection_that_moves_is_listed_once_and_by_the_node_that_runs_it() {
        assert_eq!(ids(&merge(vec![part(&["a"], None), part(&["a"], None)], 10, &[])), ["a"]);
        let of = |state: &str| {
            let page = json!({ "items": [{ "id": "a", "state": state }], "nextCursor": null });
            Part::read(&serde_json::to_vec(&page).unwrap()).unwrap()
        };
        let page = merge(vec![of(MOVING), of("ready")], 10, &[]);
        assert_eq!(page["items"], json!([{ "id": "a", "state": "ready" }]));
    }

    #[test]
    fn what_is_not_a_page_is_refused() {
        assert!(Part::read(b"[]").is_none() && Part::read(b"{}").is_none() && Part::read(b"<html>").is_none());
        assert!(Part::read(br#"{"items":[],"nextCursor":"x"}"#).is_none());
    }

    /// The page of a node that has these items, after a cursor.
    fn page_of(own: &[(String, String)], after: Option<&str>, limit: usize) -> Part {
        let after = after.map(Place::of_cursor);
        let place = |(id, connection): &(String, String)| Place::new(id, Some(connection));
        let rest = own.iter().filter(|item| after.as_ref().is_none_or(|after| place(item) > *after)).cloned().collect();
        let (items, next) = page::cut(rest, limit, place, |item| place(item).to_string());
        let items: Vec<Value> =
            items.iter().map(|(id, connection)| json!({ "id": id, "connection": connection })).collect();
        Part::read(&serde_json::to_vec(&json!({ "items": items, "nextCursor": next })).unwrap()).unwrap()
    }

    proptest! {
        #[test]
        fn pages_of_any_size_over_any_nodes_have_every_item_once_and_in_order(
            items in prop::collection::btree_set(("[ab/.-]{0,4}", "[a.-]{1,3}"), 0..40),
            nodes in 1_usize..4,
            limit in 1_usize..8,
        ) {
            let mut parts: Vec<Vec<(String, String)>> = vec![Vec::new(); nodes];
            for (number, item) in items.iter().enumerate() {
                parts[(number * 7 + item.0.len()) % nodes].push(item.clone());
            }
            let (mut listed, mut after) = (Vec::new(), None::<String>);
            loop {
                let pages = parts.iter().map(|own| page_of(own, after.as_deref(), limit)).collect();
                let page = merge(pages, limit, &[]);
                let items = page["items"].as_array().unwrap();
                prop_assert!(items.len() <= limit);
                let text = |item: &Value, name: &str| item[name].as_str().unwrap().to_owned();
                listed.extend(items.iter().map(|item| (text(item, "id"), text(item, "connection"))));
                match page["nextCursor"].as_str() {
                    Some(next) => after = Some(Cursor::read(next).unwrap().into_place()),
                    None => break,
                }
            }
            let expected: Vec<(String, String)> = BTreeSet::from_iter(items).into_iter().collect();
            prop_assert_eq!(listed, expected);
        }
    }
}
