//! An application's installation: who it is, where its notifications go, and how long they are tried.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::SignatureKind;

/// The event types that have an endpoint each.
pub const EVENT_TYPES: [&str; 5] = [
    "ms.MessagingEventNotification.ContentEvent",
    "ms.MessagingEventNotification.RichContentEvent",
    "ms.MessagingEventNotification.AcceptStatusEvent",
    "ms.MessagingEventNotification.ChatStateEvent",
    "cqm.ExConversationChangeNotification",
];

/// The pause of the older way to try again.
const FIXED_PAUSE: Duration = Duration::from_secs(30);

/// Where notifications of one event type go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppEndpoint {
    /// A plain-HTTP address; the emulator does not speak TLS to endpoints.
    pub url: String,
    /// Further tries, each after 30 s; with a retention only 0 counts, which drops what fails.
    pub max_retries: Option<u32>,
}

/// An application's installation on the account (protocol [§10.1](crate::protocol#101)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppInstall {
    /// Its id.
    pub client_id: String,
    /// Its secret, which also signs its webhooks.
    pub client_secret: String,
    /// Where notifications go, by event type ([`EVENT_TYPES`]); a type without an endpoint is not sent.
    pub endpoints: BTreeMap<String, AppEndpoint>,
    /// How long a notification that was not taken is tried again, in the order of its conversation.
    pub retention: Option<Duration>,
    /// The first pause before it is tried again; it doubles up to five minutes.
    pub first_pause: Duration,
    /// How webhooks are signed.
    pub signature: SignatureKind,
    /// How long an application's token lives.
    pub token_life: Duration,
}

impl AppInstall {
    /// An application without webhooks.
    #[must_use]
    pub fn new(client_id: impl Into<String>, client_secret: impl Into<String>) -> Self {
        Self {
            client_id: client_id.into(),
            client_secret: client_secret.into(),
            endpoints: BTreeMap::new(),
            retention: None,
            first_pause: Duration::from_secs(2),
            signature: SignatureKind::default(),
            token_life: Duration::from_secs(3_600),
        }
    }

    /// The same with every event type sent to one address, and tried again for an hour.
    #[must_use]
    pub fn webhooks(self, url: &str) -> Self {
        let endpoint = AppEndpoint { url: url.to_owned(), max_retries: None };
        let endpoints = EVENT_TYPES.iter().map(|name| ((*name).to_owned(), endpoint.clone())).collect();
        Self { endpoints, retention: Some(Duration::from_secs(3_600)), ..self }
    }

    /// Reads an installation document; id and secret are made up where it has none.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn from_document(document: &Value) -> Result<Self, String> {
        if !document.is_object() {
            return Err("an installation is an object".to_owned());
        }
        let text = |name: &str| document[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let made_up = || uuid::Uuid::new_v4().to_string();
        let app = Self::new(text("client_id").unwrap_or_else(made_up), text("client_secret").unwrap_or_else(made_up));
        let webhooks = &document["capabilities"]["webhooks"];
        let mut endpoints = BTreeMap::new();
        for (name, endpoint) in webhooks.as_object().into_iter().flatten().filter(|(name, _)| *name != "retry") {
            if !EVENT_TYPES.contains(&name.as_str()) {
                return Err(format!("{name} is not an event type"));
            }
            let url = endpoint["endpoint"].as_str().ok_or_else(|| format!("{name} has no endpoint"))?.to_owned();
            let max_retries = endpoint["max_retries"].as_u64().map(|retries| retries.min(5) as u32);
            endpoints.insert(name.clone(), AppEndpoint { url, max_retries });
        }
        let retention = match &webhooks["retry"]["retention_time"] {
            Value::Null => None,
            told => match told.as_u64() {
                Some(seconds @ 2..=259_200) => Some(Duration::from_secs(seconds)),
                _ => return Err("retention_time is not from 2 to 259200".to_owned()),
            },
        };
        Ok(Self { endpoints, retention, ..app })
    }

