//! Judges the configuration XML by snapshots: read, compare with what a second parser finds, write,
//! read again, compare. A file that this parser cannot read either is rightly refused.

use std::collections::BTreeMap;

use gateway_component_abi::value::{Properties, Scalar, Secret, Value};
use kura_formats::configurations::{read, write, Configuration, Sealed, XmlLimits};

use crate::second::{self, Fault};
use crate::Passed;

mod content;

/// Judges one file.
///
/// # Errors
/// One line: what was refused, or differs.
pub fn judge(xml: &[u8]) -> Result<Passed, String> {
    if !xml.contains(&b'<') {
        return Err("there is no XML in it".to_owned());
    }
    let first = match read_opaque(xml) {
        Ok(first) => first,
        Err(error) if is_damaged(xml) => return Ok(Passed::RightlyRefused(error)),
        Err(error) => return Err(format!("cannot be read: {error}")),
    };
    content::same(&first, xml)?;
    let written = write_opaque(&first).map_err(|e| format!("cannot be written: {e}"))?;
    let second = read_opaque(&written).map_err(|e| format!("cannot be read again: {e}"))?;
    let (first, second) = (by_pid(&first), by_pid(&second));
    if let Some(pid) = first
        .keys()
        .chain(second.keys())
        .find(|pid| first.contains_key(*pid) != second.contains_key(*pid))
    {
        return Err(format!("pid {pid:?} is there only before or after writing"));
    }
    for (pid, before) in &first {
        let Some(after) = second.get(pid) else {
            continue;
        };
        for name in before.keys().chain(after.keys()) {
            match (before.get(name), after.get(name)) {
                (Some(before), Some(after)) if same(before, after) => {}
                _ => {
                    return Err(format!(
                        "pid {pid:?}, property {name:?} was changed by writing"
                    ))
                }
            }
        }
    }
    Ok(Passed::Read)
}

fn is_damaged(xml: &[u8]) -> bool {
    let looked = second::text(xml).and_then(|text| second::with_document(&text, |_| ()));
    matches!(looked, Err(Fault::Syntax(_) | Fault::Encoding))
}

/// Without the key of the gateway that wrote it, a password is the text that stands there: the
/// secret is that text behind `E` (encrypted) or `C` (clear).
fn read_opaque(xml: &[u8]) -> Result<Vec<Configuration>, String> {
    let mut open = |sealed: Sealed<'_>| {
        let mark = if sealed.encrypted { 'E' } else { 'C' };
        Ok(Secret::new(format!("{mark}{}", sealed.text)))
    };
    read(xml, &XmlLimits::default(), &mut open).map_err(|e| e.to_string())
}

fn write_opaque(configurations: &[Configuration]) -> Result<Vec<u8>, String> {
    let mut seal = |secret: &Secret| match secret.expose().strip_prefix('E') {
        Some(text) => (true, text.to_owned()),
        None => (false, secret.expose().chars().skip(1).collect()),
    };
    write(configurations, &mut seal).map_err(|e| e.to_string())
}

fn by_pid(configurations: &[Configuration]) -> BTreeMap<&str, &Properties> {
    configurations
        .iter()
        .map(|configuration| (configuration.pid.as_str(), &configuration.properties))
        .collect()
}

fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Scalar(a), Value::Scalar(b)) => same_scalar(a, b),
        (Value::Array(kind, a), Value::Array(other, b)) => {
            kind == other && a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_scalar(a, b))
        }
        _ => false,
    }
}

/// NaN is the same as NaN here.
fn same_scalar(a: &Scalar, b: &Scalar) -> bool {
    match (a, b) {
        (Scalar::Double(a), Scalar::Double(b)) => a.to_bits() == b.to_bits(),
        (Scalar::Float(a), Scalar::Float(b)) => a.to_bits() == b.to_bits(),
        _ => a == b,
    }
}

#[cfg(test)]
mod tests;
