//! Elements without children: text, pictures, buttons, maps.

use super::{
    action::ACTIONS,
    look::{ACCESSIBILITY, STYLE},
    metadata::ALL_METADATA,
    rule::{
        Member,
        Rule::{Boolean, List, Number, Object, Text, Word},
        Shape,
        Tag::{None, Optional},
        optional, required,
    },
};

/// The members that every visible element may have.
pub(super) static DRAWN: [Member; 6] = [
    optional("rtl", Boolean),
    optional("tooltip", Text(256)),
    optional("tag", Text(64)),
    optional("tagVersion", Text(64)),
    optional("style", Object(&STYLE)),
    optional("accessibility", Object(&ACCESSIBILITY)),
];

static CLICKABLE: [Member; 2] = [optional("alt", Text(2_000)), optional("click", Object(&CLICK))];

static CLICK: Shape = Shape {
    name: "click",
    tag: None,
    members: &[&[optional("actions", List(0, 4, &ACTIONS)), optional("metadata", ALL_METADATA)]],
};

pub(super) static TEXT: Shape =
    Shape { name: "text", tag: Optional, members: &[&DRAWN, &CLICKABLE, &[required("text", Text(5_000))]] };

pub(super) static IMAGE: Shape = Shape {
    name: "image",
    tag: Optional,
    members: &[&DRAWN, &CLICKABLE, &[required("url", Text(2_048)), optional("caption", Text(128))]],
};

pub(super) static BUTTON: Shape = Shape {
    name: "button",
    tag: Optional,
    members: &[
        &DRAWN,
        &CLICKABLE,
        &[
            required("title", Text(128)),
            optional("subtitle", Text(128)),
            optional("class", Word(&["text", "button"])),
            optional("ref", Object(&REFERENCE)),
        ],
    ],
};

/// A reference to the carousel or accordion that a button submits.
static REFERENCE: Shape = Shape {
    name: "ref",
    tag: None,
    members: &[&[optional("name", Text(200)), optional("type", Word(&["carouselSelect", "accordionSelect"]))]],
};

pub(super) static MAP: Shape = Shape {
    name: "map",
    tag: Optional,
    members: &[&DRAWN, &CLICKABLE, &[required("lo", Number), required("la", Number)]],
};

pub(super) static LINK_PREVIEW: Shape = Shape {
    name: "linkPreview",
    tag: Optional,
    members: &[&DRAWN, &CLICKABLE, &[required("url", Text(2_048)), optional("title", Text(128))]],
};

pub(super) static TEMPLATE: Shape = Shape {
    name: "template",
    tag: Optional,
    members: &[
        &DRAWN,
        &CLICKABLE,
        &[
            required("templateType", Word(&["quickReply"])),
            required("title", Text(5_000)),
            required("resp", List(1, 32, &Text(128))),
        ],
    ],
};
