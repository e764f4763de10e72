//! The settings of webhooks, from the configuration.

use crate::{config, webhooks::Settings};

pub(super) fn settings(configured: config::Webhooks) -> Settings {
    let config::Webhooks { allow_internal, attempt_within, disable_after } = configured;
    let usual = Settings::default();
    Settings {
        allow_internal,
        attempt_within: attempt_within.unwrap_or(usual.attempt_within),
        disable_after: disable_after.unwrap_or(usual.disable_after),
    }
}
