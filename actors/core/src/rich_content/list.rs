//! The selectable list with a submit button, with its own parts and actions.

use super::{
    basic::{BUTTON, DRAWN, TEXT},
    look::ACCESSIBILITY,
    metadata::ALL_METADATA,
    rule::{
        Member,
        Rule::{Boolean, List, NumberWithin, Object, Places, Text},
        Shape,
        Tag::{None, Required},
        optional, required,
    },
};

static TITLED: [Member; 2] = [optional("tooltip", Text(256)), optional("alt", Text(2_000))];

pub(super) static LIST: Shape = Shape {
    name: "list",
    tag: Required,
    members: &[
        &TITLED,
        &[required("elements", Places(&[&[Object(&TEXT), Object(&SECTION_LIST), Object(&BUTTON_LIST)]]))],
    ],
};

static SECTION_LIST: Shape = Shape {
    name: "sectionList",
    tag: Required,
    members: &[&TITLED, &[required("elements", List(1, 256, &Object(&SECTION)))]],
};

static SECTION: Shape = Shape {
    name: "section",
    tag: Required,
    members: &[
        &TITLED,
        &[
            required("elements", Places(&[&[Object(&CHECKLIST)], &[Object(&TEXT), Object(&CHECKLIST)]])),
            required("sectionID", Text(256)),
            optional("padding", NumberWithin(0, 10)),
            optional("accessibility", Object(&ACCESSIBILITY)),
        ],
    ],
};

static CHECKLIST: Shape = Shape {
    name: "checklist",
    tag: Required,
    members: &[
        &TITLED,
        &[
            required("elements", List(2, 256, &Object(&CHECKBOX))),
            optional("padding", NumberWithin(0, 10)),
            optional("accessibility", Object(&ACCESSIBILITY)),
        ],
    ],
};

static CHECKBOX: Shape = Shape {
    name: "checkbox",
    tag: Required,
    members: &[
        &DRAWN,
        &[
            required("text", Text(5_000)),
            required("click", Object(&CHECKBOX_CLICK)),
            optional("borderLine", Boolean),
            optional("borderColor", Text(256)),
        ],
    ],
};

static CHECKBOX_CLICK: Shape = Shape {
    name: "click",
    tag: None,
    members: &[&[optional("actions", List(0, 4, &Object(&CHECKED))), optional("metadata", ALL_METADATA)]],
};

static CHECKED: Shape = Shape {
    name: "checked",
    tag: Required,
    members: &[&[required("publishText", Text(250)), optional("accessibility", Object(&ACCESSIBILITY))]],
};

static BUTTON_LIST: Shape = Shape {
    name: "buttonList",
    tag: Required,
    members: &[
        &TITLED,
        &[
            required("elements", Places(&[&[Object(&SUBMIT_BUTTON)], &[Object(&SUBMIT_BUTTON), Object(&BUTTON)]])),
            optional("padding", NumberWithin(0, 10)),
        ],
    ],
};

static SUBMIT_BUTTON: Shape = Shape {
    name: "submitButton",
    tag: Required,
    members: &[
        &DRAWN,
        &[
            required("title", Text(128)),
            required("click", Object(&SUBMIT_CLICK)),
            optional("alt", Text(2_000)),
            optional("disabled", Boolean),
        ],
    ],
};

static SUBMIT_CLICK: Shape = Shape {
    name: "click",
    tag: None,
    members: &[&[optional("actions", List(0, 4, &Object(&SUBMIT_AS_TEXT))), optional("metadata", ALL_METADATA)]],
};

static SUBMIT_AS_TEXT: Shape = Shape {
    name: "submitAsText",
    tag: Required,
    members: &[&[required("submit", Boolean), optional("accessibility", Object(&ACCESSIBILITY))]],
};
