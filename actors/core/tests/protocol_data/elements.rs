//! The verdicts on structured content, quick replies and metadata against those of the published schemas: the same, but
//! for the differences that are listed with their reasons.

use std::collections::BTreeSet;

use jsonschema::Validator;
use proptest::{prelude::*, sample::Index};
use serde_json::Value;
use tertulia_core::rich_content::{Channel, Invalid, Strictness, check_content, check_metadata, check_quick_replies};

use super::{
    catalogue, data,
    mutation::{pointers, replaced, replacements},
    schemas::{Library, validator},
};

const CONTENT: &[&str] = &["rich-content-schemas/rich_content.json"];
const WEB: &[&str] = &["rich-content-validator/quickReplies.json"];
const FACEBOOK: &[&str] = &["rich-content-validator/fbQuickReplyRoot.json"];
const WHATS_APP: &[&str] = &["rich-content-validator/whatsappQuickReplyRoot.json"];
const RCS: &[&str] = &["rich-content-validator/rbmQuickReplyRoot.json"];
const METADATA: &[&str] = &[
    "schemas-devcenter/infra/metadata/ActionReason.json",
    "schemas-devcenter/infra/metadata/BotResponse.json",
    "schemas-devcenter/infra/metadata/ExternalId.json",
    "schemas-devcenter/infra/metadata/IBMWatsonInfo.json",
    "rich-content-validator/abcBotResponse.json",
];

/// The schemas that judge here.
pub(crate) const JUDGING: [&[&str]; 6] = [CONTENT, WEB, FACEBOOK, WHATS_APP, RCS, METADATA];

type Verdict = Result<(), Invalid>;

/// One kind of value, as both sides judge it.
struct Kind {
    /// It is valid by the schemas if it is valid by any of them.
    schemas: Vec<Validator>,
    check: fn(&Value) -> Verdict,
    differences: &'static [Difference],
}

/// A difference that is meant: why, and how it is recognised.
type Difference = (&'static str, fn(&Value, &Verdict) -> bool);

const UNTYPED: Difference =
    ("an element that says no type is drawn by no client, though some schemas let it be", |_, verdict| {
        problem(verdict).is_some_and(|Invalid { path, problem }| path.ends_with("type") && problem == "is missing")
    });

const CLICK_METADATA: Difference = (
    "a click sends the metadata of an element, so they must be valid metadata; the schemas do not check them",
    |_, verdict| problem(verdict).is_some_and(|invalid| invalid.path.contains("metadata[")),
);

const ITEMS_PER_ROW: Difference = (
    "the schemas write min and max where minimum and maximum are meant; there are from 1 to 8 items in a row, and whole",
    |_, verdict| problem(verdict).is_some_and(|invalid| invalid.path == "itemsPerRow"),
);

const NO_OBJECT: Difference =
    ("the schemas of channels other than the web forget to say that quick replies are an object", |value, verdict| {
        !value.is_object() && problem(verdict).is_some()
    });

const REPLIES_OF_CHANNEL: Difference = (
    "the schemas of channels other than the web forget to say that replies are a list; that of a reply is published \
     nowhere, but replies have types",
    |_, verdict| problem(verdict).is_some_and(|invalid| invalid.path.starts_with("replies")),
);

const OTHER_TYPES: Difference = ("metadata of types that are published nowhere is sent every day", |value, verdict| {
    let published = ["ExternalId", "ActionReason", "BotResponse", "IBMWatsonInfo"];
    verdict.is_ok() && value["type"].as_str().is_some_and(|kind| !published.contains(&kind))
});

fn problem(verdict: &Verdict) -> Option<&Invalid> {
    verdict.as_ref().err()
}

impl Kind {
    fn new(schemas: &[&str], check: fn(&Value) -> Verdict, differences: &'static [Difference]) -> Self {
        let library = Library::open();
        Self { schemas: schemas.iter().map(|file| validator(file, &library).unwrap()).collect(), check, differences }
    }

    fn content(differences: &'static [Difference]) -> Self {
        let check = |value: &Value| check_content(value, Strictness::Schema);
        Self::new(CONTENT, check, differences)
    }

    fn metadata() -> Self {
        let check = |value: &Value| check_metadata(value, Strictness::Schema);
        Self::new(METADATA, check, &[OTHER_TYPES])
    }

    fn quick_replies() -> Self {
        let check = |value: &Value| check_quick_replies(value, Channel::Web, Strictness::Schema);
        Self::new(WEB, check, &[ITEMS_PER_ROW, CLICK_METADATA])
    }

    /// The difference between the two verdicts, if there is one.
    fn difference(&self, value: &Value) -> Option<Result<&'static str, String>> {
        let verdict = (self.check)(value);
        let is_valid = self.schemas.iter().any(|schema| schema.is_valid(value));
        if is_valid == verdict.is_ok() {
            return None;
        }
        let meant = self.differences.iter().find(|(_, is)| is(value, &verdict));
        Some(meant.map(|(why, _)| *why).ok_or_else(|| format!("by the schemas {is_valid}, here {verdict:?}: {value}")))
    }

    /// Judges each of the values and everything that one change makes of it.
    fn judge(&self, values: &[Value]) {
        let (mut seen, mut unmeant, mut judged) = (BTreeSet::new(), Vec::new(), 0);
        for value in values {
            assert_eq!((self.check)(value), Ok(()), "{value}");
            assert_eq!(self.difference(value), None);
            for pointer in pointers(value) {
                for replacement in value.pointer(&pointer).map(replacements).unwrap_or_default() {
                    judged += 1;
                    match self.difference(&replaced(value, &pointer, replacement)) {
                        None => {}
                        Some(Ok(why)) => drop(seen.insert(why)),
                        Some(Err(difference)) => unmeant.push(difference),
                    }
                }
            }
        }
        let (count, first) = (unmeant.len(), unmeant.first());
        assert_eq!(first, None, "the first of {count} differences in {judged} values");
        let listed: BTreeSet<_> = self.differences.iter().map(|(why, _)| *why).collect();
        assert_eq!(seen, listed, "a difference that is listed is no more");
    }
}

