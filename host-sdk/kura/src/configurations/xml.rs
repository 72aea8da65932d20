//! A stream of elements and texts over quick-xml: namespaces resolved, depth and size bounded,
//! no DTD, no entity but the five predefined ones. Knows nothing of configurations.

use quick_xml::events::attributes::Attribute;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::ResolveResult;
use quick_xml::NsReader;
use zeroize::Zeroizing;

use super::{ConfigurationsError, XmlLimits, ESF_NAMESPACE};
use crate::markup::{self, is_xml_char};

/// The start of an element.
pub(super) struct Element {
    /// Whether it is in [`ESF_NAMESPACE`].
    pub(super) esf: bool,
    /// Its name without prefix.
    pub(super) local: String,
    attributes: Vec<(String, String)>,
}

impl Element {
    pub(super) fn is(&self, local: &str) -> bool {
        self.esf && self.local == local
    }

    /// The value of an attribute without prefix.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}

pub(super) enum Node {
    Start(Element),
    End,
    Text(Zeroizing<String>),
    Eof,
}

pub(super) struct Cursor<'a> {
    text: &'a str,
    reader: NsReader<&'a [u8]>,
    depth: usize,
    max_depth: usize,
    /// The bytes whose lines are counted in `line`.
    counted: usize,
    line: usize,
}

/// A configuration has two; no document needs the memory of more.
const MAX_ATTRIBUTES: usize = 64;

impl<'a> Cursor<'a> {
    pub(super) fn new(xml: &'a [u8], limits: &XmlLimits) -> Result<Self, ConfigurationsError> {
        if xml.len() > limits.bytes {
            return Err(ConfigurationsError::Limit {
                line: 1,
                what: "bytes",
                limit: limits.bytes,
            });
        }
        let text = std::str::from_utf8(xml).map_err(|error| ConfigurationsError::Xml {
            line: line(xml, error.valid_up_to()),
            reason: "the document is not UTF-8".to_owned(),
        })?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if let Some((at, character)) = text.char_indices().find(|(_, c)| !is_xml_char(*c)) {
            return Err(ConfigurationsError::Xml {
                line: line(text.as_bytes(), at),
                reason: format!("{character:?} is not allowed in XML"),
            });
        }
        let mut reader = NsReader::from_str(text);
        let config = reader.config_mut();
        config.expand_empty_elements = true;
        config.check_comments = true;
        Ok(Self {
            text,
            reader,
            depth: 0,
            max_depth: limits.depth,
            counted: 0,
            line: 1,
        })
    }

    /// Of what was read last, from 1.
    pub(super) fn line(&self) -> usize {
        self.line
    }

    fn count_lines(&mut self) {
        let now = usize::try_from(self.reader.buffer_position()).unwrap_or(self.counted);
        let read = self.text.as_bytes().get(self.counted..now);
        self.line += line_feeds(read.unwrap_or_default());
        self.counted = now;
    }

    pub(super) fn structure(&self, what: impl Into<String>) -> ConfigurationsError {
        ConfigurationsError::Structure {
            line: self.line(),
            what: what.into(),
        }
    }

    fn xml(&self, reason: impl Into<String>) -> ConfigurationsError {
        ConfigurationsError::Xml {
            line: self.line(),
            reason: reason.into(),
        }
    }

