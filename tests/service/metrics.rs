//! `/metrics` as Prometheus and its tools meet it: formats, `promtool`'s rules, the process, and the size of a scrape.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    time::SystemTime,
};

use awc::http::Method;
use serde_json::json;

use crate::running::{Answer, PATIENCE, Running};

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// What Prometheus 3 sends.
const PROMETHEUS: &str = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
                          application/openmetrics-text;version=0.0.1;q=0.4,\
                          text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
/// The largest scrape of a fleet without series of each connection.
const LARGEST: usize = 64 * 1024;

async fn scrape(running: &Running, accept: &str) -> Answer {
    let answer = running.request(Method::GET, "/metrics", &[("accept", accept)], None).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.header("vary"), "accept");
    answer
}

/// A bot that has had a conversation, so that most metrics have been counted.
async fn busy() -> Running {
    let mut running = Running::bot().await;
    let id = running.conversation().await;
    running.post(&format!("/v1/conversations/{id}/messages"), &json!({ "text": "hi" })).await;
    running
}

/// A metric family: its type, its help and its samples as name, labels and value.
#[derive(Default)]
struct Family {
    kind: String,
    help: String,
    samples: Vec<(String, String, String)>,
}

/// The families of a text; each sample belongs to the family that was described last.
fn families(text: &str) -> BTreeMap<String, Family> {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut described = String::new();
    for line in text.lines() {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some("HELP"), Some(name), Some(help)) => {
                let known = families.insert(name.to_owned(), Family { help: help.to_owned(), ..Family::default() });
                assert!(known.is_none(), "{name} is described twice");
                described = name.to_owned();
            }
            (Some("#"), Some("TYPE"), Some(name), Some(kind)) => {
                assert_eq!(name, described, "the type of {name} does not follow its help");
                families.get_mut(name).unwrap().kind = kind.to_owned();
            }
            (Some("#"), ..) => {}
            _ => {
                let (series, value) = line.rsplit_once(' ').unwrap();
                let (name, labels) = series.split_once('{').unwrap_or((series, ""));
                let sample = (name.to_owned(), labels.trim_end_matches('}').to_owned(), value.to_owned());
                families.get_mut(&described).unwrap().samples.push(sample);
            }
        }
    }
    families
}

/// The series of a text with their values, except of metrics that differ from one scrape to the next.
fn series(text: &str) -> BTreeSet<&str> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.rsplit_once(' ').unwrap().0).filter(|series| !series.contains("\"/metrics\"")).collect()
}

fn value(text: &str, series: &str) -> f64 {
    let value = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("no {series} in {text}")).parse().unwrap()
}

#[actix_rt::test]
async fn a_caller_gets_open_metrics_if_it_prefers_them_and_otherwise_the_text_format() {
    let running = busy().await;
    let open_metrics = scrape(&running, PROMETHEUS).await;
    assert_eq!(open_metrics.content_type, OPEN_METRICS);
    assert!(open_metrics.text.ends_with("\n# EOF\n"));
    for accept in ["*/*", "text/plain;version=0.0.4", "application/json"] {
        let text = scrape(&running, accept).await;
        assert_eq!(text.content_type, TEXT, "{accept}");
        assert!(!text.text.contains("# EOF") && !text.text.contains("# UNIT"));
        assert_eq!(series(&text.text), series(&open_metrics.text));
    }
    assert_eq!(running.get("/metrics").await.content_type, TEXT);

    let text = scrape(&running, "*/*").await.text;
    let (in_text, in_open_metrics) = (families(&text), families(&open_metrics.text));
    assert_eq!(in_text.len(), in_open_metrics.len());
    for (name, family) in &in_open_metrics {
        let (suffix, kind) = match family.kind.as_str() {
            "counter" => ("_total", "counter"),
            "info" => ("_info", "gauge"),
            kind => ("", kind),
        };
        let same = in_text.get(&format!("{name}{suffix}")).unwrap_or_else(|| panic!("no {name} in the text format"));
        assert_eq!((same.kind.as_str(), same.help.as_str()), (kind, family.help.as_str()), "{name}");
    }
}

/// The rules of `promtool check metrics`.
#[actix_rt::test]
async fn every_metric_keeps_the_rules_of_promtool() {
    const UNITS: [&str; 22] = [
        "ms",
        "us",
        "ns",
        "sec",
        "s",
        "b",
        "kb",
        "mb",
        "gb",
        "tb",
        "pb",
        "m",
        "h",
        "d",
        "milliseconds",
        "microseconds",
        "nanoseconds",
        "minutes",
        "hours",
        "days",
        "kilobytes",
        "percent",
    ];
    for running in [busy().await, Running::start("")] {
        let text = scrape(&running, TEXT).await.text;
        for (name, Family { kind, help, samples }) in families(&text) {
            assert!(!help.is_empty() && !help.contains('\\'), "{name}: help {help:?}");
            assert!(["counter", "gauge", "histogram"].contains(&kind.as_str()), "{name}: type {kind:?}");
            let is_plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
            assert!(
                name.chars().all(is_plain),
                "{name}: only lower case, digits and underscores; a colon is for rules"
            );
            assert_eq!(
                kind == "counter",
                name.ends_with("_total"),
                "{name}: a counter and only a counter ends in _total"
            );
            let parts: Vec<&str> = name.split('_').collect();
            assert!(!parts.iter().any(|part| UNITS.contains(part)), "{name}: not a base unit");
            assert!(!parts.contains(&kind.as_str()), "{name}: the type is no part of the name");
            if kind != "histogram" {
                let is_reserved = ["_bucket", "_count", "_sum"].iter().any(|suffix| name.ends_with(suffix));
                assert!(!is_reserved, "{name}: the suffix is reserved for histograms");
                assert!(samples.iter().all(|(sample, ..)| *sample == name), "{name}: other samples");
            }
            let mut seen = BTreeSet::new();
            for (sample, labels, value) in &samples {
                assert!(seen.insert((sample, labels)), "{sample}{{{labels}}} appears twice");
                assert!(value.parse::<f64>().is_ok_and(f64::is_finite), "{sample}: {value}");
                let has_bound = labels.contains("le=\"");
                assert_eq!(has_bound, kind == "histogram" && sample.ends_with("_bucket"), "{sample}{{{labels}}}");
            }
            if kind == "histogram" {
                is_a_histogram(&name, &samples);
            }
        }
    }
}

