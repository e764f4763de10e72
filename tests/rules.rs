//! The reference in `actors/core/src/reference`: every rule has a test, every citation has an entry, every entry is
//! cited, and every citation in the documentation is a link to its entry. Nothing refers to a document outside the
//! repository.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

const REFERENCE: &str = "actors/core/src/reference";

/// What a file is to be read for.
const SOURCES: [&str; 9] = ["rs", "md", "toml", "html", "js", "mjs", "py", "yml", "json"];

/// Folders of others, and of what is built.
const FOREIGN: [&str; 6] = ["target", "node_modules", "vendor", "corpus", "artifacts", "screenshots"];

/// Documents that are not in the repository, in two parts so that this file does not name them.
const OUTSIDE: [(&str, &str); 7] = [
    ("interfaces", " §"),
    ("architecture", " §"),
    ("cluster", " §"),
    ("sdk-", "features"),
    ("wire-from", "-sdk"),
    ("conversation-", "class.md"),
    ("of the ", "reference)"),
];

#[test]
fn every_rule_has_a_test_that_cites_it() {
    let tests: String = sources().iter().filter(|file| file.is_rust()).map(Source::test_code).collect();
    let missing: Vec<_> = entries("rules").into_iter().filter(|rule| !is_cited_by_test(&tests, rule)).collect();
    assert!(missing.is_empty(), "no test cites {missing:?}");
}

#[test]
fn every_citation_has_an_entry() {
    let known = known();
    let mut unknown = Vec::new();
    for file in sources() {
        for (number, line) in file.text.lines().enumerate() {
            let mut cited: Vec<String> =
                citations(line).into_iter().map(|citation| citation.entry.to_owned()).collect();
            cited.extend(file.is_rust().then(|| id_in_name(line)).flatten());
            let lost = cited.into_iter().filter(|entry| !known.contains_key(entry));
            unknown.extend(lost.map(|entry| format!("{}:{}: {entry}", file.name(), number + 1)));
        }
    }
    assert!(unknown.is_empty(), "not in {REFERENCE}:\n{}", unknown.join("\n"));
}

#[test]
fn every_entry_is_cited() {
    let files = sources();
    let others: Vec<&Source> = files.iter().filter(|file| !file.is_reference()).collect();
    let cited: BTreeSet<&str> =
        others.iter().flat_map(|file| citations(&file.text)).map(|citation| citation.entry).collect();
    let named: BTreeSet<String> = others.iter().flat_map(|file| file.text.lines().filter_map(id_in_name)).collect();
    let idle: Vec<String> =
        known().into_keys().filter(|entry| !cited.contains(entry.as_str()) && !named.contains(entry)).collect();
    assert!(idle.is_empty(), "nothing cites {idle:?}");
}

#[test]
fn every_citation_in_the_documentation_is_a_link_to_its_entry() {
    let known = known();
    let files = sources();
    let pages = files.iter().filter(|file| file.is_rust()).flat_map(Source::pages).collect();
    let mut unlinked = Vec::new();
    for file in &files {
        for (number, line) in file.documentation(&pages) {
            for citation in citations(line).into_iter().filter(|citation| !citation.is_in_code(line)) {
                let place = known.get(citation.entry);
                if place.is_some_and(|(module, slug)| !citation.is_link(line, file, module, slug)) {
                    unlinked.push(format!("{}:{number}: {}", file.name(), citation.entry));
                }
            }
        }
    }
    assert!(unlinked.is_empty(), "no links, or links to another entry:\n{}", unlinked.join("\n"));
}

#[test]
fn no_two_entries_have_the_same_anchor() {
    for module in ["rules", "protocol"] {
        let entries = entries(module);
        let anchors: BTreeSet<String> = entries.iter().map(|entry| anchor(entry)).collect();
        assert_eq!(anchors.len(), entries.len(), "{module}");
    }
}