    pub(super) fn next(&mut self) -> Result<Node, ConfigurationsError> {
        loop {
            let at = self.counted;
            let event = self.reader.read_event();
            self.count_lines();
            let event = match event {
                Ok(event) => event,
                Err(error) => {
                    let at = usize::try_from(self.reader.error_position()).unwrap_or(usize::MAX);
                    return Err(ConfigurationsError::Xml {
                        line: line(self.text.as_bytes(), at),
                        reason: error.to_string(),
                    });
                }
            };
            if let Some(what) = markup::fault(&event) {
                return Err(self.xml(what));
            }
            match event {
                Event::Start(start) | Event::Empty(start) => {
                    self.depth += 1;
                    if self.depth > self.max_depth {
                        return Err(ConfigurationsError::Limit {
                            line: self.line(),
                            what: "elements inside each other",
                            limit: self.max_depth,
                        });
                    }
                    return Ok(Node::Start(self.element(&start)?));
                }
                Event::End(_) => {
                    self.depth = self.depth.saturating_sub(1);
                    return Ok(Node::End);
                }
                Event::Text(text) => {
                    let raw = text.into_inner();
                    if self.depth > 0 {
                        return Ok(Node::Text(Zeroizing::new(line_ends(&raw))));
                    }
                    if !raw.chars().all(|c| c.is_ascii_whitespace()) {
                        return Err(self.xml("text outside the root element"));
                    }
                }
                Event::CData(text) => {
                    let raw = text.into_inner();
                    if self.depth == 0 {
                        return Err(self.xml("CDATA outside the root element"));
                    }
                    return Ok(Node::Text(Zeroizing::new(line_ends(&raw))));
                }
                Event::GeneralRef(reference) => {
                    let name = reference.into_inner();
                    if self.depth == 0 {
                        return Err(self.xml("a reference outside the root element"));
                    }
                    let character = self.reference(&name)?;
                    return Ok(Node::Text(Zeroizing::new(character.to_string())));
                }
                Event::DocType(_) => return Err(self.xml("a DOCTYPE is not accepted")),
                Event::Decl(_) if at > 0 => {
                    return Err(self.xml("the XML declaration is not at the start"));
                }
                Event::Decl(declaration) => {
                    if let Some(encoding) = declaration.encoding() {
                        let encoding = encoding.map_err(|e| self.xml(e.to_string()))?;
                        if !self.text.is_ascii() && !encoding.eq_ignore_ascii_case("UTF-8") {
                            return Err(self.xml("the encoding is not UTF-8"));
                        }
                    }
                }
                Event::Comment(_) | Event::PI(_) => {}
                Event::Eof if self.depth > 0 => {
                    return Err(self.xml("the document ends inside an element"));
                }
                Event::Eof => return Ok(Node::Eof),
            }
        }
    }

    /// Reads on behind the end of the element that was started last.
    pub(super) fn skip(&mut self) -> Result<(), ConfigurationsError> {
        let outside = self.depth.saturating_sub(1);
        while self.depth > outside {
            self.next()?;
        }
        Ok(())
    }

    fn element(&self, start: &BytesStart<'_>) -> Result<Element, ConfigurationsError> {
        let (namespace, local) = self.reader.resolver().resolve_element(start.name());
        let esf = match namespace {
            ResolveResult::Bound(namespace) => namespace.as_ref() == ESF_NAMESPACE,
            ResolveResult::Unbound => false,
            // Kura looks at the literal prefix, and does not ask what it is bound to.
            ResolveResult::Unknown(prefix) if prefix == "esf" => true,
            ResolveResult::Unknown(prefix) => {
                return Err(self.xml(format!("prefix {prefix:?} is not bound to a namespace")));
            }
        };
        let local = local.as_ref().to_owned();
        let mut attributes = Vec::new();
        for (index, attribute) in start.attributes().enumerate() {
            if index >= MAX_ATTRIBUTES {
                return Err(ConfigurationsError::Limit {
                    line: self.line(),
                    what: "attributes of an element",
                    limit: MAX_ATTRIBUTES,
                });
            }
            let attribute = attribute.map_err(|e| self.xml(e.to_string()))?;
            let value = self.attribute_value(&attribute)?;
            if attribute.key.prefix().is_none() {
                attributes.push((attribute.key.as_ref().to_owned(), value));
            }
        }
        Ok(Element {
            esf,
            local,
            attributes,
        })
    }

    /// With the normalisation of XML 1.0, 3.3.3: literal white space becomes a space, a reference
    /// stays what it is.
    fn attribute_value(&self, attribute: &Attribute<'_>) -> Result<String, ConfigurationsError> {
        let raw = line_ends(&attribute.value).replace(['\n', '\t'], " ");
        let mut value = String::with_capacity(raw.len());
        let mut rest = raw.as_str();
        while let Some((before, after)) = rest.split_once('&') {
            let Some((name, behind)) = after.split_once(';') else {
                return Err(self.xml("an ampersand that starts no reference"));
            };
            value.push_str(before);
            value.push(self.reference(name)?);
            rest = behind;
        }
        value.push_str(rest);
        Ok(value)
    }

    fn reference(&self, name: &str) -> Result<char, ConfigurationsError> {
        markup::reference(name).ok_or_else(|| {
            let name: String = name.chars().take(40).collect();
            self.xml(format!("reference {name:?} is not accepted"))
        })
    }
}

/// XML 1.0, 2.11.
fn line_ends(text: &str) -> String {
    if text.contains('\r') {
        text.replace("\r\n", "\n").replace('\r', "\n")
    } else {
        text.to_owned()
    }
}

fn line(bytes: &[u8], at: usize) -> usize {
    1 + line_feeds(bytes.get(..at).unwrap_or(bytes))
}

fn line_feeds(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte == b'\n').count()
}
