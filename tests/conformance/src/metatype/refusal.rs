//! Whether the fault is there that a refusal names, by the second parser; a document that is not
//! well-formed has to be refused, whatever was found first. A refusal of anything else (a DOCTYPE, a
//! limit, an encoding that is a good one) is our own choice, and never confirmed.

use gateway_component_abi::value::Kind;
use gateway_host_sdk::metatype::MetatypeError;
use roxmltree::{Document, Node};

use crate::second::{self, Fault};

/// Whether the document has the fault.
pub(super) fn is_right(error: &MetatypeError, xml: &[u8]) -> bool {
    let looked = second::text(xml)
        .and_then(|text| second::with_document(&text, |document| has(document, error)));
    match looked {
        Ok(found) => found,
        Err(Fault::Syntax(_) | Fault::Encoding) => true,
        Err(Fault::Doctype | Fault::UnknownEncoding) => false,
    }
}

/// Faults of a document that is well-formed.
fn has(document: &Document<'_>, error: &MetatypeError) -> bool {
    let mut elements = document.descendants().filter(Node::is_element);
    let is = |node: &Node<'_, '_>, name: &str| node.tag_name().name() == name;
    match error {
        MetatypeError::NotMetatype { .. } => !is(&document.root_element(), "MetaData"),
        MetatypeError::UnknownType { given, .. } => {
            let unknown = Kind::from_name(given).is_none() && given != "Character";
            unknown && elements.any(|node| is(&node, "AD") && node.attribute("type") == Some(given))
        }
        MetatypeError::Missing { attribute, .. } => elements.any(|node| {
            let blank = |value: &str| value.chars().all(|c| c <= ' ');
            (is(&node, "OCD") || is(&node, "AD")) && node.attribute(*attribute).is_none_or(blank)
        }),
        _ => false,
    }
}
