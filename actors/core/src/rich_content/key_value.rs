//! Pairs of keys and values, as elements and in custom actions.

use super::rule::{
    Rule::{List, Object, Text},
    Shape,
    Tag::{None, Required},
    optional, required,
};

pub(super) static KEY_VALUE_PAIRS: Shape = Shape {
    name: "keyValuePairList",
    tag: Required,
    members: &[&[required("elements", List(1, 50, &Object(&KEY_VALUE_PAIR)))]],
};

pub(super) static KEY_VALUE_PAIR: Shape = Shape {
    name: "keyValuePair",
    tag: None,
    members: &[&[required("key", Text(128)), optional("value", Text(2_048))]],
};
