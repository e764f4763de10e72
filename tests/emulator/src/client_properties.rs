//! A device's description as clients send it: what is wrong with one, and how it is echoed (protocol
//! [§3.3](crate::protocol#33)).

use std::sync::Arc;

use actix_web::web::Query;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};

const DEVICE_FAMILIES: [&str; 6] = ["DESKTOP", "TABLET", "MOBILE", "PDA", "OTHER", "UNKNOWN"];
const SYSTEMS: [&str; 6] = ["WINDOWS", "LINUX", "OSX", "ANDROID", "IOS", "OTHER"];
const INTEGRATIONS: [&str; 3] = ["WEB_SDK", "MOBILE_SDK", "BRAND_SDK"];

/// Members whose texts are in the lists above.
const IN_LISTS: [&str; 3] = ["deviceFamily", "os", "integration"];

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
    read(parsed(text)?)
}

/// Reads what a handshake tells, in the query of its URL and in the header `Client-Properties`; the header decides where
/// both tell. `None` where neither tells anything.
pub(crate) fn of_handshake(query: &str, header: Option<&str>) -> Result<Option<Arc<RawValue>>, String> {
    let mut properties = of_query(query)?;
    if let Some(header) = header {
        add(&mut properties, parsed(header)?);
    } else if properties.is_empty() {
        return Ok(None);
    }
    read(properties).map(Some)
}

/// Reads the header of `InitConnection`, on a socket whose handshake told this.
pub(crate) fn of_frame(header: &Value, handshake: Option<&RawValue>) -> Result<Arc<RawValue>, String> {
    let mut properties = handshake.and_then(|told| serde_json::from_str(told.get()).ok()).unwrap_or_default();
    add(&mut properties, header.as_object().cloned().unwrap_or_default());
    read(properties)
}

fn parsed(header: &str) -> Result<Map<String, Value>, String> {
    serde_json::from_str(header).map_err(|error| format!("Client-Properties: {error}"))
}

/// The client properties in a query; `features` is a list with commas, or repeated. Other parameters are not ours.
fn of_query(query: &str) -> Result<Map<String, Value>, String> {
    let parameters = Query::<Vec<(String, String)>>::from_query(query).map_err(|error| error.to_string())?;
    let mut properties = Map::new();
    let mut features: Vec<Value> = Vec::new();
    for (name, text) in parameters.into_inner() {
        if name == "features" {
            features.extend(text.split(',').filter(|feature| !feature.is_empty()).map(Value::from));
        } else if IN_LISTS.contains(&name.as_str()) || TEXTS.iter().any(|(known, _)| *known == name) {
            properties.insert(name, text.into());
        }
    }
    if !features.is_empty() {
        properties.insert("features".to_owned(), features.into());
    }
    Ok(properties)
}

/// Adds the properties of a later source. A later value replaces an earlier one; null replaces nothing.
fn add(properties: &mut Map<String, Value>, later: Map<String, Value>) {
    for (name, value) in later {
        if !value.is_null() || !properties.contains_key(&name) {
            properties.insert(name, value);
        }
    }
}

/// Clients write the type in many ways or leave it out. The platform ignores it.
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
        assert!(of_frame(&of_init, None).unwrap().get().contains(r#""type":".ClientProperties""#));
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

    #[test]
    fn a_query_tells_client_properties_and_the_headers_decide_where_they_tell_too() {
        let query = "v=3&appid=x&deviceFamily=MOBILE&os=ANDROID&timeZone=Europe%2FVienna&features=A,B&features=C";
        let told = of_handshake(query, None).unwrap().unwrap();
        let tree: Value = serde_json::from_str(told.get()).unwrap();
        let expected = json!({"type": ".ClientProperties", "ipAddress": "127.0.0.1", "deviceFamily": "MOBILE",
            "os": "ANDROID", "timeZone": "Europe/Vienna", "features": ["A", "B", "C"]});
        assert_eq!(tree, expected);
        let header = json!({"os": "IOS", "deviceFamily": null}).to_string();
        let both = of_handshake(query, Some(&header)).unwrap().unwrap();
        let frame = of_frame(&json!({"type": ".ams.headers.ClientProperties", "os": "LINUX"}), Some(&both)).unwrap();
        for (told, os) in [(&both, "IOS"), (&frame, "LINUX")] {
            let tree: Value = serde_json::from_str(told.get()).unwrap();
            assert_eq!((&tree["os"], &tree["deviceFamily"]), (&json!(os), &json!("MOBILE")));
        }
        assert!(of_handshake("v=3&appid=x", None).unwrap().is_none());
        assert!(of_handshake("os=PLAN9", None).is_err());
    }
}
