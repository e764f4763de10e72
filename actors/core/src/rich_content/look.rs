//! The style of an element, and its description for screen readers.

use super::rule::{
    Member,
    Rule::{Boolean, Number, Object, Text, Word},
    Shape,
    Tag::None,
    optional,
};

/// A colour. No rule defines its notation.
const fn color(name: &'static str) -> Member {
    optional(name, Text(256))
}

pub(super) static STYLE: Shape = Shape {
    name: "style",
    tag: None,
    members: &[&[
        color("background-color"),
        color("background-color-active"),
        color("background-color-hover"),
        color("border-color"),
        color("border-color-selected"),
        color("border-color-hover"),
        color("color"),
        color("color-hover"),
        color("color-active"),
        color("fill"),
        optional("border-radius", Number),
        optional("font-family", Text(256)),
        optional("bold", Boolean),
        optional("italic", Boolean),
        optional("size", Word(&["small", "medium", "large"])),
    ]],
};

pub(super) static DISPLAY: Shape = Shape {
    name: "display",
    tag: None,
    members: &[&[
        optional("aspectRatio", Word(&["rectangle", "square", "horizontal"])),
        optional("size", Word(&["cover", "contain", "large", "compact", "tall", "full"])),
    ]],
};

pub(super) static ACCESSIBILITY: Shape =
    Shape { name: "accessibility", tag: None, members: &[&[optional("web", Object(&ACCESSIBILITY_WEB))]] };

/// The attributes of a web page's element.
static ACCESSIBILITY_WEB: Shape = Shape {
    name: "web",
    tag: None,
    members: &[&[
        optional("role", Text(100)),
        optional("tabindex", Text(20)),
        optional("aria-activedescendant", Text(100)),
        optional("aria-atomic", Text(100)),
        optional("aria-autocomplete", Text(100)),
        optional("aria-busy", Text(100)),
        optional("aria-checked", Text(20)),
        optional("aria-colcount", Text(10)),
        optional("aria-colindex", Text(10)),
        optional("aria-colspan", Text(10)),
        optional("aria-controls", Text(100)),
        optional("aria-current", Text(100)),
        optional("aria-describedby", Text(100)),
        optional("aria-details", Text(100)),
        optional("aria-disabled", Text(100)),
        optional("aria-errormessage", Text(100)),
        optional("aria-expanded", Text(20)),
        optional("aria-flowto", Text(100)),
        optional("aria-grabbed", Text(1_000)),
        optional("aria-haspopup", Text(20)),
        optional("aria-hidden", Text(20)),
        optional("aria-invalid", Text(100)),
        optional("aria-keyshortcuts", Text(1_000)),
        optional("aria-label", Text(1_000)),
        optional("aria-labelledby", Text(100)),
        optional("aria-level", Text(20)),
        optional("aria-live", Text(100)),
        optional("aria-modal", Text(100)),
        optional("aria-multiline", Text(20)),
        optional("aria-multiselectable", Text(20)),
        optional("aria-orientation", Text(100)),
        optional("aria-owns", Text(100)),
        optional("aria-placeholder", Text(1_000)),
        optional("aria-posinset", Text(100)),
        optional("aria-pressed", Text(100)),
        optional("aria-readonly", Text(20)),
        optional("aria-relevant", Text(1_000)),
        optional("aria-required", Text(20)),
        optional("aria-roledescription", Text(1_000)),
        optional("aria-rowcount", Text(20)),
        optional("aria-rowindex", Text(20)),
        optional("aria-rowspan", Text(20)),
        optional("aria-selected", Text(100)),
        optional("aria-setsize", Text(100)),
        optional("aria-sort", Text(100)),
        optional("aria-valuemax", Text(100)),
        optional("aria-valuemin", Text(100)),
        optional("aria-valuenow", Text(100)),
        optional("aria-valuetext", Text(1_000)),
    ]],
};