    /// The document that answers an installation, and that the account's configuration shows.
    pub(crate) fn document(&self) -> Value {
        let endpoint = |endpoint: &AppEndpoint| {
            let mut told = json!({"endpoint": endpoint.url, "headers": []});
            if let Some(retries) = endpoint.max_retries {
                told["max_retries"] = retries.into();
            }
            told
        };
        let mut webhooks: Map<String, Value> =
            self.endpoints.iter().map(|(name, one)| (name.clone(), endpoint(one))).collect();
        if let Some(retention) = self.retention {
            webhooks.insert("retry".to_owned(), json!({"retention_time": retention.as_secs()}));
        }
        json!({
            "id": self.client_id, "client_id": self.client_id, "client_secret": self.client_secret,
            "client_name": self.client_id, "enabled": true, "deleted": false, "scope": "msg.consumer",
            "grant_types": ["client_credentials"], "capabilities": {"webhooks": webhooks},
        })
    }

    /// The pause before the next try of a notification for `endpoint`, after `tries` of them and so long a time; `None`
    /// when it is given up.
    pub(super) fn next_pause(&self, endpoint: &AppEndpoint, tries: u32, since: Duration) -> Option<Duration> {
        match (self.retention, endpoint.max_retries) {
            (Some(_), Some(0)) => None,
            (Some(retention), _) => {
                let doubled = self.first_pause.saturating_mul(1_u32.checked_shl(tries - 1).unwrap_or(u32::MAX));
                let pause = doubled.min(Duration::from_secs(300));
                (since + pause <= retention).then_some(pause)
            }
            (None, retries) => (tries <= retries.unwrap_or(0)).then_some(FIXED_PAUSE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_document_is_read() {
        let endpoint = json!({"endpoint": "http://c.example.com/lp", "headers": []});
        let app = AppInstall::from_document(&json!({
            "client_name": "mine", "enabled": true, "scope": "msg.consumer", "client_id": "c", "client_secret": "s",
            "capabilities": {"webhooks": {"retry": {"retention_time": 3600}, (EVENT_TYPES[0]): endpoint}},
        }));
        let app = app.unwrap();
        assert_eq!((app.client_id.as_str(), app.retention), ("c", Some(Duration::from_secs(3_600))));
        assert_eq!(app.endpoints.keys().collect::<Vec<_>>(), [EVENT_TYPES[0]]);
    }

    #[test]
    fn a_document_with_a_mistake_is_refused() {
        for webhooks in [
            json!({"ms.Unheard": {"endpoint": "http://c"}}),
            json!({(EVENT_TYPES[0]): {}}),
            json!({"retry": {"retention_time": 1}}),
        ] {
            assert!(AppInstall::from_document(&json!({"capabilities": {"webhooks": webhooks}})).is_err());
        }
    }

    #[test]
    fn tries_double_their_pause_within_the_retention_or_come_a_few_times() {
        let app = AppInstall::new("c", "s").webhooks("http://c");
        let endpoint = app.endpoints[EVENT_TYPES[0]].clone();
        let seconds = Duration::from_secs;
        let pauses: Vec<_> = (1..=4).map(|tries| app.next_pause(&endpoint, tries, seconds(60))).collect();
        assert_eq!(pauses, [2, 4, 8, 16].map(|pause| Some(seconds(pause))));
        assert_eq!(app.next_pause(&endpoint, 20, seconds(60)), Some(seconds(300)));
        assert_eq!(app.next_pause(&endpoint, 20, seconds(3_590)), None);
        let never = AppEndpoint { max_retries: Some(0), ..endpoint.clone() };
        assert_eq!(app.next_pause(&never, 1, seconds(0)), None);
        let older = AppInstall { retention: None, ..app };
        let twice = AppEndpoint { max_retries: Some(2), ..endpoint };
        let pauses = [1, 2, 3].map(|tries| older.next_pause(&twice, tries, seconds(0)));
        assert_eq!(pauses, [Some(seconds(30)), Some(seconds(30)), None]);
    }
}
