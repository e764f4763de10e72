//! The platform's JSON schemas: each is either satisfied by what this crate writes and reads, rightly contradicted by
//! it, or of no concern to it, and the list says which.

use std::{
    collections::BTreeSet,
    error::Error,
    sync::{Arc, Mutex},
};

use jsonschema::{Draft, Retrieve, Uri, Validator};
use serde_json::Value;

use super::{
    data,
    elements::JUDGING,
    schema_uses::{CONTRADICTED, SATISFIED, UNCONCERNED},
};

const BASE: &str = "schema:///";
const FOLDERS: [&str; 4] = ["schemas-2017", "schemas-devcenter", "rich-content-schemas", "rich-content-validator"];

/// Where references lead that leave what was published together, and the published ones that are meant.
const MOVED: [(&str, &str); 3] = [
    ("schemas-devcenter/ms/richContent/element.json", "rich-content-schemas/rich_content.json"),
    ("schemas-devcenter/ms/richContent/", "rich-content-schemas/"),
    ("rich/", "rich-content-schemas/"),
];

/// References to schemas that are published nowhere: the parts of channels that nothing here writes.
const NOWHERE: [&str; 11] = [
    "rich-content-validator/abcCBBotResponseMd.json",
    "rich-content-validator/abcChatMessageMd.json",
    "rich-content-validator/abcConnectorAuthenticationRequestMd.json",
    "rich-content-validator/abcConnectorPaymentRequestMd.json",
    "rich-content-validator/abcCustomMessageMd.json",
    "rich-content-validator/abcDatePickerMd.json",
    "rich-content-validator/abcFormMd.json",
    "rich-content-validator/cbAutoMessage.json",
    "rich-content-validator/fbQuickReplyButton.json",
    "rich-content-validator/rbmQuickReplyButton.json",
    "rich-content-validator/whatsappButton.json",
];

/// Reads references from the data, and remembers which it read.
#[derive(Clone)]
pub(crate) struct Library {
    files: Arc<BTreeSet<String>>,
    read: Arc<Mutex<BTreeSet<String>>>,
}

impl Library {
    pub(crate) fn open() -> Self {
        let files = FOLDERS.iter().flat_map(|folder| data::files(folder)).collect();
        Self { files: Arc::new(files), read: Arc::default() }
    }

    /// The published file a reference means. Some references spell a name with another case, and the newer schemas
    /// refer to older ones that did not change.
    fn resolve(&self, reference: &str) -> Option<String> {
        let moved = MOVED.iter().find_map(|(from, to)| Some(format!("{to}{}", reference.strip_prefix(from)?)));
        let older = reference.replace("schemas-devcenter/", "schemas-2017/");
        let named = |name: &str| self.files.iter().find(|file| file.eq_ignore_ascii_case(name)).cloned();
        moved.or_else(|| named(reference)).or_else(|| named(&older))
    }
}

impl Retrieve for Library {
    fn retrieve(&self, uri: &Uri<String>) -> Result<Value, Box<dyn Error + Send + Sync>> {
        let reference = uri.path().as_str().trim_start_matches('/').to_owned();
        if NOWHERE.contains(&reference.as_str()) {
            return Ok(Value::Object(serde_json::Map::new()));
        }
        let file = self.resolve(&reference).ok_or_else(|| format!("{reference} is published nowhere"))?;
        let schema = schema(&file);
        self.read.lock().unwrap().insert(file);
        Ok(schema)
    }
}

/// The schema in `file`, with what draft 4 does not know mended: the types "any" and "Long", and a requirement of
/// nothing.
fn schema(file: &str) -> Value {
    fn mend(schema: &mut Value) {
        match schema {
            Value::Object(members) => {
                match members.get("type").and_then(Value::as_str) {
                    Some("any") => drop(members.remove("type")),
                    Some("Long") => drop(members.insert("type".to_owned(), "integer".into())),
                    _ => {}
                }
                if members.get("required").and_then(Value::as_array).is_some_and(Vec::is_empty) {
                    members.remove("required");
                }
                members.values_mut().for_each(mend);
            }
            Value::Array(elements) => elements.iter_mut().for_each(mend),
            _ => {}
        }
    }

    let mut schema = serde_json::from_str(&data::text(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    mend(&mut schema);
    schema
}

pub(crate) fn validator(file: &str, library: &Library) -> Result<Validator, String> {
    jsonschema::options()
        .with_draft(Draft::Draft4)
        .with_base_uri(format!("{BASE}{file}"))
        .with_retriever(library.clone())
        .build(&schema(file))
        .map_err(|error| format!("{file}: {error}"))
}

fn is_schema(file: &str) -> bool {
    file.ends_with(".json") && !UNCONCERNED.iter().any(|(name, why)| *name == file && why.starts_with("no schema"))
}

#[test]
fn every_schema_loads_with_all_it_refers_to() {
    let library = Library::open();
    let schemas: Vec<&String> = library.files.iter().filter(|file| is_schema(file)).collect();
    let broken: Vec<String> = schemas.iter().filter_map(|file| validator(file, &library).err()).collect();
    assert!(broken.is_empty(), "{broken:#?}");
    assert!(schemas.len() > 60, "only {} schemas", schemas.len());
}

#[test]
fn what_is_written_and_read_satisfies_the_schemas() {
    let library = Library::open();
    let mut failures = Vec::new();
    for (file, instances) in SATISFIED {
        let validator = validator(file, &library).unwrap();
        let instances = instances();
        assert!(!instances.is_empty(), "nothing for {file}");
        for instance in instances {
            failures.extend(validator.iter_errors(&instance).map(|error| format!("{file}: {error} in {instance}")));
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn what_contradicts_a_schema_does_so_still() {
    let library = Library::open();
    for (file, instances, why) in CONTRADICTED {
        let validator = validator(file, &library).unwrap();
        for instance in instances() {
            assert!(!validator.is_valid(&instance), "{file} no longer says otherwise: {why}: {instance}");
        }
    }
}

#[test]
fn no_schema_is_left_out() {
    let library = Library::open();
    let mut listed = BTreeSet::new();
    let judging = JUDGING.iter().copied().flatten();
    let contradicted = CONTRADICTED.iter().map(|(file, ..)| file);
    for file in SATISFIED.iter().map(|(file, _)| file).chain(contradicted).chain(judging) {
        validator(file, &library).unwrap();
        listed.insert((*file).to_owned());
    }
    listed.extend(UNCONCERNED.iter().map(|(file, _)| (*file).to_owned()));
    listed.append(&mut library.read.lock().unwrap());
    let forgotten: Vec<_> = library.files.difference(&listed).collect();
    let vanished: Vec<_> = listed.difference(&library.files).collect();
    assert!(
        forgotten.is_empty() && vanished.is_empty(),
        "neither used nor listed: {forgotten:#?}, gone: {vanished:#?}"
    );
}
