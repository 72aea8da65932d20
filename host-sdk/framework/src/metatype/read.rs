//! Reading the XML of a metatype.
//!
//! As lenient as Kura's own reader (`XmlJavaMetadataMapper`: element names count, namespaces do
//! not, unknown elements and attributes are passed over, a cardinality that is no number is 0),
//! and more lenient where it loses a document that OSGi allows: children may carry the prefix
//! of the root or another of its namespace, `Character` is another word for `Char`, and the
//! document may be in UTF-16. What is no well-formed XML, carries
//! a DOCTYPE, or names a type that nobody can represent, is refused.

use quick_xml::events::{BytesStart, Event};
use quick_xml::Reader;

use gateway_component_abi::value::Kind;
use kura_formats::markup::{self, is_xml_char};

use super::xml::{decode, syntax, Attributes};
use super::{Ad, AdOption, Designate, Icon, Metatype, Ocd};

/// Longest document, in bytes.
pub const MAX_DOCUMENT: usize = 4 << 20;
/// Most elements of one document.
pub const MAX_ELEMENTS: usize = 50_000;
/// Deepest nesting.
pub const MAX_DEPTH: usize = 32;
/// Most attributes of one element: an AD of the specification has nine.
pub const MAX_ATTRIBUTES: usize = 64;

/// Why a document is no metatype. Positions are bytes from its start.
#[derive(Debug, thiserror::Error)]
pub enum MetatypeError {
    /// More than the reader takes.
    #[error("the metatype has more than {limit} {of}")]
    TooLarge {
        /// The limit.
        limit: usize,
        /// Of what.
        of: &'static str,
    },
    /// Not a text in UTF-8, UTF-16, ISO-8859-1 or US-ASCII.
    #[error("the metatype is not encoded in {encoding}")]
    Encoding {
        /// What it should have been.
        encoding: String,
    },
    /// A DOCTYPE, which could carry entities.
    #[error("the metatype has a DOCTYPE at byte {at}; none is accepted")]
    Doctype {
        /// Where.
        at: u64,
    },
    /// Not well-formed.
    #[error("the metatype is no well-formed XML at byte {at}: {what}")]
    Syntax {
        /// Where.
        at: u64,
        /// What is wrong.
        what: String,
        /// The parser's own word, where it came from there.
        #[source]
        source: Option<Box<quick_xml::Error>>,
    },
    /// Another kind of document.
    #[error("the root element is {root:?}, not MetaData")]
    NotMetatype {
        /// What the root element is.
        root: String,
    },
    /// An attribute without which the element means nothing.
    #[error("{element} at byte {at} has no {attribute}")]
    Missing {
        /// The element, with its id where it has one.
        element: String,
        /// The attribute.
        attribute: &'static str,
        /// Where.
        at: u64,
    },
    /// A type outside the ten; Kura loses the whole metatype over it.
    #[error("AD {ad:?} of OCD {ocd:?} is of the unknown type {given:?}")]
    UnknownType {
        /// The OCD.
        ocd: String,
        /// The AD.
        ad: String,
        /// The type as written.
        given: String,
    },
}

