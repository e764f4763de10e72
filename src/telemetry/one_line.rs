//! One line of the log for each event: what others wrote can begin no line of its own, and drives no terminal.

use std::fmt;

use tracing::field::Field;
use tracing_subscriber::fmt::format::Writer;

use crate::harmless::harmless;

/// Writes one field of an event or of a span. Only fields hold what others wrote.
pub(super) fn write_field(writer: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
    let value = format!("{value:?}");
    match field.name() {
        "message" => writer.write_str(&harmless(&value)),
        name => write!(writer, "{name}={}", harmless(&value)),
    }
}
