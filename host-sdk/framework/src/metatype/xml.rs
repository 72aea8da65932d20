//! What of XML 1.0 the reader of metatypes has to see to itself: characters, encodings, and the
//! values of attributes.

use quick_xml::events::BytesStart;

use super::read::MAX_ATTRIBUTES;
use super::MetatypeError;

/// The attributes of one element, white space normalized and references resolved.
pub(super) struct Attributes(Vec<(String, String)>);

impl Attributes {
    pub(super) fn of(element: &BytesStart<'_>, at: u64) -> Result<Attributes, MetatypeError> {
        // quick-xml looks for the end of a tag only.
        if element.contains('<') {
            return Err(syntax(at, "a '<' within a tag".to_owned()));
        }
        let mut attributes = Vec::new();
        for (index, attribute) in element.attributes().enumerate() {
            if index >= MAX_ATTRIBUTES {
                let (limit, of) = (MAX_ATTRIBUTES, "attributes in one element");
                return Err(MetatypeError::TooLarge { limit, of });
            }
            let attribute = attribute.map_err(|e| syntax(at, e.to_string()))?;
            let name = attribute.key.into_inner().to_owned();
            // XML 1.0, 3.3.3: white space as such is a blank, as a reference it is itself.
            let normal = attribute
                .value
                .replace("\r\n", " ")
                .replace(['\r', '\n', '\t'], " ");
            let value = quick_xml::escape::unescape(&normal)
                .map_err(|e| syntax(at, format!("the attribute {name:?}: {e}")))?;
            if !value.chars().all(is_xml_char) {
                return Err(syntax(
                    at,
                    format!("the attribute {name:?} holds a forbidden character"),
                ));
            }
            attributes.push((name, value.into_owned()));
        }
        Ok(Attributes(attributes))
    }

    pub(super) fn raw(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// As Kura: a blank attribute is an absent one (blank as in `String.trim`).
    pub(super) fn get(&self, name: &str) -> Option<String> {
        let value = self.raw(name)?;
        let blank = value.chars().all(|c| c <= ' ');
        (!blank).then(|| value.to_owned())
    }

    pub(super) fn parsed<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.raw(name)?.parse().ok()
    }
}

pub(super) fn syntax(at: u64, what: String) -> MetatypeError {
    let source = None;
    MetatypeError::Syntax { at, what, source }
}

/// XML 1.0, 2.2.
pub(super) fn is_xml_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// The text of the document, by the encoding that it declares.
pub(super) fn decode(xml: &[u8]) -> Result<String, MetatypeError> {
    let xml = xml.strip_prefix(b"\xef\xbb\xbf").unwrap_or(xml);
    let head = String::from_utf8_lossy(xml.get(..xml.len().min(256)).unwrap_or_default())
        .to_ascii_lowercase();
    let declared = head
        .strip_prefix("<?xml")
        .and_then(|rest| rest.split_once("?>"))
        .and_then(|(declaration, _)| declaration.split_once("encoding"))
        .and_then(|(_, rest)| rest.split(['"', '\'']).nth(1))
        .unwrap_or("utf-8")
        .to_owned();
    let wrong = |encoding: &str| MetatypeError::Encoding {
        encoding: encoding.to_owned(),
    };
    match declared.as_str() {
        "iso-8859-1" | "latin1" => Ok(xml.iter().map(|byte| char::from(*byte)).collect()),
        "us-ascii" | "ascii" if !xml.is_ascii() => Err(wrong("US-ASCII, as it declares")),
        "utf-8" | "utf8" | "us-ascii" | "ascii" => {
            String::from_utf8(xml.to_vec()).map_err(|_| wrong("UTF-8"))
        }
        _ => Err(wrong("UTF-8, ISO-8859-1 or US-ASCII")),
    }
}
