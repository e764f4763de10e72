//! The two text formats of `/metrics`: OpenMetrics, and the text format that Prometheus had before.

use actix_web::{
    http::header::{Accept, Quality, QualityItem},
    mime::Mime,
};

/// The media type of OpenMetrics.
pub(super) const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// The media type of Prometheus's text format.
pub(super) const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A text format of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    OpenMetrics,
    /// Prometheus's text format, the default: `promtool`, `curl` and older collectors read only this format.
    Text,
}

impl Format {
    /// The format that a caller prefers. OpenMetrics is used only if the caller names it, and not if the caller prefers
    /// plain text.
    pub(super) fn preferred(accept: &Accept) -> Self {
        let quality = |is_named: fn(&Mime) -> bool| {
            accept.iter().filter(|QualityItem { item, .. }| is_named(item)).map(|item| item.quality).max()
        };
        let open_metrics = quality(is_open_metrics).filter(|quality| *quality > Quality::ZERO);
        let text = quality(|item| item.type_() == "text" && item.subtype() == "plain")
            .or_else(|| quality(|item| item.subtype() == "*" && matches!(item.type_().as_str(), "text" | "*")));
        match open_metrics {
            Some(open_metrics) if Some(open_metrics) >= text => Self::OpenMetrics,
            _ => Self::Text,
        }
    }

    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => OPEN_METRICS,
            Self::Text => TEXT,
        }
    }

    /// Converts OpenMetrics to this format.
    pub(super) fn of_open_metrics(self, metrics: String) -> String {
        match self {
            Self::OpenMetrics => metrics,
            Self::Text => text(&metrics),
        }
    }
}

/// Both versions of OpenMetrics have the members that are used here.
fn is_open_metrics(item: &Mime) -> bool {
    item.type_() == "application"
        && item.subtype() == "openmetrics-text"
        && item.get_param("version").is_none_or(|version| version == "1.0.0" || version == "0.0.1")
}

/// Prometheus's text format describes a counter under the name of its sample, and has neither information metrics, units
/// nor an end mark.
fn text(open_metrics: &str) -> String {
    let mut text = String::with_capacity(open_metrics.len());
    let mut help = "";
    for line in open_metrics.lines() {
        let Some(comment) = line.strip_prefix("# ") else {
            text.extend([line, "\n"]);
            continue;
        };
        let mut words = comment.splitn(3, ' ');
        match (words.next(), words.next(), words.next()) {
            (Some("HELP"), Some(_), Some(said)) => help = said,
            (Some("TYPE"), Some(name), Some(kind)) => {
                let (suffix, kind) = match kind {
                    "counter" => ("_total", kind),
                    "info" => ("_info", "gauge"),
                    kind => ("", kind),
                };
                text.extend(["# HELP ", name, suffix, " ", help, "\n", "# TYPE ", name, suffix, " ", kind, "\n"]);
            }
            _ => {}
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use actix_web::{http::header::Header as _, test::TestRequest};

    use super::*;

    fn preferred(accept: &str) -> Format {
        let request = TestRequest::default().insert_header(("accept", accept)).to_http_request();
        Format::preferred(&Accept::parse(&request).unwrap())
    }

    #[test]
    fn open_metrics_is_only_for_callers_who_name_it_and_prefer_it() {
        let prometheus_2 = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                            text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        let prometheus_3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
                            application/openmetrics-text;version=0.0.1;q=0.4,\
                            text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
        for accept in [
            prometheus_2,
            prometheus_3,
            "application/openmetrics-text",
            "text/plain;q=0.4, \
            application/openmetrics-text;version=0.0.1;q=0.4",
            "*/*, application/openmetrics-text",
        ] {
            assert_eq!(preferred(accept), Format::OpenMetrics, "{accept}");
        }
        for accept in [
            "",
            "*/*",
            "text/html, */*;q=0.8",
            "text/plain",
            "application/json",
            "chunk#;e",
            "application/openmetrics-text;q=0",
            "application/openmetrics-text;version=2.0.0",
            "text/plain;version=0.0.4, application/openmetrics-text;version=1.0.0;q=0.5",
        ] {
            assert_eq!(preferred(accept), Format::Text, "{accept}");
        }
    }

    #[test]
    fn counters_are_described_under_their_names_and_what_the_text_format_lacks_is_left_out() {
        let open_metrics = "# HELP a_seconds Time.\n# TYPE a_seconds counter\n# UNIT a_seconds seconds\n\
                            a_seconds_total{b=\"# TYPE\"} 1.5\n# HELP build Version.\n# TYPE build info\n\
                            build_info{version=\"1\"} 1\n# HELP c C.\n# TYPE c gauge\nc 2\n# EOF\n";
        let text = "# HELP a_seconds_total Time.\n# TYPE a_seconds_total counter\na_seconds_total{b=\"# TYPE\"} 1.5\n\
                    # HELP build_info Version.\n# TYPE build_info gauge\nbuild_info{version=\"1\"} 1\n\
                    # HELP c C.\n# TYPE c gauge\nc 2\n";
        assert_eq!(Format::Text.of_open_metrics(open_metrics.to_owned()), text);
        assert_eq!(Format::OpenMetrics.of_open_metrics(open_metrics.to_owned()), open_metrics);
    }
}
