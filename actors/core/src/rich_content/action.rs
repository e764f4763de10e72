//! The actions of a click.

use super::{
    key_value::KEY_VALUE_PAIR,
    look::ACCESSIBILITY,
    rule::{
        Rule::{self, Integer, List, Number, Object, OneOf, Text, Uri, Word},
        Shape,
        Tag::{None, Required},
        optional, required,
    },
};

pub(super) static ACTIONS: Rule =
    OneOf(&[&PUBLISH_TEXT, &ADD_TO_CART, &NAVIGATE, &LINK, &CUSTOM, &DATE_PICKER, &SCHEDULE_SLOT_LIST]);

static PUBLISH_TEXT: Shape = Shape { name: "publishText", tag: Required, members: &[&[required("text", Text(256))]] };

static ADD_TO_CART: Shape =
    Shape { name: "addToCart", tag: Required, members: &[&[required("items", List(0, 10, &Object(&CART_ITEM)))]] };

static CART_ITEM: Shape =
    Shape { name: "items", tag: None, members: &[&[optional("productId", Text(256)), optional("quantity", Integer)]] };

static NAVIGATE: Shape = Shape {
    name: "navigate",
    tag: Required,
    members: &[&[required("la", Number), required("lo", Number), optional("name", Text(256))]],
};

static LINK: Shape = Shape {
    name: "link",
    tag: Required,
    members: &[&[
        required("uri", Uri(1_024)),
        optional("name", Text(256)),
        optional("ios", Object(&LINK_ELSEWHERE)),
        optional("android", Object(&LINK_ELSEWHERE)),
        optional("web", Object(&LINK_ELSEWHERE)),
        optional("target", Word(&["self", "blank", "slideout"])),
        optional("accessibility", Object(&ACCESSIBILITY)),
    ]],
};

/// Where the link leads on one kind of device.
static LINK_ELSEWHERE: Shape = Shape { name: "link", tag: None, members: &[&[optional("uri", Uri(1_024))]] };

static CUSTOM: Shape =
    Shape { name: "custom", tag: Required, members: &[&[optional("data", List(0, 10, &Object(&KEY_VALUE_PAIR)))]] };

static DATE_PICKER: Shape = Shape {
    name: "datePicker",
    tag: Required,
    members: &[&[
        required("class", Word(&["single", "range"])),
        optional("title", Text(40)),
        optional("minDate", Integer),
        optional("maxDate", Integer),
        optional("dateFormat", Text(100)),
    ]],
};

static SCHEDULE_SLOT_LIST: Shape = Shape {
    name: "scheduleSlotList",
    tag: Required,
    members: &[&[
        optional("title", Text(40)),
        optional("slots", List(0, 256, &Object(&SCHEDULE_SLOT))),
        optional("firstDayOfTheWeek", Word(&["sun", "mon"])),
    ]],
};

static SCHEDULE_SLOT: Shape = Shape {
    name: "scheduleSlot",
    tag: Required,
    members: &[&[
        required("id", Text(256)),
        required("start", Integer),
        optional("end", Integer),
        optional("title", Text(40)),
        optional("description", Text(40)),
        optional("imageUrl", Uri(1_024)),
    ]],
};
