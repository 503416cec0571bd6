//! Rules about the shape of the code, held by a machine because a rule that nobody checks is a wish.
//!
//! Layers, budgets, module documentation, dead files, and words that have no place where they stand.
#![expect(clippy::disallowed_methods, reason = "the sources are files")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Who may use whom inside the broker: a module, and the modules whose `crate::` paths it may name. Each row uses only
/// rows above it.
const LAYERS: &[(&str, &[&str])] = &[
    ("memory", &[]),
    ("table", &[]),
    ("model", &[]),
    ("clock", &["model"]),
    ("auth", &["model"]),
    ("selector", &["model"]),
    ("calendar", &["model"]),
    ("router", &["table", "model"]),
    ("destination", &["memory", "table", "model"]),
    ("scheduler", &["model"]),
    ("jobs", &["table", "model"]),
    ("dispatcher", &["model", "destination"]),
    ("journal", &["model"]),
    ("stomp", &["model", "auth", "selector", "calendar"]),
    (
        "engine",
        &["memory", "table", "model", "clock", "calendar", "router", "destination", "dispatcher", "scheduler", "jobs"],
    ),
    ("transport", &["model"]),
    ("connection", &["memory", "model", "clock", "auth", "engine", "stomp", "transport"]),
    ("config", &["model", "auth", "selector", "destination", "engine", "journal", "stomp", "transport", "connection"]),
    ("server", &["*"]),
    ("args", &["config"]),
    ("logging", &["config"]),
    ("command", &["args", "config", "auth", "logging"]),
    ("main", &["*"]),
    ("lib", &["*"]),
];

/// Outside crates that a module may name. Whatever is not listed here anybody may use.
const CRATES: &[(&str, &[&str])] = &[
    ("kolejka_codec", &["stomp", "connection", "config", "command", "server"]),
    ("tokio", &["memory", "engine", "transport", "connection", "server", "command", "main"]),
    ("tokio_util", &["connection", "server", "transport"]),
    ("rustls", &["transport", "server"]),
    ("tokio_rustls", &["transport"]),
    ("tokio_tungstenite", &["transport"]),
    ("rustix", &["journal", "transport", "server", "command"]),
    ("argon2", &["auth"]),
    ("nom", &["selector"]),
    ("croner", &["calendar"]),
    ("serde", &["config", "command", "jobs"]),
    ("toml", &["config", "command"]),
    ("clap", &["args", "main", "command"]),
    ("miette", &["main", "command", "config"]),
];

/// Files that may wait or start something: the shells. Everywhere else `async`, `.await` and `tokio::` do not occur.
const SHELLS: &[&str] = &[
    "memory/line.rs",
    "engine/handle.rs",
    "engine/driver.rs",
    "engine/inbox.rs",
    "connection/",
    "transport/",
    "server/",
    "server.rs",
    "command/",
    "main.rs",
];

/// Production lines of a file, and of a function.
const FILE_LINES: usize = 400;
const FUNCTION_LINES: usize = 70;

/// Who may be longer, and why.
const LONGER: &[(&str, usize, &str)] = &[];

/// Capped documents, with their most lines.
const DOCUMENTS: &[(&str, usize)] = &[("README.md", 200), ("ARCHITECTURE.md", 300)];

struct Source {
    /// Path from the root of the repository.
    path: String,
    text: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

fn sources(under: &str) -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(under)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else if entry.extension().is_some_and(|extension| extension == "rs") {
                let path = entry.strip_prefix(root()).expect("below the root").to_string_lossy().into_owned();
                found.push(Source { path, text: fs::read_to_string(&entry).expect("a readable file") });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(!found.is_empty(), "no sources under {under}");
    found
}

impl Source {
    /// Tests may do what the code may not.
    fn is_test(&self) -> bool {
        self.path.contains("/tests") || self.path.ends_with("tests.rs")
    }

