//! A device's description as clients send it: what is wrong with one, and how it is echoed (protocol
//! [§3.3](crate::protocol#33)).

use std::sync::Arc;

use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};

const DEVICE_FAMILIES: [&str; 6] = ["DESKTOP", "TABLET", "MOBILE", "PDA", "OTHER", "UNKNOWN"];
const SYSTEMS: [&str; 6] = ["WINDOWS", "LINUX", "OSX", "ANDROID", "IOS", "OTHER"];
const INTEGRATIONS: [&str; 3] = ["WEB_SDK", "MOBILE_SDK", "BRAND_SDK"];

/// Texts and the most characters of each.
const TEXTS: [(&str, usize); 11] = [
    ("appId", 64),
    ("appVersion", 32),
    ("ipAddress", 32),
    ("osVersion", 64),
    ("osName", 64),
    ("integrationVersion", 64),
    ("browser", 64),
    ("browserVersion", 64),
    ("timeZone", 64),
    ("deviceManufacture", 64),
    ("deviceModel", 64),
];

/// Reads the HTTP header `Client-Properties`; what the server echoes of it, or what is wrong.
pub(crate) fn of_header(text: &str) -> Result<Arc<RawValue>, String> {
    let properties = serde_json::from_str(text).map_err(|error| format!("Client-Properties: {error}"))?;
    read(properties)
}

/// Reads the header of `InitConnection`.
pub(crate) fn of_frame(header: &Value) -> Result<Arc<RawValue>, String> {
    let properties = header.as_object().cloned().unwrap_or_default();
    read(properties)
}

/// Clients spell the type in many ways, or leave it out; the platform reads it from none.
fn read(mut properties: Map<String, Value>) -> Result<Arc<RawValue>, String> {
    properties.remove("type");
    for (name, value) in properties.iter().filter(|(_, value)| !value.is_null()) {
        check(name, value).map_err(|fault| format!("Client properties: {name} {fault}"))?;
    }
    properties.insert("type".to_owned(), ".ClientProperties".into());
    properties.insert("ipAddress".to_owned(), "127.0.0.1".into());
    to_raw_value(&properties).map(Arc::from).map_err(|error| error.to_string())
}

fn check(name: &str, value: &Value) -> Result<(), &'static str> {
    let text = value.as_str();
    let one_of = |known: &[&str]| text.is_some_and(|text| known.contains(&text));
    match name {
        "deviceFamily" => one_of(&DEVICE_FAMILIES).then_some(()).ok_or("is not known"),
        "os" => one_of(&SYSTEMS).then_some(()).ok_or("is not known"),
        "integration" => one_of(&INTEGRATIONS).then_some(()).ok_or("is not known"),
        "features" => {
            // Clients learn new ones.
            let features = value.as_array().ok_or("is no list")?;
            features.iter().all(Value::is_string).then_some(()).ok_or("has one that is no text")
        }
        _ => match TEXTS.iter().find(|(known, _)| *known == name) {
            Some((_, limit)) => {
                text.is_some_and(|text| text.chars().count() <= *limit).then_some(()).ok_or("is no text, or too long")
            }
            None => Ok(()),
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_good_description_is_echoed_with_its_address() {
        let given = json!({"type": ".ClientProperties", "os": "ANDROID", "features": ["RICH_CONTENT"], "appId": null,
            "newer": 1});
        let echoed: Value = serde_json::from_str(of_header(&given.to_string()).unwrap().get()).unwrap();
        assert_eq!((&echoed["os"], &echoed["ipAddress"]), (&json!("ANDROID"), &json!("127.0.0.1")));
        let of_init = json!({"type": ".ams.headers.ClientProperties", "deviceFamily": "MOBILE"});
        assert!(of_frame(&of_init).unwrap().get().contains(r#""type":".ClientProperties""#));
    }

    #[test]
    fn the_type_may_be_spelled_in_any_way_or_be_missing() {
        for kind in [json!("ClientProperties"), json!(".ams.headers.ClientProperties"), json!(null), json!(7)] {
            let given = json!({"type": kind, "os": "IOS"});
            assert!(of_header(&given.to_string()).unwrap().get().contains(r#""type":".ClientProperties""#), "{kind}");
        }
        assert!(of_header("{}").unwrap().get().contains(r#""type":".ClientProperties""#));
    }

    #[test]
    fn a_wrong_description_is_told_from_a_good_one() {
        for wrong in [
            json!({"type": ".ClientProperties", "os": "PLAN9"}),
            json!({"type": ".ClientProperties", "features": "RICH_CONTENT"}),
            json!({"type": ".ClientProperties", "features": [1]}),
            json!({"type": ".ClientProperties", "appId": "x".repeat(65)}),
        ] {
            assert!(of_header(&wrong.to_string()).is_err(), "{wrong}");
        }
        assert!(of_header("{").is_err());
    }
}
