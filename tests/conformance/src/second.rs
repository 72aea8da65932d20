//! A second look at an XML document, by a parser that shares nothing with the one that is judged
//! (roxmltree). It tells whether a refusal names a fault that is there, and what a document holds.
//! It knows no format; `metatype` and `snapshot` ask it.

use roxmltree::{Document, Error, Node, ParsingOptions};

/// Why there is no second look.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The bytes are not in the encoding that the document has, or says it has.
    Encoding,
    /// In an encoding that is not known here.
    UnknownEncoding,
    /// A DOCTYPE, behind which this look does not go.
    Doctype,
    /// Not well-formed.
    Syntax(String),
}

/// The text of a document, by its first bytes or by its declaration.
pub(crate) fn text(xml: &[u8]) -> Result<String, Fault> {
    let wide = |units: &mut dyn Iterator<Item = u16>| {
        char::decode_utf16(units)
            .collect::<Result<String, _>>()
            .map_err(|_| Fault::Encoding)
    };
    let pairs = || xml.chunks_exact(2);
    let big = |two: &[u8]| {
        two.iter()
            .fold(0, |unit, byte| unit << 8 | u16::from(*byte))
    };
    let text = if xml.starts_with(b"\xfe\xff") || xml.starts_with(b"\0<\0") {
        wide(&mut pairs().map(big))?
    } else if xml.starts_with(b"\xff\xfe") || xml.starts_with(b"<\0") {
        wide(&mut pairs().map(|two| big(two).swap_bytes()))?
    } else {
        narrow(xml)?
    };
    Ok(text.trim_start_matches('\u{feff}').to_owned())
}

fn narrow(xml: &[u8]) -> Result<String, Fault> {
    let declaration: String = xml
        .iter()
        .take_while(|byte| **byte != b'>')
        .map(|byte| char::from(*byte).to_ascii_lowercase())
        .collect();
    let declared = declaration
        .rsplit_once("<?xml")
        .and_then(|(_, rest)| rest.split_once("encoding"))
        .and_then(|(_, rest)| rest.split(['"', '\'']).nth(1))
        .unwrap_or("utf-8");
    match declared {
        "us-ascii" | "ascii" if !xml.is_ascii() => Err(Fault::Encoding),
        _ if xml.is_ascii() => Ok(xml.iter().map(|byte| char::from(*byte)).collect()),
        "utf-8" | "utf8" => String::from_utf8(xml.to_vec()).map_err(|_| Fault::Encoding),
        "iso-8859-1" | "latin1" => Ok(xml.iter().map(|byte| char::from(*byte)).collect()),
        _ => Err(Fault::UnknownEncoding),
    }
}

/// Most prefixes that are bound for a document that does not.
const MAX_UNBOUND: usize = 8;