    /// Lines without what stands in a string of documentation or a comment.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(at, line)| (at + 1, line)).filter(|(_, line)| {
            let line = line.trim_start();
            !line.starts_with("//")
        })
    }

    fn broker_module(&self) -> Option<&str> {
        let inside = self.path.strip_prefix("broker/src/")?;
        Some(inside.split('/').next()?.trim_end_matches(".rs"))
    }
}

fn report(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// Names that follow `prefix` in a line, up to what ends a path segment.
fn names_after<'a>(line: &'a str, prefix: &str) -> Vec<&'a str> {
    let mut names = Vec::new();
    let mut rest = line;
    while let Some(at) = rest.find(prefix) {
        let before = rest[..at].chars().next_back();
        rest = &rest[at + prefix.len()..];
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$') {
            continue;
        }
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        names.push(&rest[..end]);
    }
    names
}

#[test]
fn modules_use_only_what_is_above_them() {
    let mut faults = Vec::new();
    for source in sources("broker/src") {
        let module = source.broker_module().expect("a module of the broker").to_owned();
        let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == module) else {
            faults.push(format!("{}: `{module}` has no row in the table of layers", source.path));
            continue;
        };
        for (line, code) in source.code() {
            if code.contains("crate::{") {
                faults.push(format!("{}:{line}: one module per `use` line, no groups", source.path));
            }
            for name in names_after(code, "crate::") {
                let known = LAYERS.iter().any(|(layer, _)| *layer == name);
                if known && name != module && !allowed.contains(&name) && !allowed.contains(&"*") {
                    faults.push(format!("{}:{line}: `{module}` may not use `{name}`", source.path));
                }
            }
        }
    }
    report(&faults);
}

#[test]
fn outside_crates_stay_in_their_rooms() {
    let mut faults = Vec::new();
    for source in sources("broker/src").iter().filter(|source| !source.is_test()) {
        let module = source.broker_module().expect("a module of the broker");
        for (krate, rooms) in CRATES {
            for (line, code) in source.code() {
                let named =
                    names_after(code, &format!("{krate}::")).len() + names_after(code, &format!("use {krate}")).len();
                if named > 0 && !rooms.contains(&module) {
                    faults.push(format!("{}:{line}: `{module}` may not name `{krate}`", source.path));
                }
            }
        }
    }
    report(&faults);
}

#[test]
fn only_the_shells_wait() {
    let mut faults = Vec::new();
    for source in sources("broker/src").iter().filter(|source| !source.is_test()) {
        let inside = source.path.trim_start_matches("broker/src/");
        if SHELLS.iter().any(|shell| inside.starts_with(shell)) {
            continue;
        }
        for (line, code) in source.code() {
            for word in ["async ", ".await", "tokio::", "Instant::now", "SystemTime::now", "thread::sleep"] {
                let clock = inside == "clock.rs" && word.ends_with("::now");
                if code.contains(word) && !clock {
                    faults.push(format!("{}:{line}: `{}` outside the shells", source.path, word.trim()));
                }
            }
        }
    }
    report(&faults);
}

#[test]
fn files_and_functions_keep_their_budgets() {
    let mut faults = Vec::new();
    let mut used = BTreeSet::new();
    for source in [sources("broker/src"), sources("codec/src")].iter().flatten().filter(|source| !source.is_test()) {
        let mut check = |what: &str, lines: usize, limit: usize| {
            let longer = LONGER.iter().find(|(name, most, _)| *name == what && lines <= *most);
            if lines > limit && longer.is_none() {
                faults.push(format!("{what}: {lines} lines, the budget is {limit}"));
            }
            used.extend(longer.filter(|_| lines > limit).map(|(name, ..)| *name));
        };
        let production = source.text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        check(&source.path, production.lines().count(), FILE_LINES);
        for (name, lines) in functions(production) {
            check(&format!("{} {name}", source.path), lines, FUNCTION_LINES);
        }
    }
    for (name, _, reason) in LONGER {
        assert!(!reason.is_empty(), "{name} needs a reason");
        if !used.contains(name) {
            faults.push(format!("{name} is in the list of exceptions and needs none"));
        }
    }
    report(&faults);
}

