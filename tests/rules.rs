//! Every rule of the reference has a test that cites its id, in its name (`cv_n2_…`) or its words (`CV-N2`).

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The rules by their prefixes, with the first and the last number of each.
const RULES: [(&str, u32, u32); 21] = [
    ("CV-M", 1, 11),
    ("CV-F", 1, 16),
    ("CV-E", 1, 12),
    ("CV-I", 1, 4),
    ("CV-N", 1, 10),
    ("CV-P", 1, 2),
    ("DG-N", 1, 10),
    ("MS-", 1, 11),
    ("TR-", 1, 6),
    ("SB-", 1, 14),
    ("CN-F", 1, 19),
    ("EV-", 1, 3),
    ("RG-", 1, 5),
    // TK-7 is about listeners, which are nobody's to remove here.
    ("TK-", 1, 6),
    ("CA-", 1, 6),
    ("NT-", 1, 7),
    ("FL-", 1, 4),
    ("SR-", 1, 5),
    ("WH-", 1, 3),
    ("ER-", 1, 6),
    // The SDK's known bugs, which are to be absent.
    ("Q", 1, 18),
];

#[test]
fn every_rule_has_a_test_that_cites_it() {
    let tests = test_code(Path::new(env!("CARGO_MANIFEST_DIR")));
    let rules =
        RULES.iter().flat_map(|(prefix, first, last)| (*first..=*last).map(move |number| format!("{prefix}{number}")));
    let missing: Vec<String> = rules.filter(|rule| !cites(&tests, rule)).collect();
    assert!(missing.is_empty(), "no test cites {missing:?}");
}

fn cites(tests: &str, rule: &str) -> bool {
    let in_a_name = rule.to_lowercase().replace('-', "_");
    let without_dash = in_a_name.replacen('_', "", 1);
    [rule, &in_a_name, &without_dash].iter().any(|id| {
        tests.match_indices(*id).any(|(at, id)| !tests[at + id.len()..].starts_with(|next: char| next.is_ascii_digit()))
    })
}

/// Everything that is test code: whole files below a `tests` folder, and what follows `#[cfg(test)]` elsewhere.
fn test_code(root: &Path) -> String {
    let mut code = String::new();
    for room in ["src", "actors", "tests"] {
        for file in rust_files(&root.join(room)) {
            if file.ends_with("tests/rules.rs") {
                continue;
            }
            let text = fs::read_to_string(&file).unwrap();
            let whole = file.components().any(|part| part.as_os_str() == "tests") || file.ends_with("tests.rs");
            let from = if whole { Some(0) } else { text.find("#[cfg(test)]") };
            code.extend(from.map(|from| &text[from..]));
        }
    }
    code
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("node_modules") && !path.ends_with("target") {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}
