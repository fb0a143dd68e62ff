//! The repository checks itself: import arrows, paths in documents, sizes, first lines.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on has to fail")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

#[path = "tidy/contracts.rs"]
mod contracts;
#[path = "tidy/pages.rs"]
mod pages;
#[path = "tidy/words.rs"]
mod words;

const LONGEST_FILE: usize = 600;

/// Which top-level modules each of them may name (docs/ARCHITECTURE.md explains the picture).
const ARROWS: &[(&str, &[&str])] = &[
    ("main", &["cli"]),
    ("lib", &[]),
    ("domain", &[]),
    ("clock", &["domain"]),
    ("config", &[]),
    ("telemetry", &[]),
    ("metrics", &[]),
    ("store", &["clock", "domain", "metrics"]),
    ("search", &["clock", "domain", "store"]),
    ("auth", &["clock", "domain"]),
    ("service", &["auth", "clock", "domain", "metrics", "search", "store"]),
    ("generate", &["domain", "service"]),
    ("jobs", &["domain", "notify", "service", "store"]),
    ("notify", &["clock", "domain", "store"]),
    ("control", &["auth", "domain", "generate", "service"]),
    ("http", &["domain", "metrics", "service", "telemetry"]),
    ("web", &["domain", "http", "service"]),
    (
        "server",
        &["control", "clock", "config", "domain", "http", "jobs", "notify", "search", "service", "store", "web"],
    ),
    ("cli", &["control", "clock", "config", "http", "server", "telemetry"]),
];

/// Who alone may name a crate.
const CRATES: &[(&str, &[&str])] = &[
    ("redb", &["store"]),
    ("postcard", &["store"]),
    ("tantivy", &["search"]),
    ("argon2", &["auth"]),
    ("clap", &["cli"]),
    ("toml", &["config"]),
    ("utoipa", &["http"]),
    ("axum", &["http", "server", "web"]),
    ("askama", &["web"]),
    ("rust_embed", &["web"]),
    ("anyhow", &["cli", "server"]),
    ("lettre", &["notify"]),
    ("minijinja", &["notify"]),
    ("reqwest", &["notify"]),
    ("prometheus_client", &["http"]),
    ("tikv_jemallocator", &["main"]),
];