/// Names and lengths of functions, by indentation: rustfmt makes that exact.
fn functions(text: &str) -> Vec<(&str, usize)> {
    let mut found = Vec::new();
    let mut open: Option<(&str, usize, String)> = None;
    for (at, line) in text.lines().enumerate() {
        let indent = &line[..line.len() - line.trim_start().len()];
        if let Some((name, start, end)) = &open
            && line == end
        {
            found.push((*name, at - start + 1));
            open = None;
        }
        // A declaration without a body ends where its signature does.
        if open.as_ref().is_some_and(|(_, start, _)| text_between(text, *start, at).ends_with(';')) {
            open = None;
        }
        if open.is_none() && !line.trim_start().starts_with("//") && !line.trim_end().ends_with(';') {
            let name = line.split_once("fn ").and_then(|(before, after)| {
                let plain = before.chars().all(|c| c.is_alphabetic() || " ()_".contains(c));
                plain.then(|| after.split(['(', '<']).next().unwrap_or_default())
            });
            if let Some(name) = name.filter(|_| !line.trim_end().ends_with('}')) {
                open = Some((name, at, format!("{indent}}}")));
            }
        }
    }
    found
}

/// Lines of a signature so far, if no body has begun in them.
fn text_between(text: &str, start: usize, end: usize) -> &str {
    let begin: usize = text.lines().take(start).map(|line| line.len() + 1).sum();
    let length: usize = text.lines().skip(start).take(end - start + 1).map(|line| line.len() + 1).sum();
    let part = &text[begin..(begin + length).min(text.len())];
    if part.contains('{') { "" } else { part.trim_end() }
}

#[test]
fn every_file_says_what_it_is_for() {
    let mut faults = Vec::new();
    for folder in ["broker", "codec/src", "examples", "tests"] {
        for source in sources(folder) {
            if !source.text.starts_with("//!") {
                faults.push(format!("{}: begins without a `//!` comment", source.path));
            }
        }
    }
    report(&faults);
}

#[test]
fn every_file_is_declared_by_its_parent() {
    let mut faults = Vec::new();
    for source in [sources("broker/src"), sources("codec/src")].into_iter().flatten() {
        let path = Path::new(&source.path);
        let stem = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let folder = path.parent().expect("a folder");
        let (name, parents) = match stem.as_str() {
            "lib" | "main" => continue,
            "mod" => {
                let above = folder.parent().expect("a folder");
                (folder.file_name().expect("a name").to_string_lossy().into_owned(), above)
            }
            _ => (stem, folder),
        };
        let declared = ["mod.rs", "lib.rs", "main.rs"].iter().any(|parent| {
            let text = fs::read_to_string(root().join(parents).join(parent)).unwrap_or_default();
            text.lines().any(|line| line.trim_end_matches(';').ends_with(&format!("mod {name}")))
        }) || fs::read_to_string(root().join(parents).with_extension("rs"))
            .is_ok_and(|text| text.lines().any(|line| line.trim_end_matches(';').ends_with(&format!("mod {name}"))));
        if !declared {
            faults.push(format!("{}: nobody declares it", source.path));
        }
    }
    report(&faults);
}

#[test]
fn names_say_something() {
    let mut faults = Vec::new();
    for source in [sources("broker/src"), sources("codec/src"), sources("tests")].into_iter().flatten() {
        for part in source.path.trim_end_matches(".rs").split('/') {
            if ["util", "utils", "common", "helpers", "helper", "misc", "types"].contains(&part) {
                faults.push(format!("{}: `{part}` says nothing", source.path));
            }
        }
    }
    report(&faults);
}

