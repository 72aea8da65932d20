//! From configurations to the document, as Kura's `XmlJavaComponentConfigurationsMapper` lays it
//! out: literal prefix `esf`, which its reader wants.

use std::fmt::{self, Write as _};

use gateway_component_abi::value::{Properties, Scalar, Secret, Value};

use zeroize::Zeroizing;

use super::name;
use super::scalar;
use super::{Configuration, ConfigurationsError, ESF_NAMESPACE};
use crate::markup::is_xml_char;

/// Writes a document, sorted by pid and property, so that equal configurations give equal bytes.
/// `seal` gives a password's attribute `encrypted` and its text. An array without values is left
/// out, as in Kura.
///
/// # Errors
/// [`ConfigurationsError::Unwritable`], for what [`super::read()`] would not give back: a pid that
/// occurs twice, a pid or property without a name, a character that XML 1.0 cannot hold (Kura
/// would write a file it cannot read again), a Char beyond U+FFFF, passwords of one array sealed
/// in two ways.
pub fn write(
    configurations: &[Configuration],
    seal: &mut dyn FnMut(&Secret) -> (bool, String),
) -> Result<Vec<u8>, ConfigurationsError> {
    let all = configurations.iter();
    write_borrowed(all.map(|one| (one.pid.as_str(), &one.properties)), seal)
}

/// As [`write()`], of pids and properties that lie elsewhere: a large one is not copied for it.
///
/// # Errors
/// As [`write()`].
pub fn write_borrowed<'a>(
    configurations: impl IntoIterator<Item = (&'a str, &'a Properties)>,
    seal: &mut dyn FnMut(&Secret) -> (bool, String),
) -> Result<Vec<u8>, ConfigurationsError> {
    let mut sorted: Vec<_> = configurations.into_iter().collect();
    sorted.sort_by_key(|(pid, _)| *pid);
    // Room for nearly all of it: a large one that grows is there twice.
    let mut out = Document::with_capacity(sorted.iter().map(|(_, p)| size(p)).sum());
    out.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n");
    let _ = writeln!(
        out,
        "<esf:configurations xmlns:ocd=\"http://www.osgi.org/xmlns/metatype/v1.2.0\" \
         xmlns:esf=\"{ESF_NAMESPACE}\">"
    );
    let mut last: Option<&str> = None;
    for (pid, properties) in sorted {
        if last == Some(pid) {
            return Err(unwritable(pid, "", "the pid occurs twice"));
        }
        last = Some(pid);
        checked(pid).map_err(|what| unwritable(pid, "", what))?;
        out.push_str("    <esf:configuration pid=\"");
        attribute(&mut out, pid);
        out.push_str("\">\n        <esf:properties>\n");
        for (name, value) in properties {
            property(&mut out, name, value, seal).map_err(|what| unwritable(pid, name, what))?;
        }
        out.push_str("        </esf:properties>\n    </esf:configuration>\n");
    }
    out.push_str("</esf:configurations>\n");
    Ok(std::mem::take(&mut *out.0))
}

/// The document as far as it is written. It may hold passwords, and leaves none behind.
struct Document(Zeroizing<Vec<u8>>);

impl Document {
    fn with_capacity(bytes: usize) -> Document {
        Document(Zeroizing::new(Vec::with_capacity(bytes)))
    }

    fn push_str(&mut self, text: &str) {
        secret_text::reserve(&mut self.0, text.len());
        self.0.extend_from_slice(text.as_bytes());
    }

    fn push(&mut self, character: char) {
        self.push_str(character.encode_utf8(&mut [0; 4]));
    }
}

impl fmt::Write for Document {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push_str(text);
        Ok(())
    }
}

/// About what properties take as text.
fn size(properties: &Properties) -> usize {
    let text = |scalar: &Scalar| match scalar {
        Scalar::String(text) => 40 + text.len(),
        Scalar::Password(secret) => 44 + secret.expose().len() * 4 / 3,
        _ => 50,
    };
    let property = |(name, value): (&String, &Value)| {
        128 + name.len()
            + match value {
                Value::Scalar(scalar) => text(scalar),
                Value::Array(_, scalars) => scalars.iter().map(text).sum(),
            }
    };
    256 + properties.iter().map(property).sum::<usize>()
}

fn unwritable(pid: &str, name: &str, what: &'static str) -> ConfigurationsError {
    ConfigurationsError::Unwritable {
        pid: pid.to_owned(),
        name: name.to_owned(),
        what,
    }
}

fn property(
    out: &mut Document,
    name: &str,
    value: &Value,
    seal: &mut dyn FnMut(&Secret) -> (bool, String),
) -> Result<(), &'static str> {
    let (array, scalars) = match value {
        Value::Scalar(scalar) => (false, std::slice::from_ref(scalar)),
        Value::Array(_, scalars) => (true, scalars.as_slice()),
    };
    let mut encrypted = None;
    let mut texts = Vec::with_capacity(scalars.len());
    for scalar in scalars {
        let text = match scalar {
            Scalar::Password(secret) => {
                let (sealed, text) = seal(secret);
                if encrypted.is_some_and(|before| before != sealed) {
                    return Err("its passwords are sealed in two ways");
                }
                encrypted = Some(sealed);
                text
            }
            _ => scalar::format(scalar)?,
        };
        let text = Zeroizing::new(text);
        if !text.chars().all(is_xml_char) {
            return Err("a character that XML cannot hold");
        }
        texts.push(text);
    }
    if texts.is_empty() {
        return Ok(());
    }
    checked(name)?;
    let _ = write!(out, "            <esf:property {}=\"", name::NAME);
    attribute(out, name);
    let _ = writeln!(
        out,
        "\" {}=\"{array}\" {}=\"{}\" {}=\"{}\">",
        name::ARRAY,
        name::ENCRYPTED,
        encrypted.unwrap_or(false),
        name::TYPE,
        value.kind().name()
    );
    for value in &texts {
        out.push_str("                <esf:value>");
        text(out, value);
        out.push_str("</esf:value>\n");
    }
    out.push_str("            </esf:property>\n");
    Ok(())
}

fn checked(name: &str) -> Result<(), &'static str> {
    if name.is_empty() {
        return Err("the name is empty");
    }
    if !name.chars().all(is_xml_char) {
        return Err("a character that XML cannot hold in the name");
    }
    Ok(())
}

fn text(out: &mut Document, text: &str) {
    for character in text.chars() {
        match character {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            // A reader makes a line feed of a literal one.
            '\r' => out.push_str("&#13;"),
            _ => out.push(character),
        }
    }
}

fn attribute(out: &mut Document, text: &str) {
    for character in text.chars() {
        match character {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\t' => out.push_str("&#9;"),
            '\n' => out.push_str("&#10;"),
            '\r' => out.push_str("&#13;"),
            _ => out.push(character),
        }
    }
}