/// Reads a document. See the module for what is accepted.
///
/// # Errors
/// The first thing that is wrong, and where.
pub fn read(xml: &[u8]) -> Result<Metatype, MetatypeError> {
    if xml.len() > MAX_DOCUMENT {
        let (limit, of) = (MAX_DOCUMENT, "bytes");
        return Err(MetatypeError::TooLarge { limit, of });
    }
    let text = decode(xml)?;
    if let Some((at, c)) = text.char_indices().find(|(_, c)| !is_xml_char(*c)) {
        let what = format!("the character U+{:04X} is not allowed", u32::from(c));
        return Err(syntax(at as u64, what));
    }
    let mut reader = Reader::from_str(&text);
    reader.config_mut().check_comments = true;
    let mut document = Document::default();
    loop {
        let at = reader.buffer_position();
        let event = reader.read_event().map_err(|e| MetatypeError::Syntax {
            at: reader.error_position(),
            what: e.to_string(),
            source: Some(Box::new(e)),
        })?;
        if let Some(what) = markup::fault(&event) {
            return Err(syntax(at, what.to_owned()));
        }
        match event {
            Event::Start(element) => document.open(&element, at, false)?,
            Event::Empty(element) => document.open(&element, at, true)?,
            Event::End(_) => document.close(),
            Event::Text(text) => document.text(&text, at)?,
            Event::CData(_) if document.path.is_empty() => {
                return Err(syntax(at, "text outside the root element".to_owned()))
            }
            Event::GeneralRef(_) if document.path.is_empty() => {
                return Err(syntax(
                    at,
                    "a reference outside the root element".to_owned(),
                ))
            }
            Event::DocType(_) => return Err(MetatypeError::Doctype { at }),
            Event::Decl(_) if at != 0 => {
                return Err(syntax(
                    at,
                    "the XML declaration is not at the start".to_owned(),
                ))
            }
            Event::Eof => return document.finish(at),
            Event::Decl(_)
            | Event::CData(_)
            | Event::Comment(_)
            | Event::PI(_)
            | Event::GeneralRef(_) => {}
        }
    }
}

/// What an open element is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Root,
    Ocd,
    Ad,
    Designate,
    /// Whatever is passed over, with all that is in it.
    Other,
}

#[derive(Default)]
struct Document {
    metatype: Metatype,
    /// Prefix of the root element and those of the same namespace, which its children may carry.
    prefixes: Vec<String>,
    path: Vec<Place>,
    elements: usize,
    finished: bool,
}

impl Document {
    fn open(
        &mut self,
        element: &BytesStart<'_>,
        at: u64,
        empty: bool,
    ) -> Result<(), MetatypeError> {
        self.elements += 1;
        if self.elements > MAX_ELEMENTS {
            let (limit, of) = (MAX_ELEMENTS, "elements");
            return Err(MetatypeError::TooLarge { limit, of });
        }
        if self.path.len() >= MAX_DEPTH {
            let (limit, of) = (MAX_DEPTH, "levels");
            return Err(MetatypeError::TooLarge { limit, of });
        }
        let name = element.name().into_inner().to_owned();
        let attributes = Attributes::of(element, at)?;
        let place = match self.path.last() {
            None => self.root(&name, &attributes, at)?,
            Some(parent) => {
                let parent = *parent;
                let local = match name.split_once(':') {
                    Some((prefix, local)) if self.prefixes.iter().any(|p| p == prefix) => local,
                    Some(_) => "",
                    None => name.as_str(),
                };
                self.child(parent, local, &attributes, at)?
            }
        };
        if empty {
            self.finished |= self.path.is_empty();
        } else {
            self.path.push(place);
        }
        Ok(())
    }

    fn close(&mut self) {
        self.path.pop();
        self.finished |= self.path.is_empty();
    }

    fn root(
        &mut self,
        name: &str,
        attributes: &Attributes,
        at: u64,
    ) -> Result<Place, MetatypeError> {
        if self.finished {
            return Err(syntax(at, "a second root element".to_owned()));
        }
        let (prefix, local) = name.split_once(':').unwrap_or(("", name));
        if local != "MetaData" {
            let root = name.chars().take(64).collect();
            return Err(MetatypeError::NotMetatype { root });
        }
        self.prefixes = attributes.prefixes_like(prefix);
        self.metatype.localization = attributes.get("localization");
        Ok(Place::Root)
    }