#[test]
fn nothing_is_left_behind() {
    let mut faults = Vec::new();
    for folder in ["broker", "codec", "examples", "tests"] {
        for source in sources(folder).iter().filter(|source| !source.path.contains("/target/")) {
            if source.path == "tests/tidy.rs" {
                continue;
            }
            for (line, code) in source.code() {
                for word in ["todo!(", "unimplemented!(", "dbg!(", "#[ignore", "FIXME", "XXX"] {
                    if code.contains(word) {
                        faults.push(format!("{}:{line}: {word}", source.path));
                    }
                }
                let sleeps = code.contains("thread::sleep") || code.contains("time::sleep(");
                if sleeps && source.is_test() {
                    faults.push(format!("{}:{line}: a test waits for a thing, not for a time", source.path));
                }
            }
        }
    }
    report(&faults);
}

#[test]
fn the_lexicon_knows_the_words_of_the_model() {
    let lexicon = fs::read_to_string(root().join("docs/lexicon.md")).expect("docs/lexicon.md");
    let mut faults = Vec::new();
    for source in sources("broker/src/model").iter().filter(|source| !source.is_test()) {
        for (_, code) in source.code() {
            let declared = ["pub struct ", "pub enum ", "pub trait "].iter().find_map(|kind| code.strip_prefix(*kind));
            if let Some(name) = declared.and_then(|rest| rest.split(|c: char| !c.is_alphanumeric()).next())
                && !lexicon.contains(&format!("`{name}`"))
            {
                faults.push(format!("docs/lexicon.md has no line for `{name}` of {}", source.path));
            }
        }
    }
    report(&faults);
}

#[test]
fn tests_named_in_documents_are_there() {
    let inside = [sources("broker/src"), sources("codec")].into_iter().flatten().filter(Source::is_test);
    let files: Vec<_> = inside.chain(sources("tests")).collect();
    let mut faults = Vec::new();
    for document in ["docs/stomp-conformance.md", "docs/compatibility.md"] {
        let text = fs::read_to_string(root().join(document)).expect("a document");
        let mut named = 0;
        for word in text.split('`') {
            match is_there(word, &files) {
                None => continue,
                Some(true) => {}
                Some(false) => faults.push(format!("{document}: there is no test `{word}`")),
            }
            named += 1;
        }
        assert!(named > 50, "only {named} tests are named in {document}");
    }
    report(&faults);
}

/// Whether a test is there that is named `file::function`, `file.py::function`, by its transcript `name.stomp`, or by its
/// file. `None` for what names no test.
fn is_there(word: &str, files: &[Source]) -> Option<bool> {
    let plain = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || "_./".contains(c));
    let holds = |path: &Path, text: &str| fs::read_to_string(path).is_ok_and(|source| source.contains(text));
    match word.split_once("::") {
        Some((file, name)) if !plain(file) || !plain(name) || name.contains(['.', '/']) => None,
        Some((file, name)) if file.rsplit_once('.').is_some_and(|(_, end)| end == "py") => {
            Some(scripts().iter().any(|path| path.ends_with(file) && holds(path, &format!("def {name}("))))
        }
        Some((file, name)) if !file.contains(['.', '/']) => {
            let stem = |source: &&Source| Path::new(&source.path).file_stem().is_some_and(|stem| stem == file);
            let place = |source: &&Source| stem(source) || source.path.contains(&format!("/{file}/tests"));
            Some(files.iter().filter(place).any(|source| source.text.contains(&format!("fn {name}("))))
        }
        None if plain(word) => match word.rsplit_once('.') {
            Some((stem, "stomp")) if !stem.is_empty() => Some(root().join("tests/transcripts").join(word).is_file()),
            Some((stem, "py" | "php" | "js")) if !stem.is_empty() => {
                Some(scripts().iter().any(|path| path.ends_with(word)))
            }
            _ => None,
        },
        _ => None,
    }
}

/// Tests and examples that are not written in Rust.
fn scripts() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join("tests"), root().join("examples")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            if entry.is_dir() && !entry.ends_with("node_modules") {
                folders.push(entry);
            } else if entry.extension().is_some_and(|extension| ["py", "php", "js"].iter().any(|end| extension == *end))
            {
                found.push(entry);
            }
        }
    }
    found
}

