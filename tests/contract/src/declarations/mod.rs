//! What the headers and the Rust mirror declare, read from their source texts.
//!
//! Both are written regularly: one `typedef struct NAME { ... } NAME;` or `pub struct Name { ... }`
//! for each record, one `#define` or `pub const` for each constant. What these readers do not
//! understand is a panic, so that nothing is passed over in silence. They know nothing of sizes;
//! those come from the compilers (see the test `drift`).

mod c;
mod rust;

use std::path::{Path, PathBuf};

use crate::repository;

/// A header, or a file of the mirror.
#[derive(Clone, Debug)]
pub struct Source {
    /// As one includes it (`gwc/ext/log.h`), or its path below the source folder.
    pub name: String,
    /// Its records, in order.
    pub structs: Vec<Struct>,
    /// Names and values of its constants.
    pub constants: Vec<(String, String)>,
}

/// A record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Struct {
    /// As the language at hand writes it: `gwc_str`, `GwcStr`.
    pub name: String,
    /// Its fields, in order.
    pub fields: Vec<Field>,
}

/// A field of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Its type as Rust writes it, without `Option<unsafe extern "C" ...>` around a function.
    pub kind: String,
    /// The comment before it; empty for the mirror.
    pub comment: String,
}

impl Field {
    /// Whether it is a pointer to a function.
    pub fn is_function(&self) -> bool {
        self.kind.starts_with("fn(")
    }
}

/// Every header, by name.
pub fn headers() -> Vec<Source> {
    let include = repository().join("include");
    files(&include.join("gwc"), "h")
        .iter()
        .map(|path| c::read(&below(path, &include), &text(path)))
        .collect()
}

/// Every file of the Rust mirror; not those of `safe`, `value` and `root`, which mirror nothing.
pub fn mirror() -> Vec<Source> {
    let folder = repository().join("host-sdk/abi/src");
    files(&folder, "rs")
        .iter()
        .map(|path| (below(path, &folder), path))
        .filter(|(name, _)| {
            !name.starts_with("safe/") && !["value.rs", "root.rs"].contains(&name.as_str())
        })
        .map(|(name, path)| rust::read(&name, &text(path)))
        .collect()
}

/// `gwc_component_ops` as the mirror names it: `GwcComponentOps`.
pub fn rust_name(c_name: &str) -> String {
    c_name
        .split('_')
        .map(|word| {
            let (first, rest) = word.split_at(1);
            format!("{}{rest}", first.to_uppercase())
        })
        .collect()
}

/// Words of Rust that a field of the headers may be named by.
fn rust_field(c_field: &str) -> &str {
    match c_field {
        "type" => "kind",
        "self" => "this",
        other => other,
    }
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn below(path: &Path, folder: &Path) -> String {
    let rest = path.strip_prefix(folder).expect("found below it");
    rest.to_str().expect("UTF-8").to_owned()
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// White space as single blanks.
fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Parts at `separator`, not inside brackets.
fn split(text: &str, separator: char) -> Vec<String> {
    let (mut parts, mut depth) = (vec![String::new()], 0);
    let mut before = ' ';
    for c in text.chars() {
        match c {
            '(' | '[' | '{' | '<' => depth += 1,
            // The arrow before a result closes nothing.
            ')' | ']' | '}' | '>' if !(c == '>' && before == '-') => depth -= 1,
            _ => {}
        }
        before = c;
        if c == separator && depth == 0 {
            parts.push(String::new());
        } else if let Some(part) = parts.last_mut() {
            part.push(c);
        }
    }
    parts
        .into_iter()
        .map(|part| part.trim().to_owned())
        .filter(|part| !part.is_empty())
        .collect()
}
