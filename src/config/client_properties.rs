//! `connections.client_properties`: the device that a connection reports to the platform (protocol
//! [§3.3](crate::protocol#33)).

use super::field::Field;

/// The device that a connection reports to the platform. Values that are not configured are not sent.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ClientProperties {
    /// Each text, under the platform's name for it.
    pub texts: Vec<(&'static str, String)>,
    /// The device's features. The platform treats a feature that is not listed as missing.
    pub features: Vec<String>,
}

/// Key, the platform's name, and the most characters allowed.
const TEXTS: [(&str, &str, usize); 11] = [
    ("app_id", "appId", 64),
    ("app_version", "appVersion", 32),
    ("ip_address", "ipAddress", 32),
    ("os_version", "osVersion", 64),
    ("os_name", "osName", 64),
    ("integration_version", "integrationVersion", 64),
    ("browser", "browser", 64),
    ("browser_version", "browserVersion", 64),
    ("time_zone", "timeZone", 64),
    ("device_manufacture", "deviceManufacture", 64),
    ("device_model", "deviceModel", 64),
];

/// Key, the platform's name, and the allowed words.
const WORDS: [(&str, &str, &[&str]); 3] = [
    ("device_family", "deviceFamily", &["DESKTOP", "TABLET", "MOBILE", "PDA", "OTHER", "UNKNOWN"]),
    ("os", "os", &["WINDOWS", "LINUX", "OSX", "ANDROID", "IOS", "OTHER"]),
    ("integration", "integration", &["WEB_SDK", "MOBILE_SDK", "BRAND_SDK"]),
];

impl ClientProperties {
    pub(super) fn read(field: Field<'_>) -> Option<Self> {
        if !field.is_present() {
            return None;
        }
        let mut section = field.section();
        let mut texts = Vec::new();
        for (key, name, words) in WORDS {
            let words: Vec<(&'static str, &'static str)> = words.iter().map(|word| (*word, *word)).collect();
            texts.extend(section.field(key).word(&words).map(|word| (name, word.to_owned())));
        }
        for (key, name, most) in TEXTS {
            let text = section.field(key).parse(|text| match text.chars().count() {
                found if found > most => Err(format!("the platform takes at most {most} characters, found {found}")),
                _ => Ok(text.to_owned()),
            });
            texts.extend(text.map(|text| (name, text)));
        }
        // Clients gain new features, so any name is accepted.
        let features = section.field("features").list().into_iter().filter_map(Field::text).collect();
        section.finish();
        Some(Self { texts, features })
    }
}
