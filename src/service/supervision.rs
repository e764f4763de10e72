//! The supervision settings of the actors, from the configuration.

use std::sync::Arc;

use tertulia_actors::supervision::{RestartPolicy, SupervisionSettings};

use crate::config::{Restarts, Supervision, Systemic};

/// The settings of a configuration; missing values have the actors' defaults.
pub(super) fn settings(described: &Supervision) -> SupervisionSettings {
    let Supervision { conversation, connection, subscriber, systemic, dead_letters } = described;
    let Systemic { failures, conversations, within, resets } = systemic;
    let mut settings = SupervisionSettings {
        conversation: policy(conversation),
        connection: policy(connection),
        subscriber: policy(subscriber),
        ..SupervisionSettings::default()
    };
    let systemic = &mut settings.systemic;
    systemic.failures = failures.unwrap_or(systemic.failures);
    systemic.children = conversations.unwrap_or(systemic.children);
    systemic.within = within.unwrap_or(systemic.within);
    systemic.max_resets = resets.unwrap_or(systemic.max_resets);
    if let Some(letters) = dead_letters {
        settings.dead_letters.letters = letters.get();
    }
    settings
}

fn policy(described: &Restarts) -> Arc<RestartPolicy> {
    let default = RestartPolicy::default();
    Arc::new(RestartPolicy {
        max_restarts: described.restarts.unwrap_or(default.max_restarts),
        within: described.within.unwrap_or(default.within),
        ..default
    })
}

#[cfg(test)]
mod tests {
    use std::{num::NonZeroUsize, time::Duration};

    use super::*;

    #[test]
    fn configured_values_replace_only_their_defaults() {
        let conversation = Restarts { restarts: Some(2), within: None };
        let subscriber = Restarts { restarts: None, within: Some(Duration::from_secs(7)) };
        let systemic = Systemic { conversations: Some(9), resets: Some(0), ..Systemic::default() };
        let dead_letters = NonZeroUsize::new(3);
        let described = Supervision { conversation, subscriber, systemic, dead_letters, ..Supervision::default() };

        let (configured, default) = (settings(&described), SupervisionSettings::default());
        assert_eq!(*configured.conversation, RestartPolicy { max_restarts: 2, ..*default.conversation });
        assert_eq!(*configured.subscriber, RestartPolicy { within: Duration::from_secs(7), ..*default.subscriber });
        assert_eq!((configured.connection, configured.fleet), (default.connection, default.fleet));
        let (configured_systemic, default_systemic) = (configured.systemic, default.systemic);
        assert_eq!((configured_systemic.children, configured_systemic.max_resets), (9, 0));
        assert_eq!(
            (configured_systemic.failures, configured_systemic.within),
            (default_systemic.failures, default_systemic.within)
        );
        assert_eq!(configured.dead_letters.letters, 3);
        assert_eq!(configured.dead_letters.bytes, default.dead_letters.bytes);
    }
}