#[test]
fn cv_f8_basics_are_judged_as_by_the_schemas() {
    Kind::content(&[UNTYPED, CLICK_METADATA]).judge(&catalogue::basics());
}

#[test]
fn cv_f8_clicks_are_judged_as_by_the_schemas() {
    Kind::content(&[UNTYPED]).judge(&catalogue::clicks());
}

#[test]
fn cv_f8_layouts_are_judged_as_by_the_schemas() {
    Kind::content(&[UNTYPED, CLICK_METADATA]).judge(&catalogue::layouts());
}

#[test]
fn cv_f8_lists_are_judged_as_by_the_schemas() {
    Kind::content(&[CLICK_METADATA]).judge(&catalogue::lists());
}

#[test]
fn cv_f6_quick_replies_are_judged_as_by_the_schema() {
    Kind::quick_replies().judge(&catalogue::quick_replies());
}

#[test]
fn cv_f6_quick_replies_of_other_channels_are_judged_as_by_their_schemas() {
    const DIFFERENCES: &[Difference] = &[NO_OBJECT, ITEMS_PER_ROW, REPLIES_OF_CHANNEL];
    let facebook = |value: &Value| check_quick_replies(value, Channel::Facebook, Strictness::Schema);
    let whats_app = |value: &Value| check_quick_replies(value, Channel::WhatsApp, Strictness::Schema);
    let rcs = |value: &Value| check_quick_replies(value, Channel::Rcs, Strictness::Schema);
    let values = catalogue::quick_replies();
    Kind::new(FACEBOOK, facebook, DIFFERENCES).judge(&values);
    Kind::new(WHATS_APP, whats_app, DIFFERENCES).judge(&values);
    Kind::new(RCS, rcs, DIFFERENCES).judge(&values);
}

#[test]
fn metadata_is_judged_as_by_the_schemas() {
    Kind::metadata().judge(&catalogue::metadata());
}

/// Without it, a rule that nobody wrote would be missed by nobody.
#[test]
fn the_values_judged_have_every_member_that_the_schemas_know() {
    fn names(schema: &Value, into: &mut BTreeSet<String>) {
        match schema {
            Value::Object(members) => {
                let properties = members.get("properties").and_then(Value::as_object);
                into.extend(properties.into_iter().flat_map(|properties| properties.keys().cloned()));
                members.values().for_each(|inner| names(inner, into));
            }
            Value::Array(entries) => entries.iter().for_each(|inner| names(inner, into)),
            _ => {}
        }
    }

    let judged = [catalogue::content(), catalogue::quick_replies(), catalogue::metadata()].concat();
    let written: BTreeSet<String> =
        judged.iter().flat_map(pointers).filter_map(|pointer| Some(pointer.rsplit_once('/')?.1.to_owned())).collect();
    let folders = ["rich-content-schemas", "rich-content-validator", "schemas-devcenter/infra/metadata"];
    for file in folders.into_iter().flat_map(data::files) {
        let mut known = BTreeSet::new();
        names(&serde_json::from_str(&data::text(&file)).unwrap(), &mut known);
        let missing: Vec<_> = known.difference(&written).collect();
        assert!(missing.is_empty(), "{file}: {missing:?}");
    }
}

/// A value of the catalogue with several changes at once.
fn changed(values: Vec<Value>) -> impl Strategy<Value = Value> {
    let changes = proptest::collection::vec((any::<Index>(), any::<Index>()), 2..5);
    (prop::sample::select(values), changes).prop_map(|(mut value, changes)| {
        for (place, change) in changes {
            let pointer = place.get(&pointers(&value)).clone();
            let replacement = value.pointer(&pointer).map(|old| change.get(&replacements(old)).clone());
            value = replaced(&value, &pointer, replacement.unwrap_or_default());
        }
        value
    })
}

/// Several mistakes in one value must not hide each other.
#[test]
fn values_with_several_changes_are_judged_as_by_the_schemas() {
    for (kind, values) in [
        (Kind::content(&[UNTYPED, CLICK_METADATA]), catalogue::content()),
        (Kind::quick_replies(), catalogue::quick_replies()),
        (Kind::metadata(), catalogue::metadata()),
    ] {
        let mut runner = proptest::test_runner::TestRunner::default();
        let result = runner.run(&changed(values), |value| {
            let unmeant = kind.difference(&value).and_then(Result::err);
            prop_assert!(unmeant.is_none(), "{}", unmeant.unwrap_or_default());
            Ok(())
        });
        result.unwrap();
    }
}
