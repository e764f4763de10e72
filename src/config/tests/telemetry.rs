//! `[telemetry]`: the destination of spans, and the extent of metrics.

use super::*;

#[test]
fn each_connection_has_metrics_of_its_own_as_configured_and_by_default_automatically() {
    let read = |text: &str| Configuration::parse(text, &Environment::default()).unwrap().telemetry;
    assert_eq!(read("").metrics_per_connection, MetricsPerConnection::Auto);
    for (word, choice) in [
        ("auto", MetricsPerConnection::Auto),
        ("always", MetricsPerConnection::Always),
        ("never", MetricsPerConnection::Never),
    ] {
        let read = read(&format!("[telemetry]\nmetrics_per_connection = \"{word}\"\n"));
        assert_eq!(read.metrics_per_connection, choice);
    }
    assert_mistakes(
        "[telemetry]\nmetrics_per_connection = \"allways\"\n",
        &["2 telemetry.metrics_per_connection: \"allways\" is not one of auto, always, never; the nearest is always"],
    );
}