#[test]
fn no_source_refers_to_a_document_outside_the_repository() {
    let mut found = Vec::new();
    for file in sources() {
        for (number, line) in file.text.lines().enumerate() {
            let line = line.to_lowercase();
            let named = OUTSIDE.iter().filter(|(start, end)| line.contains(&format!("{start}{end}")));
            found.extend(named.map(|(start, end)| format!("{}:{}: {start}{end}", file.name(), number + 1)));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn every_promise_that_is_cited_is_given() {
    let files = sources();
    let sections =
        files.iter().filter_map(|file| file.text.split_once("\n## What is promised\n")).map(|(_, rows)| rows);
    let first_cells = sections.flat_map(str::lines).filter_map(|line| line.strip_prefix("| ")?.split_once(" |"));
    let given: BTreeSet<&str> = first_cells.map(|(number, _)| number).collect();
    let mut unknown = Vec::new();
    for file in &files {
        for (number, line) in file.text.lines().enumerate() {
            let lost = promises(line).into_iter().filter(|promise| !given.contains(promise));
            unknown.extend(lost.map(|promise| format!("{}:{}: promise {promise}", file.name(), number + 1)));
        }
    }
    assert!(unknown.is_empty(), "not among what is promised:\n{}", unknown.join("\n"));
}

/// The numbers in `promise 4` and `Promises 1, 2 and 4`.
fn promises(line: &str) -> Vec<&str> {
    let is_number = |word: &&str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    let words: Vec<&str> =
        line.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let named = words.iter().position(|word| ["promise", "promises"].contains(&word.to_lowercase().as_str()));
    let following = named.map_or(&[] as &[&str], |at| &words[at + 1..]);
    following.iter().copied().take_while(|word| is_number(word) || *word == "and").filter(is_number).collect()
}

/// What the ids of rules begin with, as names of functions have it.
static FAMILIES: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let family = |rule: &String| rule.split_once('-').map(|(family, _)| family.to_lowercase());
    entries("rules").iter().filter_map(family).collect()
});

/// A file of the repository.
struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    fn name(&self) -> String {
        self.path.strip_prefix(root()).unwrap().display().to_string()
    }

    fn is_rust(&self) -> bool {
        self.path.extension().is_some_and(|extension| extension == "rs")
    }

    fn is_reference(&self) -> bool {
        self.path.starts_with(root().join(REFERENCE))
    }

    /// Whether no documentation is made of the file.
    fn is_test(&self) -> bool {
        let path = self.path.strip_prefix(root()).unwrap();
        let path = path.strip_prefix("tests/emulator/src").unwrap_or(path);
        let stem = path.file_stem().unwrap().to_string_lossy();
        let is_below = path.parent().unwrap().components().any(|part| part.as_os_str() == "tests");
        is_below || stem == "tests" || stem.ends_with("_tests") || stem.ends_with("_test")
    }

    /// Where the file's module of tests begins.
    fn test_module(&self) -> usize {
        let mut from = 0;
        while let Some(at) = self.text[from..].find("#[cfg(test)]\nmod ").map(|at| from + at) {
            let declaration = self.text[at..].lines().nth(1).unwrap_or_default();
            if declaration.ends_with('{') {
                return at;
            }
            from = at + 1;
        }
        self.text.len()
    }

    /// The part of the file that is test code.
    fn test_code(&self) -> &str {
        if self.is_test() { &self.text } else { &self.text[self.test_module()..] }
    }

    /// The pages that the file makes documentation of. A README is a page of its own, tested at most.
    fn pages(&self) -> impl Iterator<Item = PathBuf> {
        let names = self.text.split("doc = include_str!(\"").skip(1).filter_map(|rest| rest.split('"').next());
        let pages = names.filter(|name| !name.ends_with("README.md")).map(|name| self.path.with_file_name(name));
        pages.filter_map(|page| page.canonicalize().ok())
    }

    /// The lines of which documentation is made, with their numbers. `pages` are the Markdown files among it.
    fn documentation(&self, pages: &BTreeSet<PathBuf>) -> Vec<(usize, &str)> {
        let is_documented = if self.is_rust() { !self.is_test() } else { pages.contains(&self.path) };
        if !is_documented {
            return Vec::new();
        }
        let text = &self.text[..if self.is_rust() { self.test_module() } else { self.text.len() }];
        let mut is_code = false;
        let mut lines = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let comment = line.trim_start();
            let content = if self.is_rust() {
                comment.strip_prefix("//!").or_else(|| comment.strip_prefix("///"))
            } else {
                Some(line).filter(|line| !line.starts_with("### ") && !line.starts_with("#### "))
            };
            let Some(content) = content else { continue };
            let is_fence = content.trim_start().starts_with("```");
            is_code ^= is_fence;
            if !is_code && !is_fence {
                lines.push((number + 1, content));
            }
        }
        lines
    }
}

/// An id of a rule or a section of the protocol in a line.
struct Citation<'a> {
    /// `CV-N6` or `§5.7`.
    entry: &'a str,
    /// Where the citation begins.
    at: usize,
    /// Where the citation ends, with the number of a step after the id.
    end: usize,
}

impl Citation<'_> {
    fn is_in_code(&self, line: &str) -> bool {
        line[..self.at].matches('`').count() % 2 == 1
    }

    fn is_link(&self, line: &str, file: &Source, module: &str, slug: &str) -> bool {
        let Some(destination) = line[self.end..].strip_prefix("](").filter(|_| line[..self.at].ends_with('[')) else {
            return false;
        };
        let path = match file.path.file_stem().unwrap().to_str().unwrap() {
            stem if file.is_reference() && stem == module => String::new(),
            _ if file.is_reference() => format!("super::{module}"),
            _ => format!("crate::{module}"),
        };
        destination.starts_with(&format!("{path}#{slug})"))
    }
}

/// Every citation in a text: ids such as `CV-F9`, `MS-1` and `Q4`, and sections such as `§5.7`, but none of an RFC.
fn citations(text: &str) -> Vec<Citation<'_>> {
    let mut found = Vec::new();
    let mut before = ' ';
    for (at, start) in text.char_indices() {
        let rest = &text[at..];
        if let Some(number) = rest.strip_prefix('§') {
            let length = '§'.len_utf8() + number_length(number);
            if !follows_rfc(&text[..at]) {
                found.push(Citation { entry: &text[at..at + length], at, end: at + length });
            }
        } else if start.is_ascii_uppercase()
            && !before.is_alphanumeric()
            && !['-', '_'].contains(&before)
            && let Some(length) = id_length(rest)
        {
            let end = at + length + step_length(&rest[length..]);
            found.push(Citation { entry: &text[at..at + length], at, end });
        }
        before = start;
    }
    found
}

