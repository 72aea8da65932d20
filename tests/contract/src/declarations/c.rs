//! The headers.

use super::{rust_field, rust_name, split, squeezed, Field, Source, Struct};

/// Reads one header.
pub(super) fn read(name: &str, text: &str) -> Source {
    Source {
        name: name.to_owned(),
        structs: structs(name, text),
        constants: constants(text),
    }
}

/// `#define NAME VALUE`; include guards have no value.
fn constants(text: &str) -> Vec<(String, String)> {
    let bare = without_comments(text);
    bare.lines()
        .filter_map(|line| line.trim().strip_prefix("#define "))
        .filter_map(|rest| rest.trim().split_once(char::is_whitespace))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect()
}

fn structs(name: &str, text: &str) -> Vec<Struct> {
    let mut found = Vec::new();
    for rest in text.split("typedef struct ").skip(1) {
        // An opaque one has no body.
        let Some((head, rest)) = rest.split_once('{') else {
            continue;
        };
        if head.contains(';') {
            continue;
        }
        let tag = head.trim().to_owned();
        let (body, tail) = rest
            .split_once(&format!("\n}} {tag};"))
            .unwrap_or_else(|| panic!("{name}: {tag} has no end"));
        assert!(!body.contains('}'), "{name}: {tag} holds braces");
        let _ = tail;
        found.push(Struct {
            fields: fields(body),
            name: tag,
        });
    }
    let declared = text.matches("typedef struct ").count();
    let opaque = text
        .split("typedef struct ")
        .skip(1)
        .filter(|rest| rest.find(';') < rest.find('{') || !rest.contains('{'))
        .count();
    assert_eq!(
        found.len() + opaque,
        declared,
        "{name}: a struct was not read"
    );
    found
}

fn fields(body: &str) -> Vec<Field> {
    let (mut found, mut comment, mut rest) = (Vec::new(), String::new(), body);
    loop {
        rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix("/*") {
            let (text, after) = after.split_once("*/").expect("a comment ends");
            comment = squeezed(&text.replace("\n     *", " "));
            rest = after;
        } else if let Some((declaration, after)) = rest.split_once(';') {
            let mut field = field(&squeezed(&without_comments(declaration)));
            field.comment = std::mem::take(&mut comment);
            found.push(field);
            // A comment on the same line belongs to this field, not to the next one.
            let line_end = after.find('\n').unwrap_or(after.len());
            rest = match after.find("/*") {
                Some(at) if at < line_end => after.split_once("*/").expect("a comment ends").1,
                _ => after,
            };
        } else {
            assert!(rest.is_empty(), "no field: {rest}");
            return found;
        }
    }
}

fn field(declaration: &str) -> Field {
    let (name, kind) = match declaration.split_once("(*") {
        Some((result, rest)) => {
            let (name, parameters) = rest.split_once(")(").expect("a function pointer");
            let parameters = parameters.strip_suffix(')').expect("parameters end");
            let result = match kind(result.trim()).as_str() {
                "c_void" => String::new(),
                other => format!(" -> {other}"),
            };
            let parameters: Vec<String> = split(parameters, ',')
                .iter()
                .map(|parameter| {
                    let (name, kind) = variable(parameter);
                    format!("{}: {kind}", rust_field(&name))
                })
                .collect();
            (
                name.to_owned(),
                format!("fn({}){result}", parameters.join(", ")),
            )
        }
        None => variable(declaration),
    };
    Field {
        name: rust_field(&name).to_owned(),
        kind,
        comment: String::new(),
    }
}

/// `const gwc_host *host` or `char code[SIZE]`: its name, and its type in Rust.
fn variable(declaration: &str) -> (String, String) {
    if let Some((element, size)) = declaration.split_once('[') {
        let (name, element) = variable(element);
        let size = size.strip_suffix(']').expect("an array");
        let size = size.strip_prefix("GWC_").unwrap_or(size);
        return (name, format!("[{element}; {size}]"));
    }
    let at = declaration
        .rfind([' ', '*'])
        .unwrap_or_else(|| panic!("no variable: {declaration}"));
    let (left, name) = declaration.split_at(at + 1);
    (name.to_owned(), kind(left.trim()))
}

/// A C type in Rust.
fn kind(text: &str) -> String {
    if let Some(target) = text.strip_suffix('*') {
        let target = target.trim();
        return match target.strip_prefix("const ") {
            Some(target) => format!("*const {}", kind(target)),
            None => format!("*mut {}", kind(target)),
        };
    }
    match text {
        "void" => "c_void".to_owned(),
        "char" => "c_char".to_owned(),
        "uint8_t" => "u8".to_owned(),
        "uint32_t" => "u32".to_owned(),
        "uint64_t" => "u64".to_owned(),
        "int32_t" => "i32".to_owned(),
        other if other.starts_with("gwc_") => rust_name(other),
        other => panic!("{other:?} is no type of the contract"),
    }
}

fn without_comments(text: &str) -> String {
    let mut bare = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("/*") {
        bare.push_str(before);
        rest = after.split_once("*/").expect("a comment ends").1;
    }
    bare.push_str(rest);
    bare
}