/// Parses a text. Kura asks no prefix for its namespace; so one that the document does not bind
/// is bound here, to [`unbound`], and no fault.
pub(crate) fn with_document<T>(
    text: &str,
    look: impl FnOnce(&Document<'_>) -> T,
) -> Result<T, Fault> {
    let mut text = text.to_owned();
    for _ in 0..=MAX_UNBOUND {
        let options = ParsingOptions {
            allow_dtd: false,
            ..ParsingOptions::default()
        };
        let error = match Document::parse_with_options(&text, options) {
            Ok(document) => {
                return match passed_over(&document) {
                    Some(what) => Err(Fault::Syntax(what.to_owned())),
                    None => Ok(look(&document)),
                }
            }
            Err(error) => error,
        };
        text = match &error {
            Error::UnknownNamespace(prefix, _) => match bound(&text, prefix) {
                Some(text) => text,
                None => return Err(Fault::Syntax(error.to_string())),
            },
            Error::DtdDetected => return Err(Fault::Doctype),
            _ => return Err(Fault::Syntax(error.to_string())),
        };
    }
    Err(Fault::Syntax("too many unbound prefixes".to_owned()))
}

/// What is not well-formed, and this parser does not mind.
fn passed_over(document: &Document<'_>) -> Option<&'static str> {
    let text = document.input_text();
    let named_xml = |node: Node<'_, '_>| {
        node.pi()
            .is_some_and(|pi| pi.target.eq_ignore_ascii_case("xml"))
    };
    if document.descendants().any(named_xml) {
        return Some("a processing instruction with the name of the declaration");
    }
    let declaration = text
        .strip_prefix("<?xml")
        .filter(|rest| rest.starts_with(char::is_whitespace))
        .and_then(|rest| rest.split_once("?>"));
    let mut parts = declaration.map_or("", |(d, _)| d).split(['"', '\'']);
    while let (Some(name), Some(value)) = (parts.next(), parts.next()) {
        let letters = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let good = match name.trim().trim_end_matches('=').trim_end() {
            "version" => value
                .strip_prefix("1.")
                .is_some_and(|v| v.parse::<u32>().is_ok()),
            "standalone" => matches!(value, "yes" | "no"),
            _ => value.starts_with(|c: char| c.is_ascii_alphabetic()) && value.chars().all(letters),
        };
        if !good {
            return Some("a value of the declaration");
        }
    }
    has_half_of_a_pair(text).then_some("a reference to half of a surrogate pair")
}

/// Whether a reference names a surrogate, outside of comments and the like.
fn has_half_of_a_pair(text: &str) -> bool {
    let mut rest = text;
    while let Some(at) = rest.find(['<', '&']) {
        rest = rest.get(at..).unwrap_or_default();
        let closed = [("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>")]
            .into_iter()
            .find(|(open, _)| rest.starts_with(open));
        if let Some((_, close)) = closed {
            rest = rest.split_once(close).map_or("", |(_, behind)| behind);
            continue;
        }
        let number = rest.strip_prefix("&#").and_then(|n| n.split(';').next());
        let number = number.and_then(|number| match number.strip_prefix('x') {
            Some(hex) => u32::from_str_radix(hex, 16).ok(),
            None => number.parse().ok(),
        });
        if number.is_some_and(|number| (0xd800..0xe000).contains(&number)) {
            return true;
        }
        rest = rest.get(1..).unwrap_or_default();
    }
    false
}

/// The namespace that a prefix means which the document does not bind.
pub(crate) fn unbound(prefix: &str) -> String {
    format!("urn:unbound:{prefix}")
}

/// The text with the prefix bound in the start of its root element.
fn bound(text: &str, prefix: &str) -> Option<String> {
    let mut at = 0;
    let name = loop {
        at += text.get(at..)?.find('<')?;
        let rest = text.get(at..)?;
        let end = match rest {
            _ if rest.starts_with("<?") => rest.find("?>")?,
            _ if rest.starts_with("<!--") => rest.find("-->")?,
            _ => break at + 1,
        };
        at += end;
    };
    let end = name
        + text
            .get(name..)?
            .find(|c: char| c.is_whitespace() || "/>".contains(c))?;
    let (before, after) = text.split_at_checked(end)?;
    Some(format!(
        "{before} xmlns:{prefix}=\"{}\"{after}",
        unbound(prefix)
    ))
}

/// The children of that name which mean what they would mean to Kura, or to a reader that goes by
/// the namespace: without a prefix, or in the namespace of the root.
pub(crate) fn children<'a, 'b: 'a>(
    parent: Node<'a, 'b>,
    name: &'static str,
) -> impl Iterator<Item = Node<'a, 'b>> {
    let root = parent.document().root_element();
    let namespace = root.tag_name().namespace().map(str::to_owned);
    parent
        .children()
        .filter(move |node| node.is_element() && node.tag_name().name() == name)
        .filter(move |node| {
            let own = node.tag_name().namespace();
            !has_prefix(node) || (own.is_some() && own == namespace.as_deref())
        })
}

fn has_prefix(node: &Node<'_, '_>) -> bool {
    let text = node.document().input_text();
    let start = text.get(node.range().start..).unwrap_or_default();
    let name = start.split(|c: char| c.is_whitespace() || "/>".contains(c));
    name.into_iter()
        .next()
        .is_some_and(|name| name.contains(':'))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn fault(xml: &[u8]) -> Fault {
        text(xml)
            .and_then(|text| with_document(&text, |_| ()))
            .unwrap_err()
    }

    #[test]
    fn what_is_no_well_formed_document_is_seen() {
        for xml in [
            "",
            "text",
            "<a>",
            "<a/><b/>",
            "<a/>text",
            "\n<?xml version='1.0'?><a/>",
            "<a b='<'/>",
            "<a b='1' b='2'/>",
            "<a>&unknown;</a>",
            "<a b='&unknown;'/>",
            "<a>\u{1}</a>",
            "<a><!-- a -- b --></a>",
            "<a>&#xd800;</a>",
            "<a b='&#56320;'/>",
            "<?xml version='2.0'?><a/>",
            "<?xml version='1.0' encoding='UTF 8'?><a/>",
            "<?xml version='1.0' standalone=\"true\"?><a/>",
            "<a/><?XML b?>",
        ] {
            assert!(matches!(fault(xml.as_bytes()), Fault::Syntax(_)), "{xml}");
        }
        assert_eq!(fault(b"<!DOCTYPE a><a/>"), Fault::Doctype);
        assert_eq!(fault(b"<a>\xe9</a>"), Fault::Encoding);
        assert_eq!(fault(b"\xff\xfe<\0\0\xd8>\0"), Fault::Encoding);
        let other = b"<?xml version='1.0' encoding='windows-1252'?><a>\xe9</a>";
        assert_eq!(fault(other), Fault::UnknownEncoding);
    }

    #[test]
    fn what_looks_like_a_fault_is_none() {
        for text in [
            "<?xml version = '1.1' encoding=\"a.b_c-1\" standalone='no' ?><a/>",
            "<a><!-- &#xd800; --><![CDATA[&#xd800;]]><?b &#xd800;?>&#xd7ff;&#57344;</a>",
            "<?xml-b '?><a/>",
        ] {
            assert_eq!(with_document(text, |_| ()), Ok(()), "{text}");
        }
    }

    #[test]
    fn an_unbound_prefix_is_no_fault() {
        let text = "<?xml version='1.0'?><!-- <x> --><e:a><f:b/></e:a>";
        with_document(text, |document| {
            let root = document.root_element();
            assert_eq!(root.tag_name().namespace(), Some(unbound("e").as_str()));
            assert_eq!(children(root, "b").count(), 0);
        })
        .unwrap();
    }
}