    fn child(
        &mut self,
        parent: Place,
        name: &str,
        attributes: &Attributes,
        at: u64,
    ) -> Result<Place, MetatypeError> {
        let metatype = &mut self.metatype;
        Ok(match (parent, name) {
            (Place::Root, "OCD") => {
                metatype.ocds.push(ocd(attributes, at)?);
                Place::Ocd
            }
            (Place::Root, "Designate") => {
                metatype.designates.push(Designate {
                    pid: attributes.get("pid"),
                    factory_pid: attributes.get("factoryPid"),
                    ocd_ref: String::new(),
                });
                Place::Designate
            }
            (Place::Ocd, "AD") => {
                if let Some(ocd) = metatype.ocds.last_mut() {
                    let ad = ad(attributes, &ocd.id, at)?;
                    ocd.ads.push(ad);
                }
                Place::Ad
            }
            (Place::Ocd, "Icon") => {
                if let Some(ocd) = metatype.ocds.last_mut() {
                    ocd.icons.push(Icon {
                        resource: attributes.get("resource").unwrap_or_default(),
                        size: attributes.parsed("size").unwrap_or_default(),
                    });
                }
                Place::Other
            }
            (Place::Ad, "Option") => {
                let last = metatype.ocds.last_mut().and_then(|ocd| ocd.ads.last_mut());
                if let Some(ad) = last {
                    let value = attributes.raw("value").unwrap_or_default().to_owned();
                    let label = attributes.get("label").unwrap_or_else(|| value.clone());
                    ad.options.push(AdOption { label, value });
                }
                Place::Other
            }
            (Place::Designate, "Object") => {
                if let Some(designate) = metatype.designates.last_mut() {
                    designate.ocd_ref = attributes.get("ocdref").unwrap_or_default();
                }
                Place::Other
            }
            _ => Place::Other,
        })
    }

    fn text(&self, text: &str, at: u64) -> Result<(), MetatypeError> {
        if self.path.is_empty() && !text.trim_ascii().is_empty() {
            return Err(syntax(at, "text outside the root element".to_owned()));
        }
        Ok(())
    }

    fn finish(self, at: u64) -> Result<Metatype, MetatypeError> {
        if !self.path.is_empty() {
            return Err(syntax(at, "the document ends inside an element".to_owned()));
        }
        if !self.finished {
            return Err(syntax(at, "there is no root element".to_owned()));
        }
        Ok(self.metatype)
    }
}

fn ocd(attributes: &Attributes, at: u64) -> Result<Ocd, MetatypeError> {
    let id = attributes.get("id").ok_or_else(|| MetatypeError::Missing {
        element: "OCD".to_owned(),
        attribute: "id",
        at,
    })?;
    Ok(Ocd {
        name: attributes.get("name").unwrap_or_else(|| id.clone()),
        description: attributes.get("description").unwrap_or_default(),
        id,
        ..Ocd::default()
    })
}

fn ad(attributes: &Attributes, ocd: &str, at: u64) -> Result<Ad, MetatypeError> {
    let missing = |attribute: &'static str| MetatypeError::Missing {
        element: format!(
            "AD {:?} of OCD {ocd:?}",
            attributes.get("id").unwrap_or_default()
        ),
        attribute,
        at,
    };
    let id = attributes.get("id").ok_or_else(|| missing("id"))?;
    let kind = attributes.get("type").ok_or_else(|| missing("type"))?;
    let kind = match kind.as_str() {
        "Character" => Kind::Char,
        name => Kind::from_name(name).ok_or_else(|| MetatypeError::UnknownType {
            ocd: ocd.to_owned(),
            ad: id.clone(),
            given: name.chars().take(64).collect(),
        })?,
    };
    let (description, text_area) =
        super::split_text_area(attributes.get("description").unwrap_or_default());
    Ok(Ad {
        name: attributes.get("name").unwrap_or_else(|| id.clone()),
        id,
        description,
        text_area,
        kind,
        cardinality: attributes.parsed("cardinality").unwrap_or_default(),
        min: attributes.get("min"),
        max: attributes.get("max"),
        default: attributes.get("default"),
        required: attributes
            .get("required")
            .is_none_or(|text| text.eq_ignore_ascii_case("true")),
        options: Vec::new(),
    })
}
