//! The imports between source files: no file imports a file that imports it again, directly or through others, and no
//! module of the library imports a module above it.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// The crates, and the modules in them that have no cycles. An empty name means the whole crate.
const WITHOUT_CYCLES: [(&str, &[&str]); 3] = [
    ("actors/core/src", &[""]),
    ("actors/src", &["conversation", "subscriber"]),
    ("src", &["bulk", "config", "gateway", "mcp", "webhooks"]),
];

/// The modules of the library from the top down. A module imports modules of its own layer and of the layers below.
const LAYERS: [&[&str]; 8] = [
    &["builder", "fleet", "handle", "intake", "tertulia"],
    &["connection"],
    &["conversation", "files"],
    &["log"],
    &["subscriber"],
    &["request"],
    &["platform"],
    &["dead_letters", "engine", "metrics", "supervision"],
];

#[test]
fn no_files_import_each_other_in_a_cycle() {
    let mut cycles = String::new();
    for (source, modules) in WITHOUT_CYCLES {
        let is_looked_at = |file: &str| modules.iter().any(|module| is_in(file, module));
        let mut imports = Crate::read(source).imports();
        imports.retain(|(from, to), _| is_looked_at(from) && is_looked_at(to));
        let mut imported: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (from, to) in imports.keys() {
            imported.entry(from).or_default().push(to);
        }
        for ((from, to), names) in imports.iter().filter(|((from, to), _)| leads_to(to, from, &imported)) {
            cycles += &format!("{source}: {from} takes {names:?} from {to}\n");
        }
    }
    assert!(cycles.is_empty(), "files that import each other:\n{cycles}");
}

#[test]
fn no_module_imports_a_module_above_it() {
    let imports = Crate::read("actors/src").imports();
    let layer_of = |file: &str| LAYERS.iter().position(|layer| layer.iter().any(|module| is_in(file, module)));
    let is_up = |from: &str, to: &str| layer_of(from).zip(layer_of(to)).is_some_and(|(from, to)| to < from);
    let mut up = String::new();
    for ((from, to), names) in imports.iter().filter(|((from, to), _)| is_up(from, to)) {
        up += &format!("{from} takes {names:?} from {to}\n");
    }
    assert!(up.is_empty(), "imports from above:\n{up}");
}

/// The names that one file takes from another.
type Imports = BTreeMap<(String, String), BTreeSet<String>>;

/// The files of a crate by their module, such as `conversation::outbox`. The root is the empty name.
struct Crate(BTreeMap<String, File>);

struct File {
    paths: Vec<CodePath>,
    /// The words outside `use` and `mod` items.
    words: BTreeSet<String>,
}

/// A path in the code, such as `super::outbox::Waiting`.
struct CodePath {
    segments: Vec<String>,
    stands_in: Statement,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Statement {
    PubUse,
    Use,
    Other,
}

impl Crate {
    fn read(source: &str) -> Self {
        let mut files = BTreeMap::new();
        let mut waiting = vec![(String::new(), Path::new(env!("CARGO_MANIFEST_DIR")).join(source).join("lib.rs"))];
        while let Some((module, path)) = waiting.pop() {
            let code = without_tests(&fs::read_to_string(&path).unwrap());
            let is_root_of_folder = path.ends_with("lib.rs") || path.ends_with("mod.rs");
            let folder = if is_root_of_folder { path.parent().unwrap().to_owned() } else { path.with_extension("") };
            let children: Vec<&str> = code.lines().filter_map(declared_module).collect();
            waiting.extend(children.iter().map(|child| (below(&module, child), file_of(&folder, child))));
            files.insert(module, File::read(&code, &children));
        }
        Self(files)
    }

    fn imports(&self) -> Imports {
        let mut imports = Imports::new();
        for (module, file) in &self.0 {
            for CodePath { segments, stands_in } in &file.paths {
                let (definer, name) = self.definition(module, segments);
                let is_only_passed_on = *stands_in == Statement::PubUse && !file.words.contains(&name);
                if definer != *module && !is_only_passed_on {
                    imports.entry((module.clone(), definer)).or_default().insert(name);
                }
            }
        }
        imports
    }

