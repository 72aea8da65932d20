//! What of XML 1.0 the reader of metatypes has to see to itself: encodings, and the values and
//! namespaces of attributes.

use kura_formats::markup::is_xml_char;
use quick_xml::events::BytesStart;

use super::read::MAX_ATTRIBUTES;
use super::MetatypeError;

/// The attributes of one element, white space normalized and references resolved.
pub(super) struct Attributes(Vec<(String, String)>);

impl Attributes {
    pub(super) fn of(element: &BytesStart<'_>, at: u64) -> Result<Attributes, MetatypeError> {
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

    /// The prefixes that stand for the same namespace as this one, itself among them; the empty
    /// one is that of names without.
    pub(super) fn prefixes_like(&self, prefix: &str) -> Vec<String> {
        let declared = |(name, uri): &'_ (String, String)| {
            let prefix = match name.strip_prefix("xmlns") {
                Some("") => "",
                Some(rest) => rest.strip_prefix(':')?,
                None => return None,
            };
            Some((prefix.to_owned(), uri.clone()))
        };
        let all: Vec<_> = self.0.iter().filter_map(declared).collect();
        let own = all.iter().find(|(known, _)| known == prefix);
        let Some((_, namespace)) = own else {
            return vec![prefix.to_owned()];
        };
        let same = all.iter().filter(|(_, uri)| uri == namespace);
        same.map(|(prefix, _)| prefix.clone()).collect()
    }

    pub(super) fn parsed<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.raw(name)?.parse().ok()
    }
}

pub(super) fn syntax(at: u64, what: String) -> MetatypeError {
    let source = None;
    MetatypeError::Syntax { at, what, source }
}

/// The text of the document: UTF-16 by its first bytes (XML 1.0, appendix F), else by the encoding
/// that it declares. Where it is all ASCII it may declare any, as Kura does not look at it.
pub(super) fn decode(xml: &[u8]) -> Result<String, MetatypeError> {
    let wrong = |encoding: &str| MetatypeError::Encoding {
        encoding: encoding.to_owned(),
    };
    if let Some(text) = utf16(xml) {
        return text.ok_or_else(|| wrong("UTF-16, as it begins"));
    }
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
    match declared.as_str() {
        "us-ascii" | "ascii" if !xml.is_ascii() => Err(wrong("US-ASCII, as it declares")),
        "iso-8859-1" | "latin1" => Ok(xml.iter().map(|byte| char::from(*byte)).collect()),
        encoding if xml.is_ascii() || matches!(encoding, "utf-8" | "utf8") => {
            String::from_utf8(xml.to_vec()).map_err(|_| wrong("UTF-8"))
        }
        _ => Err(wrong("UTF-8, UTF-16, ISO-8859-1 or US-ASCII")),
    }
}

/// The text of a document that begins as UTF-16 does; nothing within where it is damaged.
fn utf16(xml: &[u8]) -> Option<Option<String>> {
    let (of_two, marked): (fn([u8; 2]) -> u16, bool) = match xml {
        [0xff, 0xfe, ..] => (u16::from_le_bytes, true),
        [0xfe, 0xff, ..] => (u16::from_be_bytes, true),
        [b'<', 0, _, 0, ..] => (u16::from_le_bytes, false),
        [0, b'<', 0, _, ..] => (u16::from_be_bytes, false),
        _ => return None,
    };
    let (pairs, rest) = xml.as_chunks::<2>();
    let units = pairs
        .iter()
        .skip(usize::from(marked))
        .map(|two| of_two(*two));
    let text = char::decode_utf16(units)
        .collect::<Result<String, _>>()
        .ok();
    Some(text.filter(|_| rest.is_empty()))
}
