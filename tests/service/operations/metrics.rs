//! `/metrics`, and the page that lists what is there.

use std::collections::BTreeMap;

use serde_json::json;

use crate::running::Running;

/// The page that lists every metric.
pub(crate) const PAGE: &str = include_str!("../../../src/gateway/metrics.md");
/// The heading of the metrics that only one node of several has.
const OF_NODES: &str = "## One node of several";

/// Type and help by name.
type Described = BTreeMap<String, (String, String)>;

pub(crate) fn described(text: &str) -> Described {
    let mut described = Described::new();
    for line in text.lines() {
        if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            described.entry(name.to_owned()).or_default().0 = kind.to_owned();
        }
        if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
            described.entry(name.to_owned()).or_default().1 = help.to_owned();
        }
    }
    described
}

pub(crate) fn listed(page: &str) -> Described {
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    let cells = rows.map(|row| {
        let (name, rest) = row.split_once("` | ").unwrap();
        let name = name.split_once('{').map_or(name, |(name, _)| name);
        let (kind, help) = rest.split_once(" | ").unwrap();
        (name.to_owned(), (kind.to_owned(), help.trim_end_matches(" |").to_owned()))
    });
    cells.collect()
}

#[actix_rt::test]
async fn every_metric_has_a_help_text_and_stands_on_the_page_as_it_is() {
    let mut running = Running::bot().await;
    let id = running.conversation().await;
    running.post(&format!("/v1/conversations/{id}/messages"), &json!({ "text": "hi" })).await;
    let text = running.get("/metrics").await.text;
    let alone = PAGE.split_once(OF_NODES).unwrap().0;
    are_as_listed(&described(&text), &listed(alone));
}

/// Fails unless the metrics are those of the page, with the same type and text.
pub(crate) fn are_as_listed(described: &Described, listed: &Described) {
    for (name, (kind, help)) in described {
        assert!(help.len() > 5 && help.ends_with('.'), "{name}: {help:?}");
        assert!(name.starts_with("tertulia_") || name.starts_with("process_"), "{name}");
        let row = listed.get(name);
        assert_eq!(row, Some(&(kind.clone(), help.clone())), "src/gateway/metrics.md says otherwise of {name}");
    }
    for name in listed.keys() {
        // A metric with labels appears only with its first label.
        let is_labelled = PAGE.contains(&format!("`{name}{{"));
        assert!(described.contains_key(name) || is_labelled, "src/gateway/metrics.md lists {name}, which is not there");
    }
}

#[actix_rt::test]
async fn latencies_are_counted_from_the_command_to_its_answer_and_from_the_frame_to_its_event() {
    let mut running = Running::bot().await;
    let id = running.conversation().await;
    let answer = running.post(&format!("/v1/conversations/{id}/messages"), &json!({ "text": "hi" })).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let text = running.get("/metrics").await.text;
    let value = |line: &str| {
        let value = text.lines().find_map(|found| found.strip_prefix(line)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("no {line} in {text}")).parse::<f64>().unwrap()
    };
    assert_eq!(value("tertulia_command_duration_seconds_count"), 1.0);
    assert!(value("tertulia_command_duration_seconds_sum") > 0.0);
    assert!(value("tertulia_frame_to_event_seconds_count") > 0.0);
    assert!(value("tertulia_store_commit_seconds_count") > 0.0);
    let of_connection = [
        ("connection_state", ",state=\"ready\"", 1.0),
        ("connection_commands_total", ",outcome=\"done\"", 1.0),
        ("connection_commands_total", ",outcome=\"failed\"", 0.0),
        ("connection_reconnects_total", "", 0.0),
    ];
    for (name, more, expected) in of_connection {
        assert_eq!(value(&format!("tertulia_{name}{{connection=\"bots-1\"{more}}}")), expected);
    }
    assert!(value("tertulia_connection_last_frame_timestamp_seconds{connection=\"bots-1\"}") > 1.7e9);
    let route = "/v1/conversations/{conversation}/messages";
    let posts = format!("tertulia_http_requests_total{{method=\"POST\",route=\"{route}\",status=\"200\"}}");
    assert_eq!(value(&posts), 1.0);
}
