//! Elements with children: rows, columns, carousels, tabs.

use super::{
    basic::{BUTTON, IMAGE, LINK_PREVIEW, MAP, TEMPLATE, TEXT},
    key_value::KEY_VALUE_PAIRS,
    list::LIST,
    look::{ACCESSIBILITY, DISPLAY, STYLE},
    metadata::ALL_METADATA,
    rule::{
        Member,
        Rule::{Boolean, List, Number, NumberWithin, Object, OneOf, Text, Word},
        Shape,
        Tag::{None, Required},
        optional, required,
    },
};

/// Structured content as a whole.
pub(super) static CONTENT: super::rule::Rule = OneOf(&[
    &TEXT,
    &IMAGE,
    &BUTTON,
    &MAP,
    &LINK_PREVIEW,
    &TEMPLATE,
    &KEY_VALUE_PAIRS,
    &HORIZONTAL,
    &VERTICAL,
    &CAROUSEL,
    &CAROUSEL_SELECT,
    &ACCORDION_SELECT,
    &LIST,
    &TABS,
]);

/// The children of a carousel or a tab.
static CARD: super::rule::Rule =
    OneOf(&[&TEXT, &IMAGE, &BUTTON, &MAP, &LINK_PREVIEW, &TEMPLATE, &KEY_VALUE_PAIRS, &HORIZONTAL, &VERTICAL]);

static STACKED: [Member; 7] = [
    optional("tag", Text(64)),
    optional("tagVersion", Text(64)),
    optional("border", Word(&["border", "borderLess", "dropShadow"])),
    required("elements", List(0, 256, &CONTENT)),
    optional("alt", Text(2_000)),
    optional("accessibility", Object(&ACCESSIBILITY)),
    optional("metadata", ALL_METADATA),
];

static HORIZONTAL: Shape = Shape {
    name: "horizontal",
    tag: Required,
    members: &[&STACKED, &[optional("borderLine", Boolean), optional("percentages", List(0, 256, &Number))]],
};

static VERTICAL: Shape = Shape {
    name: "vertical",
    tag: Required,
    members: &[
        &STACKED,
        &[
            optional("scroll", Word(&["disable", "enable"])),
            optional("display", Object(&DISPLAY)),
            optional("style", Object(&STYLE)),
        ],
    ],
};

static TURNED: [Member; 6] = [
    optional("tooltip", Text(256)),
    optional("padding", NumberWithin(0, 10)),
    optional("alt", Text(2_000)),
    optional("display", Object(&DISPLAY)),
    optional("style", Object(&STYLE)),
    optional("accessibility", Object(&ACCESSIBILITY)),
];

static CAROUSEL: Shape =
    Shape { name: "carousel", tag: Required, members: &[&TURNED, &[required("elements", List(2, 10, &CARD))]] };

static CAROUSEL_SELECT: Shape = Shape {
    name: "carouselSelect",
    tag: Required,
    members: &[
        &TURNED,
        &[required("elements", List(1, 20, &CARD)), required("selectMode", Object(&CAROUSEL_SELECT_MODE))],
    ],
};

static CAROUSEL_SELECT_MODE: Shape = Shape {
    name: "selectMode",
    tag: None,
    members: &[&[required("name", Text(200)), required("type", Word(&["single", "multiple"]))]],
};

static ACCORDION_SELECT: Shape = Shape {
    name: "accordionSelect",
    tag: Required,
    members: &[
        &TURNED,
        &[
            required("elements", List(1, 20, &CARD)),
            required("selectMode", Object(&ACCORDION_SELECT_MODE)),
            required("titles", List(1, 20, &Object(&ACCORDION_TITLE))),
        ],
    ],
};

static ACCORDION_SELECT_MODE: Shape =
    Shape { name: "selectMode", tag: None, members: &[&[required("name", Text(200))]] };

static ACCORDION_TITLE: Shape =
    Shape { name: "titles", tag: None, members: &[&[required("name", Text(200)), optional("additional", Text(200))]] };

static TABS: Shape = Shape {
    name: "tabs",
    tag: Required,
    members: &[&[optional("style", Object(&STYLE)), required("elements", List(1, 10, &CARD))]],
};