    /// The module that defines what a path in `module` names, and the name there.
    fn definition(&self, module: &str, path: &[String]) -> (String, String) {
        let mut at = module.to_owned();
        for name in path {
            match name.as_str() {
                "crate" => at.clear(),
                "super" => at = at.rsplit_once("::").map(|(parent, _)| parent.to_owned()).unwrap_or_default(),
                "self" => {}
                child if self.0.contains_key(&below(&at, child)) => at = below(&at, child),
                name => {
                    let uses = self.0[&at].paths.iter().filter(|path| path.stands_in != Statement::Other);
                    let passed_on = uses.map(|path| &path.segments).find(|path| path.last().unwrap() == name);
                    return match passed_on.filter(|_| at != module) {
                        Some(passed_on) => self.definition(&at, passed_on),
                        None => (at, name.to_owned()),
                    };
                }
            }
        }
        (at, path.last().unwrap().clone())
    }
}

impl File {
    /// Reads the paths that begin at the crate, near the module or at one of its children.
    fn read(code: &str, children: &[&str]) -> Self {
        let is_own = |name: &str| ["crate", "super", "self"].contains(&name) || children.contains(&name);
        let mut paths = Vec::new();
        let mut rest = String::new();
        let mut lines = code.lines();
        while let Some(line) = lines.next() {
            let item = without_visibility(line);
            let Some(first) = item.strip_prefix("use ") else {
                rest.extend(declared_module(line).is_none().then_some([line, "\n"]).into_iter().flatten());
                continue;
            };
            let mut tree = first.to_owned();
            while !tree.ends_with(';') {
                tree += lines.next().unwrap().trim();
            }
            let stands_in = if item == line.trim_start() { Statement::Use } else { Statement::PubUse };
            let leaves = leaves("", tree.trim_end_matches(';')).into_iter().filter(|path| is_own(&path[0]));
            paths.extend(leaves.map(|segments| CodePath { segments, stands_in }));
        }
        let imported = without_scopes(&rest);
        for path in imported.split(|letter: char| !is_of_word(letter) && letter != ':') {
            let segments: Vec<String> = path.split("::").map(str::to_owned).collect();
            if segments.len() > 1 && is_own(&segments[0]) {
                paths.push(CodePath { segments, stands_in: Statement::Other });
            }
        }
        let words = rest.split(|letter: char| !is_of_word(letter)).map(str::to_owned).collect();
        Self { paths, words }
    }
}

/// Whether `from` imports `to`, directly or through others.
fn leads_to(from: &str, to: &str, imported: &BTreeMap<&str, Vec<&str>>) -> bool {
    let (mut reached, mut waiting) = (BTreeSet::from([from]), vec![from]);
    while let Some(file) = waiting.pop() {
        let next = imported.get(file).into_iter().flatten().copied();
        waiting.extend(next.filter(|next| reached.insert(next)));
    }
    reached.contains(to)
}

/// The code without comments and without the items that only tests have.
fn without_tests(text: &str) -> String {
    let mut code = String::new();
    let mut lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    while let Some(line) = lines.next() {
        if line.trim() != "#[cfg(test)]" {
            code.extend([line, "\n"]);
            continue;
        }
        let item = lines.by_ref().find(|line| !line.trim_start().starts_with("#[")).unwrap();
        if !item.ends_with([';', ',']) {
            let indent = item.len() - item.trim_start().len();
            lines.by_ref().find(|line| line.get(indent..).is_some_and(|rest| rest.starts_with('}'))).unwrap();
        }
    }
    code
}

/// The paths in a tree such as `super::{Directory, outbox::{Reply, Waiting}}`.
fn leaves(stem: &str, tree: &str) -> Vec<Vec<String>> {
    let Some((head, branches)) = tree.split_once('{') else {
        let path = format!("{stem}{tree}");
        let path = path.split_once(" as ").map_or(&*path, |(path, _)| path);
        return vec![path.split("::").map(|segment| segment.trim().to_owned()).collect()];
    };
    let stem = format!("{stem}{head}");
    let mut depth = 0;
    let branches = branches.trim_end().strip_suffix('}').unwrap().split(|letter| {
        depth += i32::from(letter == '{') - i32::from(letter == '}');
        depth == 0 && letter == ','
    });
    branches.filter(|branch| !branch.trim().is_empty()).flat_map(|branch| leaves(&stem, branch.trim())).collect()
}

fn declared_module(line: &str) -> Option<&str> {
    without_visibility(line).strip_prefix("mod ")?.strip_suffix(';')
}

/// The line without `pub` or `pub(…)` before it.
fn without_visibility(line: &str) -> &str {
    let line = line.trim_start();
    match line.strip_prefix("pub(").and_then(|rest| rest.split_once(") ")) {
        Some((_, item)) => item,
        None => line.strip_prefix("pub ").unwrap_or(line),
    }
}

/// The code without the `in crate::gateway` of `pub(in crate::gateway)`, which imports nothing.
fn without_scopes(code: &str) -> String {
    let mut pieces = code.split("pub(in ");
    let first = pieces.next().unwrap().to_owned();
    pieces.fold(first, |code, piece| code + "pub(" + piece.split_once(')').unwrap().1)
}

fn file_of(folder: &Path, module: &str) -> PathBuf {
    let file = folder.join(module).with_extension("rs");
    if file.exists() { file } else { folder.join(module).join("mod.rs") }
}

fn below(module: &str, child: &str) -> String {
    if module.is_empty() { child.to_owned() } else { format!("{module}::{child}") }
}

fn is_in(file: &str, module: &str) -> bool {
    module.is_empty() || file.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

fn is_of_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}
