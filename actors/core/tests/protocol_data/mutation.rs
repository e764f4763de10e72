//! Values made from valid ones by one change each: what a person, a program or a newer platform may get wrong.

use serde_json::{Value, json};

/// Lengths of texts and lists around every limit that the schemas set.
const LENGTHS: [usize; 14] = [10, 20, 40, 64, 100, 128, 200, 250, 256, 1_000, 1_024, 2_000, 2_048, 5_000];
const COUNTS: [usize; 18] = [0, 1, 2, 3, 4, 5, 10, 11, 13, 14, 16, 17, 20, 21, 24, 25, 32, 33];
const LARGE_COUNTS: [usize; 4] = [50, 51, 256, 257];

const TEXTS: [&str; 10] = [
    "",
    "nonsense",
    "no uri",
    "mailto:anna@example.com",
    "tel:+49123",
    "//example.com",
    "/path",
    "https://exämple.com",
    "https://example.com/a%zz",
    "urn:x",
];

/// Where the values within `value` are, itself included.
pub(crate) fn pointers(value: &Value) -> Vec<String> {
    let within = |step: String, inner: &Value| {
        pointers(inner).into_iter().map(move |pointer| format!("/{step}{pointer}")).collect::<Vec<_>>()
    };
    let mut all = vec![String::new()];
    match value {
        Value::Object(members) => all.extend(members.iter().flat_map(|(name, inner)| within(name.clone(), inner))),
        Value::Array(entries) => {
            all.extend(entries.iter().enumerate().flat_map(|(index, inner)| within(index.to_string(), inner)));
        }
        _ => {}
    }
    all
}

/// What may stand in the place of `value`.
pub(crate) fn replacements(value: &Value) -> Vec<Value> {
    let mut all = vec![Value::Null, true.into(), json!([]), json!({}), json!([1]), json!({ "type": "nonsense" })];
    all.extend([json!(-1), json!(0), json!(1), json!(1.5), json!(2.0), json!(8), json!(9), json!(10.5), json!(11)]);
    all.extend(TEXTS.map(Value::from));
    let text = json!({ "type": "text", "text": "" });
    all.extend([json!({ "type": "tabs", "elements": [text] }), json!({ "type": "horizontal", "elements": [] }), text]);
    all.extend([json!({ "type": "button", "title": "" }), json!({ "type": "publishText", "text": "" })]);
    match value {
        Value::String(text) => all.extend(LENGTHS.iter().flat_map(|limit| {
            let length = text.chars().count();
            [*limit, limit + 1].map(|wanted| Value::from(text.clone() + &"x".repeat(wanted.saturating_sub(length))))
        })),
        Value::Array(entries) => {
            let counts = COUNTS.iter().chain(if entries.iter().all(is_small) { &LARGE_COUNTS[..] } else { &[] });
            all.extend(counts.map(|count| entries.iter().cycle().take(*count).cloned().collect()));
        }
        Value::Object(members) => {
            for name in ["unknown", "type"] {
                let mut more = members.clone();
                more.insert(name.to_owned(), "nonsense".into());
                all.push(more.into());
            }
            for name in members.keys() {
                let mut fewer = members.clone();
                fewer.remove(name);
                all.push(fewer.into());
            }
        }
        _ => {}
    }
    all
}

fn is_small(value: &Value) -> bool {
    value.to_string().len() < 400
}

/// `value` with `replacement` in the place of what is at `pointer`.
pub(crate) fn replaced(value: &Value, pointer: &str, replacement: Value) -> Value {
    let mut value = value.clone();
    if let Some(place) = value.pointer_mut(pointer) {
        *place = replacement;
    }
    value
}
