//! One log line per event: text from others cannot start a new line or control the terminal.

use std::fmt;

use tracing::field::Field;
use tracing_subscriber::fmt::format::Writer;

use crate::harmless::harmless;

/// Writes one field of an event or of a span. Only fields contain text from others.
pub(super) fn write_field(writer: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
    let value = format!("{value:?}");
    match field.name() {
        "message" => writer.write_str(&harmless(&value)),
        name => write!(writer, "{name}={}", harmless(&value)),
    }
}
