//! How a snapshot beyond one page is fetched (SB-9), with progress guaranteed (SB-10).

use serde::Deserialize;
use tertulia_core::{
    time::Timestamp,
    ums::{Change, ConversationQuery},
};

/// From so many changes on, a first notification is taken for a full page: the platform has trouble near its limit of
/// 1001 (SB-8, SB-9).
const FULL_PAGE: usize = 900;
/// By how much pages overlap, so that a conversation that changes meanwhile is in one of them.
const OVERLAP: i64 = 10_000;

/// The query of the page behind this one, or `None` when this one was the last.
///
/// The bound always moves: by the overlap where that is progress, to the oldest conversation's own time where the
/// overlap reaches beyond this page, and past it where the whole page has one time.
pub(super) fn next_page(query: &ConversationQuery, changes: &[Change<'_>]) -> Option<ConversationQuery> {
    if changes.len() < FULL_PAGE {
        return None;
    }
    let Timestamp(oldest) = changes.iter().filter_map(last_updated).min()?;
    let bound = query.max_last_updated_time.map_or(i64::MAX, |Timestamp(bound)| bound);
    let next = [oldest + OVERLAP, oldest].into_iter().find(|candidate| *candidate < bound).unwrap_or(bound - 1);
    Some(ConversationQuery {
        min_last_updated_time: Some(query.min_last_updated_time.unwrap_or_default()),
        max_last_updated_time: Some(Timestamp(next)),
        ..query.clone()
    })
}

fn last_updated(change: &Change<'_>) -> Option<Timestamp> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct State {
        conversation_details: Details,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Details {
        meta_data_last_update_ts: Timestamp,
    }

    let state: State = serde_json::from_str(change.result?.get()).ok()?;
    Some(state.conversation_details.meta_data_last_update_ts)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json, value::to_raw_value};
    use tertulia_core::ums::{Frame, Notification};

    use super::*;

    fn page(times: impl Iterator<Item = i64>, bound: Option<i64>) -> Option<i64> {
        let changes: Vec<Value> = times
            .enumerate()
            .map(|(number, time)| {
                let details = json!({ "metaDataLastUpdateTs": time, "dialogs": [] });
                json!({ "type": "UPSERT", "result": { "convId": number, "conversationDetails": details } })
            })
            .collect();
        let frame = json!({
            "kind": "notification",
            "type": "cqm.ExConversationChangeNotification",
            "body": { "subscriptionId": "s", "changes": changes },
        });
        let text = to_raw_value(&frame).unwrap();
        let Ok(Frame::Notification(Notification::Conversations(read))) = Frame::decode(text.get()) else { panic!() };
        let query = ConversationQuery { max_last_updated_time: bound.map(Timestamp), ..ConversationQuery::default() };
        next_page(&query, &read.changes).and_then(|query| query.max_last_updated_time).map(|Timestamp(time)| time)
    }

    #[test]
    fn sb9_a_page_below_900_is_the_last() {
        assert_eq!(page(0..899, None), None);
    }

    #[test]
    fn sb9_the_next_page_overlaps_by_ten_seconds() {
        assert_eq!(page((0..900).map(|n| 1_000_000 + n * 100), None), Some(1_010_000));
    }

    #[test]
    fn sb10_a_page_within_the_overlap_still_moves_the_bound() {
        assert_eq!(page((0..900).map(|n| 1_000_000 + n), Some(1_010_000)), Some(1_000_000));
    }

    #[test]
    fn sb10_a_page_of_one_time_is_left_behind() {
        assert_eq!(page((0..900).map(|_| 1_000_000), Some(1_000_000)), Some(999_999));
    }
}
