//! The Rust mirror.

use super::{split, squeezed, Field, Source, Struct};

/// Reads one file of the mirror.
pub(super) fn read(name: &str, text: &str) -> Source {
    let bare: String = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//") && !line.trim_start().starts_with("#["))
        .map(|line| format!("{line}\n"))
        .collect();
    Source {
        name: name.to_owned(),
        structs: structs(name, &bare),
        constants: constants(&bare),
    }
}

/// `pub const NAME: TYPE = VALUE;`, a literal as C writes it.
fn constants(text: &str) -> Vec<(String, String)> {
    text.split("pub const ")
        .skip(1)
        .map(|rest| {
            let (declaration, _) = rest.split_once(';').expect("a constant ends");
            let (name, rest) = declaration.split_once(':').expect("a type");
            let (_, value) = rest.split_once('=').expect("a value");
            (name.trim().to_owned(), value.trim().to_owned())
        })
        .collect()
}

fn structs(name: &str, text: &str) -> Vec<Struct> {
    text.split("pub struct ")
        .skip(1)
        .map(|rest| {
            let (tag, rest) = rest.split_once('{').expect("a body");
            let (body, _) = rest
                .split_once("\n}")
                .unwrap_or_else(|| panic!("{name}: {tag} has no end"));
            Struct {
                name: tag.trim().to_owned(),
                fields: split(body, ',').iter().map(|text| field(text)).collect(),
            }
        })
        // An opaque one.
        .filter(|record| record.fields.iter().all(|field| field.name != "_private"))
        .collect()
}

fn field(declaration: &str) -> Field {
    let declaration = squeezed(declaration);
    let (name, kind) = declaration.split_once(':').expect("a field");
    let name = name.strip_prefix("pub ").unwrap_or(name).trim();
    Field {
        name: name.to_owned(),
        kind: kind_of(kind.trim()),
        comment: String::new(),
    }
}

fn kind_of(text: &str) -> String {
    let Some(function) = text.strip_prefix("Option<") else {
        return text.to_owned();
    };
    let function = function.strip_suffix('>').expect("Option ends");
    let function = function.trim().trim_end_matches(',').trim_end();
    let function = function
        .strip_prefix("unsafe extern \"C\" ")
        .unwrap_or_else(|| panic!("{text}: no function of the contract"));
    // rustfmt breaks the parameters of long ones, with a comma at the end.
    function.replace("fn( ", "fn(").replace(", )", ")")
}
