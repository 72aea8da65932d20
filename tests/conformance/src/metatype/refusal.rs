//! A second look at a metatype that was refused, by a walk of its own over the XML: is the fault
//! there that the refusal names? A refusal of anything else (a DOCTYPE, a limit) is our own choice,
//! and never confirmed.

use std::collections::BTreeMap;

use gateway_component_abi::value::Kind;
use gateway_host_sdk::metatype::MetatypeError;
use quick_xml::escape::unescape;
use quick_xml::events::{BytesStart, Event};
use quick_xml::Reader;

/// Whether the document has the fault.
pub(super) fn is_right(error: &MetatypeError, xml: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(xml) else {
        return matches!(error, MetatypeError::Encoding { .. });
    };
    let elements = walk(text);
    match (error, elements) {
        (MetatypeError::Syntax { .. }, elements) => elements.is_err(),
        (MetatypeError::NotMetatype { .. }, Ok(elements)) => elements
            .first()
            .is_some_and(|root| root.local != "MetaData"),
        (MetatypeError::UnknownType { given, .. }, Ok(elements)) => {
            Kind::from_name(given).is_none()
                && elements
                    .iter()
                    .any(|element| element.local == "AD" && element.has("type", given))
        }
        (MetatypeError::Missing { attribute, .. }, Ok(elements)) => elements
            .iter()
            .any(|element| !element.attributes.contains_key(*attribute)),
        _ => false,
    }
}

struct Element {
    local: String,
    attributes: BTreeMap<String, String>,
}

impl Element {
    fn has(&self, attribute: &str, value: &str) -> bool {
        self.attributes.get(attribute).map(String::as_str) == Some(value)
    }
}

/// All elements, or the first thing that is not well-formed.
fn walk(text: &str) -> Result<Vec<Element>, String> {
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    let mut elements = Vec::new();
    let mut depth = 0usize;
    loop {
        match reader.read_event().map_err(|e| e.to_string())? {
            Event::Start(start) => {
                elements.push(element(&start)?);
                depth += 1;
            }
            Event::Empty(start) => elements.push(element(&start)?),
            Event::End(_) => depth = depth.saturating_sub(1),
            Event::Text(text) if depth == 0 && !text.trim_ascii().is_empty() => {
                return Err("text outside the root element".to_owned());
            }
            Event::Eof if depth > 0 || elements.is_empty() => {
                return Err("the end inside an element".to_owned());
            }
            Event::Eof => return Ok(elements),
            _ => {}
        }
    }
}

fn element(start: &BytesStart<'_>) -> Result<Element, String> {
    let mut attributes = BTreeMap::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|e| e.to_string())?;
        attributes.insert(
            attribute.key.as_ref().to_owned(),
            unescape(&attribute.value)
                .map_err(|e| e.to_string())?
                .into_owned(),
        );
    }
    let local = start.local_name().as_ref().to_owned();
    Ok(Element { local, attributes })
}
