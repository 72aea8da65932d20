//! What a snapshot says by the second parser, compared with what was read of it.

use gateway_component_abi::value::{Scalar, Value};
use kura_formats::configurations::{Configuration, ESF_NAMESPACE};
use roxmltree::{Document, Node};

use crate::second::{self, unbound, Fault};

/// Whether everything was read as it stands there. What Kura leaves out may be left out: an array
/// without values, and what has neither a type nor a value.
///
/// # Errors
/// One line, with no value in it: one may be a password.
pub(super) fn same(read: &[Configuration], xml: &[u8]) -> Result<(), String> {
    let compared = second::text(xml)
        .and_then(|text| second::with_document(&text, |document| compare(read, document)));
    match compared {
        Ok(outcome) => outcome,
        Err(Fault::Syntax(what)) => Err(format!("was read, and is no well-formed XML: {what}")),
        Err(fault) => Err(format!(
            "was read, and cannot be looked at again: {fault:?}"
        )),
    }
}

fn compare(read: &[Configuration], document: &Document<'_>) -> Result<(), String> {
    let mut read = read.iter();
    for there in named(document.root_element(), "configuration") {
        let pid = there.attribute("pid").unwrap_or_default();
        let Some(configuration) = read.next().filter(|read| read.pid == pid) else {
            return Err(format!("pid {pid:?} was not read in its place"));
        };
        let mut count = 0;
        let properties = named(there, "properties");
        for property in properties.flat_map(|all| named(all, "property")) {
            let name = property.attribute("name").unwrap_or_default();
            let found = configuration.properties.get(name);
            let at = |what: &str| format!("pid {pid:?}, property {name:?} {what}");
            match (found, left_out(property)) {
                (None, true) => {}
                (None, false) => return Err(at("was not read")),
                (Some(_), true) => return Err(at("has no value, and was read")),
                (Some(value), false) if is(value, property) => count += 1,
                (Some(_), false) => return Err(at("was not read as it is there")),
            }
        }
        if count != configuration.properties.len() {
            return Err(format!(
                "pid {pid:?} was read with properties that are not there"
            ));
        }
    }
    match read.next() {
        Some(more) => Err(format!("pid {:?} was read, and is not there", more.pid)),
        None => Ok(()),
    }
}

fn named<'a, 'b: 'a>(
    parent: Node<'a, 'b>,
    name: &'static str,
) -> impl Iterator<Item = Node<'a, 'b>> {
    let kuras = unbound("esf");
    parent.children().filter(move |node| {
        let namespace = node.tag_name().namespace();
        node.tag_name().name() == name
            && (namespace == Some(ESF_NAMESPACE) || namespace == Some(kuras.as_str()))
    })
}

fn says(property: Node<'_, '_>, attribute: &str) -> bool {
    let value = property.attribute(attribute).unwrap_or_default();
    value.eq_ignore_ascii_case("true")
}

fn left_out(property: Node<'_, '_>) -> bool {
    let empty = named(property, "value").next().is_none();
    empty && (says(property, "array") || property.attribute("type").is_none())
}

fn is(read: &Value, property: Node<'_, '_>) -> bool {
    let (array, scalars) = match read {
        Value::Scalar(scalar) => (false, std::slice::from_ref(scalar)),
        Value::Array(_, scalars) => (true, scalars.as_slice()),
    };
    let texts: Vec<String> = named(property, "value").map(text).collect();
    array == says(property, "array")
        && property.attribute("type") == Some(read.kind().name())
        && texts.len() == scalars.len()
        && texts
            .iter()
            .zip(scalars)
            .all(|(text, scalar)| means(text, scalar, says(property, "encrypted")))
}

/// All of it: comments and CDATA part a text.
fn text(value: Node<'_, '_>) -> String {
    let texts = value.children().filter_map(|node| match node.is_text() {
        true => node.text(),
        false => None,
    });
    texts.collect()
}

fn means(text: &str, scalar: &Scalar, encrypted: bool) -> bool {
    let whole = |value: i64| text.parse() == Ok(value);
    match scalar {
        Scalar::String(value) => value == text,
        Scalar::Password(secret) => {
            let mark = if encrypted { 'E' } else { 'C' };
            secret.expose().strip_prefix(mark) == Some(text)
        }
        Scalar::Boolean(value) => text.eq_ignore_ascii_case(&value.to_string()),
        Scalar::Char(value) => *value.to_string() == *text,
        Scalar::Long(value) => whole(*value),
        Scalar::Integer(value) => whole((*value).into()),
        Scalar::Short(value) => whole((*value).into()),
        Scalar::Byte(value) => whole((*value).into()),
        Scalar::Double(value) => decimal(text)
            .parse::<f64>()
            .is_ok_and(|there| there.to_bits() == value.to_bits()),
        Scalar::Float(value) => decimal(text)
            .parse::<f32>()
            .is_ok_and(|there| there.to_bits() == value.to_bits()),
    }
}

/// Without what Java allows around a decimal number.
fn decimal(text: &str) -> &str {
    let text = text.trim_matches(|c| c <= ' ');
    match text.strip_suffix(['d', 'D', 'f', 'F']) {
        Some(number) if number.ends_with(|c: char| c.is_ascii_digit() || c == '.') => number,
        _ => text,
    }
}
