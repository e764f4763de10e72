//! Suggested replies; each channel shows a limited number.

use super::{
    basic::BUTTON,
    rule::{
        Member,
        Rule::{self, IntegerWithin, List, Object, OneOfOrOther},
        Shape,
        Tag::Required,
        required,
    },
};

/// The channel on which the consumer reads quick replies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Channel {
    /// Web pages and apps: at most 24 buttons, each checked completely.
    #[default]
    Web,
    /// At most 13 replies. The form of a reply outside the web is not published, so it must only have a type.
    Facebook,
    /// At most 13 replies.
    WhatsApp,
    /// At most 13 replies.
    Apple,
    /// RCS: at most 11 replies.
    Rcs,
}

impl Channel {
    pub(super) fn rule(self) -> Rule {
        match self {
            Self::Web => Object(&WEB),
            Self::Facebook | Self::WhatsApp | Self::Apple => Object(&UP_TO_13),
            Self::Rcs => Object(&UP_TO_11),
        }
    }
}

static IN_ROWS: [Member; 1] = [required("itemsPerRow", IntegerWithin(1, 8))];

static WEB: Shape = Shape {
    name: "quickReplies",
    tag: Required,
    members: &[&IN_ROWS, &[required("replies", List(1, 24, &Object(&BUTTON)))]],
};

static UP_TO_13: Shape = Shape {
    name: "quickReplies",
    tag: Required,
    members: &[&IN_ROWS, &[required("replies", List(1, 13, &OneOfOrOther(&[])))]],
};

static UP_TO_11: Shape = Shape {
    name: "quickReplies",
    tag: Required,
    members: &[&IN_ROWS, &[required("replies", List(1, 11, &OneOfOrOther(&[])))]],
};
