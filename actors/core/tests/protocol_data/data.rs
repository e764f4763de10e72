//! Where the data lies.

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
};

/// The data's folder.
pub(crate) fn root() -> PathBuf {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/reference/protocol-data");
    let root = env::var_os("TERTULIA_PROTOCOL_DATA").map_or(beside, PathBuf::from);
    assert!(
        root.is_dir(),
        "no protocol data at {}: set TERTULIA_PROTOCOL_DATA or leave these tests out",
        root.display()
    );
    root
}

/// The text of one file, by its name from the root.
pub(crate) fn text(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// All files below a folder, by their names from the root.
pub(crate) fn files(folder: &str) -> BTreeSet<String> {
    let mut files = BTreeSet::new();
    for entry in fs::read_dir(root().join(folder)).unwrap_or_else(|error| panic!("{folder}: {error}")) {
        let entry = entry.unwrap();
        let name = format!("{folder}/{}", entry.file_name().to_string_lossy());
        if entry.file_type().unwrap().is_dir() {
            files.append(&mut self::files(&name));
        } else {
            files.insert(name);
        }
    }
    files
}