#[test]
fn the_table_of_compatibility_is_whole() {
    let text = fs::read_to_string(root().join("docs/compatibility.md")).expect("docs/compatibility.md");
    let files: Vec<_> = [sources("broker/src"), sources("codec"), sources("tests")].into_iter().flatten().collect();
    let wanted = (1..=118).map(|row| row.to_string()).chain((1..=43).map(|row| format!("J{row}")));
    let rows = text.lines().filter_map(|line| line.strip_prefix("| ")).filter(|row| !row.starts_with('#'));
    let rows: Vec<Vec<_>> = rows.map(|row| row.trim_end_matches(" |").split(" | ").map(str::trim).collect()).collect();
    let numbers: Vec<_> = rows.iter().map(|cells| cells[0].to_owned()).collect();
    assert_eq!(numbers, wanted.collect::<Vec<_>>(), "rows are missing or out of order");
    let mut faults = Vec::new();
    for cells in rows {
        let verdict = cells.iter().position(|cell| ["yes", "partly", "no"].contains(cell));
        let Some(rest) = verdict.map(|at| &cells[at..]) else {
            faults.push(format!("row {}: neither yes nor partly nor no", cells[0]));
            continue;
        };
        let (how, proof) = (rest.get(1).copied().unwrap_or(""), rest.get(2).copied().unwrap_or(""));
        let tested = proof.split('`').any(|word| is_there(word, &files) == Some(true));
        match rest[0] {
            "no" if how.is_empty() && proof.is_empty() => faults.push(format!("row {}: no, and no reason", cells[0])),
            "yes" | "partly" if how.is_empty() => faults.push(format!("row {}: does not say how", cells[0])),
            "yes" | "partly" if !tested => faults.push(format!("row {}: no test holds it", cells[0])),
            _ => {}
        }
    }
    report(&faults);
}

#[test]
fn every_limit_names_a_test_that_is_there() {
    let text = fs::read_to_string(root().join("docs/limits.md")).expect("docs/limits.md");
    let files: Vec<_> = [sources("broker"), sources("codec"), sources("tests")].into_iter().flatten().collect();
    let functions: BTreeSet<&str> =
        files.iter().flat_map(|source| source.text.split("fn ").skip(1)).filter_map(name).collect();
    let python: Vec<String> = scripts().iter().filter_map(|path| fs::read_to_string(path).ok()).collect();
    let methods: BTreeSet<&str> = python.iter().flat_map(|text| text.split("def ").skip(1)).filter_map(name).collect();
    let (mut rows, mut faults) = (0, Vec::new());
    for row in text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| what is bounded |")) {
        let cells: Vec<_> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let (bounded, tests) = (cells[0], cells.last().copied().unwrap_or_default());
        let names = tests.split('`').skip(1).step_by(2).filter(|word| !word.contains(' '));
        let mut is_tested = false;
        for word in names {
            let function = word.rsplit("::").next().unwrap_or(word);
            let is_there = functions.contains(function)
                || methods.contains(function)
                || is_there(word, &files).unwrap_or(false)
                || root().join("tests/transcripts").join(word).is_file();
            if !is_there {
                faults.push(format!("docs/limits.md: there is no test `{word}`"));
            }
            is_tested |= is_there;
        }
        if cells.len() != 5 || !is_tested {
            faults.push(format!("docs/limits.md: no test tries to break the bound of `{bounded}`"));
        }
        rows += 1;
    }
    assert!(rows > 40, "only {rows} bounds are in docs/limits.md");
    report(&faults);
}

/// The name that a definition begins with.
fn name(definition: &str) -> Option<&str> {
    definition.split_once('(').map(|(name, _)| name)
}

#[test]
fn documents_stay_short() {
    let mut faults = Vec::new();
    for (path, most) in DOCUMENTS {
        let lines = fs::read_to_string(root().join(path)).map_or(usize::MAX, |text| text.lines().count());
        if lines > *most {
            faults.push(format!("{path}: {lines} lines, the cap is {most}, or it is missing"));
        }
    }
    report(&faults);
}
