//! The names that the library exports. A new name is a promise to users, so it is added on purpose. The names of the
//! core, a crate of its own, are not counted.

#![allow(clippy::unwrap_used, reason = "a test that cannot read the sources has failed")]

use std::{collections::BTreeSet, fs, path::Path};

/// The most names that a user can be asked to know.
const MOST: usize = 100;

/// What only the author of a store needs. These names are listed like all others, and are not counted.
const OF_STORES: [&str; 15] = [
    "engine::Change",
    "engine::Cluster",
    "engine::ClusterError",
    "engine::Commit",
    "engine::CommitError",
    "engine::Committed",
    "engine::History",
    "engine::Lease",
    "engine::LeaseError",
    "engine::LoginName",
    "engine::NewEvent",
    "engine::RecordSeal",
    "engine::StoreCopy",
    "engine::Table",
    "engine::Tenure",
];

#[test]
fn the_exported_names_are_those_on_the_list() {
    let mut names = BTreeSet::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs"), "", &mut names);
    let found: Vec<&str> = names.iter().map(String::as_str).collect();
    assert_eq!(found.join("\n"), include_str!("public_names.txt").trim_end(), "actors/tests/public_names.txt differs");
    let counted = found.iter().filter(|name| !OF_STORES.contains(name)).count();
    assert!(counted <= MOST, "{counted} names are exported to users");
}

/// Notes what the module in `file` exports, and what its public modules export. An item of a module is not indented,
/// except for a type that a macro declares.
fn collect(file: &Path, module: &str, names: &mut BTreeSet<String>) {
    let text = fs::read_to_string(file).unwrap();
    let mut is_conditional = false;
    for (place, _) in text.match_indices('\n') {
        let item = &text[place + 1..];
        let is_declared_by_macro = item.trim_start().starts_with("pub struct ");
        let item = if is_declared_by_macro { item.trim_start() } else { item };
        let Some(item) = item.strip_prefix("pub ").filter(|_| !is_conditional) else {
            is_conditional = item.starts_with("#[cfg(") || item.starts_with("#[doc(no_inline)");
            continue;
        };
        let mut words = item.split(|character: char| !character.is_alphanumeric() && character != '_');
        match (words.next().unwrap(), words.next().unwrap()) {
            ("mod", name) => collect(&file_of(file, name), &format!("{module}{name}::"), names),
            ("use", _) => {
                let path = item.split(';').next().unwrap();
                let list = path.rsplit_once("::").map_or(path, |(_, last)| last);
                let list = path.split_once('{').map_or(list, |(_, list)| list.trim_end_matches('}'));
                let name = |one: &str| one.rsplit(' ').next().unwrap().to_owned();
                let listed = list.split(',').map(str::trim).filter(|one| !one.is_empty()).map(name);
                names.extend(listed.map(|name| format!("{module}{name}")));
            }
            ("async", _) => drop(names.insert(format!("{module}{}", words.next().unwrap()))),
            (_, name) => drop(names.insert(format!("{module}{name}"))),
        }
    }
}

/// The file of the module `name` that is declared in `file`.
fn file_of(file: &Path, name: &str) -> std::path::PathBuf {
    let stem = file.file_stem().unwrap().to_str().unwrap();
    let directory = file.parent().unwrap();
    let directory = if ["lib", "mod"].contains(&stem) { directory.to_owned() } else { directory.join(stem) };
    let flat = directory.join(format!("{name}.rs"));
    if flat.exists() { flat } else { directory.join(name).join("mod.rs") }
}
