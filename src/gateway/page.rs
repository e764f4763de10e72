//! Lists in pages: at most `limit` items behind a `cursor`.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::problem::Problem;

const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 1_000;

/// Which page of a list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// Items at most, 1 to 1,000; 100 where it is not told.
    pub(super) limit: Option<usize>,
    /// The `nextCursor` of the page before.
    pub(super) cursor: Option<String>,
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    /// What to ask for the next page with; null on the last one.
    pub(super) next_cursor: Option<String>,
}

/// The number of items asked for, 100 unless told otherwise.
///
/// # Errors
/// It is not from 1 to 1,000.
pub(super) fn limit(asked: Option<usize>) -> Result<usize, Problem> {
    match asked.unwrap_or(DEFAULT_LIMIT) {
        limit @ 1..=MAX_LIMIT => Ok(limit),
        _ => Err(Problem::bad_request(format!("limit must be from 1 to {MAX_LIMIT}"))),
    }
}

/// The first `limit` of what lies behind the cursor, in the order of `key`, and the cursor behind them.
pub(super) fn cut<T, K: Ord>(
    mut items: Vec<T>,
    limit: usize,
    key: impl Fn(&T) -> K,
    cursor: impl Fn(&T) -> String,
) -> (Vec<T>, Option<String>) {
    let is_more = items.len() > limit;
    if is_more {
        items.select_nth_unstable_by_key(limit - 1, &key);
        items.truncate(limit);
    }
    items.sort_unstable_by_key(&key);
    let next = items.last().filter(|_| is_more).map(cursor);
    (items, next)
}