/// The length of the id at the beginning of `text`, if there is one: `CV-F9`, `MS-1` or `Q4`.
fn id_length(text: &str) -> Option<usize> {
    let family = match text.as_bytes() {
        [b'Q', next, ..] if next.is_ascii_digit() => 1,
        [a, b, b'-', rest @ ..] if a.is_ascii_uppercase() && b.is_ascii_uppercase() => {
            3 + usize::from(rest.first().is_some_and(u8::is_ascii_uppercase))
        }
        _ => return None,
    };
    let digits = text[family..].bytes().take_while(u8::is_ascii_digit).count();
    let next = text[family + digits..].chars().next();
    let is_whole = !next.is_some_and(|next| next.is_alphanumeric() || ['-', '_'].contains(&next));
    (digits > 0 && digits < 3 && is_whole).then_some(family + digits)
}

/// The length of a step's number after an id, such as `.16` in `CV-N6.16`.
fn step_length(text: &str) -> usize {
    let digits = text.strip_prefix('.').map_or(0, |rest| rest.bytes().take_while(u8::is_ascii_digit).count());
    if digits > 0 { digits + 1 } else { 0 }
}

/// The length of a number such as `5` or `5.7`.
fn number_length(text: &str) -> usize {
    let whole = text.bytes().take_while(u8::is_ascii_digit).count();
    whole + step_length(&text[whole..])
}

fn follows_rfc(text: &str) -> bool {
    let mut words = text.rsplit(' ').skip(1);
    words.next().is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
        && words.next().is_some_and(|word| word.ends_with("RFC"))
}

/// The rule that a function is named after: `fn cv_n2_…` and `fn sb9_…`.
fn id_in_name(line: &str) -> Option<String> {
    let name = line.split("fn ").nth(1)?;
    let mut parts = name.split('_');
    let (family, digits) = split_number(parts.next()?);
    let is_short = family == "q" && !digits.is_empty();
    if !is_short && !FAMILIES.contains(family) {
        return None;
    }
    let (letter, number) = if digits.is_empty() { split_number(parts.next()?) } else { ("", digits) };
    let is_id = !number.is_empty() && letter.len() < 2;
    is_id.then(|| {
        let family = family.to_uppercase();
        if is_short { format!("{family}{number}") } else { format!("{family}-{}{number}", letter.to_uppercase()) }
    })
}

/// A word's letters, and the digits that end it.
fn split_number(word: &str) -> (&str, &str) {
    let letters = word.trim_end_matches(|digit: char| digit.is_ascii_digit());
    (letters, &word[letters.len()..])
}

/// Where each entry is: its module, and the anchor there.
fn known() -> BTreeMap<String, (&'static str, String)> {
    let of = |module| entries(module).into_iter().map(move |entry| (entry.clone(), (module, anchor(&entry))));
    of("rules").chain(of("protocol")).collect()
}

/// The entries of a module of the reference, which are its headings.
fn entries(module: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(REFERENCE).join(module).with_extension("md")).unwrap();
    let heading = if module == "rules" { "#### " } else { "### " };
    let entries: Vec<String> = text.lines().filter_map(|line| line.strip_prefix(heading)).map(str::to_owned).collect();
    assert!(!entries.is_empty(), "{module} has no entries");
    entries
}

/// The anchor that rustdoc gives a heading.
fn anchor(heading: &str) -> String {
    heading.to_lowercase().chars().filter(|each| each.is_ascii_alphanumeric() || *each == '-').collect()
}

fn is_cited_by_test(tests: &str, rule: &str) -> bool {
    let in_a_name = rule.to_lowercase().replace('-', "_");
    let without_dash = in_a_name.replacen('_', "", 1);
    [rule, &in_a_name, &without_dash].iter().any(|id| {
        tests.match_indices(*id).any(|(at, id)| !tests[at + id.len()..].starts_with(|next: char| next.is_ascii_digit()))
    })
}

fn root() -> &'static Path {
    static ROOT: LazyLock<PathBuf> = LazyLock::new(|| Path::new(env!("CARGO_MANIFEST_DIR")).canonicalize().unwrap());
    &ROOT
}

fn sources() -> Vec<Source> {
    let mut files = Vec::new();
    collect(root(), &mut files);
    files
}

fn collect(folder: &Path, files: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        if path.is_dir() {
            if !name.starts_with('.') && !FOREIGN.contains(&name.as_str()) {
                collect(&path, files);
            }
        } else if SOURCES.contains(&extension) && name != "package-lock.json" && !path.ends_with("tests/rules.rs") {
            files.extend(fs::read_to_string(&path).ok().map(|text| Source { path, text }));
        }
    }
}