#[test]
fn modules_name_only_what_lies_below_them() {
    let allowed: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    let mut wrong = Vec::new();
    for (path, text) in product_files() {
        let module = top_module(&path);
        let may = allowed.get(module.as_str()).unwrap_or_else(|| panic!("no arrows are given for module {module}"));
        for named in crate_paths(&code_of(&text)) {
            if named != module && allowed.contains_key(named.as_str()) && !may.contains(&named.as_str()) {
                wrong.push(format!("{}: {module} must not name {named}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn crates_are_named_where_they_belong() {
    let mut wrong = Vec::new();
    for (path, text) in product_files() {
        let (module, code) = (top_module(&path), code_of(&text));
        for (name, homes) in CRATES {
            if !homes.contains(&module.as_str()) && names_crate(&code, name) {
                wrong.push(format!("{}: {name} belongs into {homes:?}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A route names its action (`http::routes`), or is in a document (`routes!`): tests list both.
#[test]
fn routes_are_made_in_one_way() {
    let makes_routes = |(path, text): &(PathBuf, String)| {
        path != Path::new("src/http/routes.rs") && ["routing::", "routing,"].iter().any(|it| code_of(text).contains(it))
    };
    let wrong: Vec<PathBuf> = product_files().into_iter().filter(makes_routes).map(|(path, _)| path).collect();
    assert!(wrong.is_empty(), "these name axum's routing: {wrong:?}");
}

#[test]
fn files_are_of_a_size_to_be_read() {
    let long: Vec<String> = rust_files()
        .into_iter()
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > LONGEST_FILE)
        .map(|(path, lines)| format!("{}: {lines} lines", path.display()))
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn every_file_says_first_what_it_is_about() {
    let silent: Vec<String> = rust_files()
        .into_iter()
        .filter(|(_, text)| !text.starts_with("//! "))
        .map(|(path, _)| path.display().to_string())
        .collect();
    assert!(silent.is_empty(), "no //! on the first line: {}", silent.join(", "));
}

#[test]
fn documents_name_only_what_is_there() {
    let mut missing = Vec::new();
    for document in documents() {
        let text = fs::read_to_string(&document).unwrap();
        for named in paths_in(&text) {
            if !root().join(&named).exists() && !document.parent().unwrap().join(&named).exists() {
                missing.push(format!("{}: {named}", document.display()));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Relative to the root, in order.
fn rust_files() -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    for top in ["src", "tests", "benches"] {
        collect(&root().join(top), &mut files);
    }
    files.sort();
    files
}

fn product_files() -> Vec<(PathBuf, String)> {
    rust_files().into_iter().filter(|(path, _)| path.starts_with("src")).collect()
}

fn collect(directory: &Path, files: &mut Vec<(PathBuf, String)>) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push((path.strip_prefix(root()).unwrap().to_owned(), fs::read_to_string(&path).unwrap()));
        }
    }
}

/// `src/http/body.rs` and `src/http.rs` belong to `http`.
fn top_module(path: &Path) -> String {
    let first = path.iter().nth(1).unwrap().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

/// Without comments, and without unit tests, which stand at the end and may look around.
fn code_of(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod ").next().unwrap();
    code.lines().map(|line| line.split("//").next().unwrap()).collect::<Vec<_>>().join("\n")
}

/// The first segments after `crate::`, also within braces.
fn crate_paths(code: &str) -> Vec<String> {
    let mut named = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(group) => named.extend(first_segments(group)),
            None => named.push(identifier(rest)),
        }
    }
    named
}

/// Of `a::{b, c}, d::e}`: a, d.
fn first_segments(group: &str) -> Vec<String> {
    let mut named = Vec::new();
    let (mut depth, mut at_start) = (0, true);
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => at_start = true,
            _ if at_start && !character.is_whitespace() => {
                named.push(identifier(&group[at..]));
                at_start = false;
            }
            _ => {}
        }
    }
    named
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

fn names_crate(code: &str, name: &str) -> bool {
    let path = format!("{name}::");
    let plain = format!("use {name};");
    code.contains(&plain)
        || code.match_indices(&path).any(|(at, _)| {
            !code[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_' || before == ':')
        })
}

fn documents() -> Vec<PathBuf> {
    let folders = ["docs", "docs/contract", "docs/decisions"].map(|folder| root().join(folder));
    let files = folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap()).map(|entry| entry.unwrap().path());
    let documents = files.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    std::iter::once(root().join("README.md")).chain(documents).collect()
}

/// What stands in backticks or is linked to, and looks like a path within the repository.
fn paths_in(text: &str) -> Vec<String> {
    const TOPS: &[&str] = &["src/", "tests/", "docs/", "packaging/", ".ci/", "web/", "assets/"];
    let quoted = text.split('`').skip(1).step_by(2);
    let linked = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    quoted
        .flat_map(|code| code.split_whitespace())
        .chain(linked)
        .map(|word| word.trim_end_matches([',', '.', ';']))
        .filter(|word| !word.contains(['*', '<', '{', '$']) && !word.contains("://") && !word.starts_with('#'))
        .filter(|word| {
            TOPS.iter().any(|top| word.starts_with(top)) || Path::new(word).extension() == Some("md".as_ref())
        })
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_checks_themselves_see_what_they_should() {
    assert_eq!(crate_paths("use crate::{\n  a::{b, c::d},\n  e,\n};\ncrate::f::g()"), ["a", "e", "f"]);
    assert!(names_crate("x = redb::Database", "redb") && names_crate("use redb;", "redb"));
    assert!(!names_crate("my_redb::x()", "redb") && !names_crate("crate::redb::x()", "redb"));
    assert_eq!(code_of("a // crate::b\n#[cfg(test)]\nmod tests { c }"), "a ");
    assert_eq!(paths_in("see `src/lib.rs` and [x](docs/X.md), `cargo run`, `src/*.rs`"), ["src/lib.rs", "docs/X.md"]);
}
