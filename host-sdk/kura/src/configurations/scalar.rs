//! Values as text, in the form Java's `toString` and `valueOf` have them.

use gateway_component_abi::value::{Kind, Scalar};

/// The value of that text. Strict: nothing cut off, nothing out of range, and no spaces around, except
/// for decimal numbers, which Java reads with spaces and with the letter of their type behind.
/// Passwords are not read here.
pub(super) fn parse(kind: Kind, text: &str) -> Result<Scalar, String> {
    let parsed = match kind {
        Kind::String => Some(Scalar::String(text.to_owned())),
        Kind::Long => text.parse().ok().map(Scalar::Long),
        Kind::Integer => text.parse().ok().map(Scalar::Integer),
        Kind::Short => text.parse().ok().map(Scalar::Short),
        Kind::Byte => text.parse().ok().map(Scalar::Byte),
        Kind::Double => special(text)
            .or_else(|| decimal(text)?.parse().ok())
            .map(Scalar::Double),
        Kind::Float => special(text)
            .map(|value| value as f32)
            .or_else(|| decimal(text)?.parse().ok())
            .map(Scalar::Float),
        Kind::Boolean if text.eq_ignore_ascii_case("true") => Some(Scalar::Boolean(true)),
        Kind::Boolean if text.eq_ignore_ascii_case("false") => Some(Scalar::Boolean(false)),
        Kind::Char => one(text).map(Scalar::Char),
        Kind::Boolean | Kind::Password => None,
    };
    match parsed {
        Some(Scalar::Double(value)) if value.is_infinite() && special(text).is_none() => {
            Err(format!("{} is out of the range of Double", shown(text)))
        }
        Some(Scalar::Float(value)) if value.is_infinite() && special(text).is_none() => {
            Err(format!("{} is out of the range of Float", shown(text)))
        }
        Some(scalar) => Ok(scalar),
        None => Err(format!(
            "{} is no value of type {}",
            shown(text),
            kind.name()
        )),
    }
}

/// The text of a value, or why there is none. Passwords are not written here.
pub(super) fn format(scalar: &Scalar) -> Result<String, &'static str> {
    Ok(match scalar {
        Scalar::String(value) => value.clone(),
        Scalar::Long(value) => value.to_string(),
        Scalar::Integer(value) => value.to_string(),
        Scalar::Short(value) => value.to_string(),
        Scalar::Byte(value) => value.to_string(),
        Scalar::Boolean(value) => value.to_string(),
        Scalar::Double(value) => float(value.is_finite(), *value, format!("{value:?}")),
        Scalar::Float(value) => float(value.is_finite(), f64::from(*value), format!("{value:?}")),
        Scalar::Char(value) if value.len_utf16() == 1 => value.to_string(),
        Scalar::Char(_) => return Err("a Char beyond U+FFFF, which Java cannot hold"),
        Scalar::Password(_) => return Err("a password that is not sealed"),
    })
}

fn float(finite: bool, value: f64, text: String) -> String {
    if finite {
        text
    } else if value.is_nan() {
        "NaN".to_owned()
    } else if value > 0.0 {
        "Infinity".to_owned()
    } else {
        "-Infinity".to_owned()
    }
}

fn special(text: &str) -> Option<f64> {
    match java_trim(text) {
        "NaN" => Some(f64::NAN),
        "Infinity" | "+Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

/// `String.trim`.
fn java_trim(text: &str) -> &str {
    text.trim_matches(|character| character <= ' ')
}

/// The number in the text, if it has only what a decimal number has: Rust would read `inf` and
/// `nan`, too.
fn decimal(text: &str) -> Option<&str> {
    let text = java_trim(text);
    let text = text.strip_suffix(['d', 'D', 'f', 'F']).unwrap_or(text);
    text.bytes()
        .all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E'))
        .then_some(text)
}

fn one(text: &str) -> Option<char> {
    let mut chars = text.chars();
    let first = chars.next()?;
    (chars.next().is_none() && first.len_utf16() == 1).then_some(first)
}

/// At most 40 characters of it, on one line.
fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(40).collect();
    if shown.len() < text.len() {
        shown.push_str("...");
    }
    format!("{shown:?}")
}
