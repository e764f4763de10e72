//! A configuration file: every text is read or has its mistakes told.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tertulia::config::{Configuration, Environment};

fuzz_target!(|text: &str| {
    let environment: Environment = [("PASSWORD".to_owned(), "sEcReT-cAnArY".to_owned())].into_iter().collect();
    match Configuration::parse(text, &environment) {
        Ok(configuration) => assert!(!format!("{configuration:?}").contains("sEcReT-cAnArY")),
        Err(mistakes) => {
            for mistake in mistakes {
                assert!(!format!("{mistake:?}").contains("sEcReT-cAnArY"));
            }
        }
    }
});
