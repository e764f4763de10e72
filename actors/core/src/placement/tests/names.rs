//! The texts and the ranges of names, weights, capacities and versions.

use proptest::prelude::*;

use super::*;

#[test]
fn the_text_forms_of_duties_are_those_that_are_stored() {
    let names = [
        (DutyName::Connection("bots-1".into()), "connection/bots-1"),
        (DutyName::Webhooks, "webhooks"),
        (DutyName::Bulk, "bulk"),
        (DutyName::Housekeeping, "housekeeping"),
        (DutyName::Unlisted("archive".into()), "archive"),
    ];
    for (name, text) in names {
        assert_eq!((name.to_string(), DutyName::from(text)), (text.to_owned(), name));
    }
}

#[test]
fn a_connection_may_have_the_name_of_another_duty() {
    assert_eq!(duty("connection/webhooks"), DutyName::Connection("webhooks".into()));
    assert_eq!(duty("connection/connection/a"), DutyName::Connection("connection/a".into()));
}

#[test]
fn weights_are_from_1_to_1000_and_1_by_default() {
    assert_eq!((Weight::default().get(), Weight::OF_CONNECTOR.get()), (1, 8));
    assert_eq!((Weight::new(1).map(Weight::get), Weight::new(1_000).map(Weight::get)), (Ok(1), Ok(1_000)));
    for weight in [0, 1_001] {
        assert_eq!(Weight::new(weight), Err(WeightError { weight }));
    }
    assert_eq!(WeightError { weight: 0 }.to_string(), "a weight of 0 is not between 1 and 1000");
}

#[test]
fn capacities_are_from_a_thousandth_to_a_thousand_and_1_by_default() {
    assert_eq!(Capacity::new(1.0), Ok(Capacity::default()));
    let thousandths = |capacity| Capacity::new(capacity).unwrap().thousandths();
    assert_eq!([0.001, 0.5, 2.25, 1_000.0].map(thousandths), [1, 500, 2_250, 1_000_000]);
    for capacity in [0.0, -1.0, 0.000_9, 1_000.1, f64::INFINITY, f64::NAN] {
        assert!(Capacity::new(capacity).is_err(), "{capacity}");
    }
}

#[test]
fn versions_are_compared_number_by_number_and_their_suffix_is_ignored() {
    let version = |text: &str| text.parse::<NodeVersion>().unwrap();
    assert!(version("0.9.0") < version("0.10.0") && version("0.10.9") < version("1.0.0"));
    assert_eq!(version("1.2.3-rc.1+5"), version("1.2.3"));
    assert_eq!(version("1.2.3").to_string(), "1.2.3");
    for text in ["", "1", "1.2", "1.2.3.4", "a.b.c", "1.2.-3", "1..3"] {
        assert_eq!(text.parse::<NodeVersion>(), Err(NodeVersionError { text: text.to_owned() }));
    }
}

proptest! {
    #[test]
    fn every_stored_name_of_a_duty_is_kept(text in ".{0,40}") {
        prop_assert_eq!(DutyName::from(&*text).to_string(), text);
    }
}