/// Buckets count up to the number of all observations.
fn is_a_histogram(name: &str, samples: &[(String, String, String)]) {
    let of = |suffix: &str| {
        let wanted = format!("{name}_{suffix}");
        samples.iter().filter(move |(sample, ..)| *sample == wanted).collect::<Vec<_>>()
    };
    let (buckets, sums, counts) = (of("bucket"), of("sum"), of("count"));
    assert_eq!(buckets.len() + sums.len() + counts.len(), samples.len(), "{name}: other samples");
    assert!(sums.len() == 1 && counts.len() == 1, "{name}: one series");
    let bounds: Vec<f64> = buckets.iter().map(|(_, labels, _)| labels[4..labels.len() - 1].parse().unwrap()).collect();
    assert!(bounds.is_sorted() && bounds.last() == Some(&f64::INFINITY), "{name}: {bounds:?}");
    let reached: Vec<u64> = buckets.iter().map(|(_, _, value)| value.parse().unwrap()).collect();
    assert!(reached.is_sorted() && reached.last().unwrap().to_string() == counts[0].2, "{name}: {reached:?}");
}

#[actix_rt::test]
async fn the_process_and_its_version_are_described_by_the_usual_names() {
    let running = busy().await;
    let text = running.get("/metrics").await.text;
    assert_eq!(value(&text, concat!("tertulia_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"}")), 1.0);
    let resident = value(&text, "process_resident_memory_bytes");
    assert!(resident > 1e6 && value(&text, "process_virtual_memory_bytes") > resident);
    assert!(value(&text, "process_cpu_seconds_total") >= 0.01);
    let open = value(&text, "process_open_fds");
    assert!(open > 3.0 && open < value(&text, "process_max_fds"));
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
    let age = now - value(&text, "process_start_time_seconds");
    assert!((-2.0..3_600.0).contains(&age), "started {age} s ago");

    // More than the sockets of earlier callers, which may have been closed meanwhile.
    let held: Vec<File> = (0..100).map(|_| File::open("/dev/null").unwrap()).collect();
    let more = value(&running.get("/metrics").await.text, "process_open_fds");
    assert!(more > open + 50.0, "{more} open files after {open}, with {} more", held.len());
}

/// Connections without sockets.
fn fleet(connections: usize, more: &str) -> String {
    let one = |number| {
        format!(
            "[[connections]]\nid = \"shop-{number}\"\naccount = \"12345678\"\nrole = \"intake\"\n\
             login = {{ app_key = \"app-{number}\", secret = {{ env = \"APP_SECRET\" }} }}\n"
        )
    };
    (0..connections).map(one).chain([more.to_owned()]).collect()
}

#[actix_rt::test]
async fn a_scrape_of_a_thousand_connections_has_only_sums_and_counts_by_state() {
    let running = Running::start(&fleet(1_004, ""));
    running.ready("shop-1003").await;
    let text = running.get("/metrics").await.text;
    assert!(text.len() < LARGEST, "{} bytes", text.len());
    assert!(!text.contains("connection=\""), "{text}");
    let by_state = &families(&text)["tertulia_connections"].samples;
    assert_eq!(by_state.iter().map(|(_, _, value)| value.parse::<u64>().unwrap()).sum::<u64>(), 1_004);
    assert_eq!(value(&text, "tertulia_connections_lacking{part=\"subscriptions\"}"), 0.0);
    for sum in ["frames_total", "frames_waiting", "requests_in_flight", "reconnects_total", "event_lag_seconds"] {
        assert_eq!(value(&text, &format!("tertulia_{sum}")), 0.0);
    }
}

#[actix_rt::test]
async fn the_configuration_decides_whether_each_connection_has_its_series() {
    for (connections, choice, is_shown) in
        [(100, "auto", true), (101, "auto", false), (101, "always", true), (1, "never", false)]
    {
        let running =
            Running::start(&fleet(connections, &format!("[telemetry]\nmetrics_per_connection = \"{choice}\"\n")));
        running.ready("shop-0").await;
        let text = running.get("/metrics").await.text;
        assert_eq!(text.contains("connection=\"shop-0\""), is_shown, "{connections} connections, {choice}");
        assert!(text.contains("tertulia_connections{state=\"ready\"}"), "{text}");
        // Other tests have services with the same logins.
        running.service.stop(PATIENCE).await;
    }
}
