//! From the document to configurations.

use std::collections::HashSet;

use gateway_component_abi::value::{Kind, Properties, Scalar, Secret, Value};
use zeroize::Zeroizing;

use super::scalar;
use super::xml::{Cursor, Element, Node};
use super::{limits, name};
use super::{Configuration, ConfigurationsError, Sealed, XmlLimits};

type Open<'a> = &'a mut dyn FnMut(Sealed<'_>) -> Result<Secret, String>;

/// Reads a document, in its order. `open` turns a password as it stands there into the secret;
/// its error is one line without the secret.
///
/// Every prefix bound to [`super::ESF_NAMESPACE`] is good, and `esf` even if it is not bound. A missing `array` or `encrypted` is
/// false. An array without values is no property, nor is what has neither type nor value (Kura's
/// null), as in Kura. Elements of other namespaces
/// (Kura's metatype definitions) are skipped; an element of this one that does not belong where
/// it stands is an error, because skipping it would lose what somebody meant.
///
/// # Errors
/// [`ConfigurationsError`] with the line: not well-formed, a DOCTYPE, an entity that is not
/// predefined, a limit, a pid or property that occurs twice, an unknown type, a value that is not
/// of its type.
pub fn read(
    xml: &[u8],
    limits: &XmlLimits,
    open: &mut dyn FnMut(Sealed<'_>) -> Result<Secret, String>,
) -> Result<Vec<Configuration>, ConfigurationsError> {
    let mut document = Document {
        cursor: Cursor::new(xml, limits)?,
        limits,
        open,
        weight: xml.len(),
    };
    document.read()
}

struct Document<'a, 'b> {
    cursor: Cursor<'a>,
    limits: &'a XmlLimits,
    open: Open<'b>,
    /// Of what was read so far.
    weight: usize,
}

impl Document<'_, '_> {
    fn read(&mut self) -> Result<Vec<Configuration>, ConfigurationsError> {
        match self.element()? {
            Some(root) if root.is(name::CONFIGURATIONS) => {}
            Some(root) => {
                return Err(self.cursor.structure(format!(
                    "the root element is {:?}, not configurations of {}",
                    root.local,
                    super::ESF_NAMESPACE
                )))
            }
            None => return Err(self.cursor.structure("there is no root element")),
        }
        let mut all: Vec<Configuration> = Vec::new();
        let mut pids = HashSet::new();
        while let Some(element) = self.child(name::CONFIGURATION)? {
            self.limit(all.len(), self.limits.configurations, "configurations")?;
            let line = self.cursor.line();
            let pid = match element.attribute(name::PID) {
                Some(pid) if !pid.is_empty() => pid.to_owned(),
                _ => return Err(self.cursor.structure("a configuration without pid")),
            };
            if !pids.insert(pid.clone()) {
                return Err(ConfigurationsError::Pid {
                    line,
                    pid,
                    what: "occurs twice".to_owned(),
                });
            }
            self.weigh(limits::of_pid(&pid))?;
            let properties = self.configuration(&pid)?;
            all.push(Configuration { pid, properties });
        }
        match self.element()? {
            None => Ok(all),
            Some(_) => Err(self.cursor.structure("a second root element")),
        }
    }

    fn configuration(&mut self, pid: &str) -> Result<Properties, ConfigurationsError> {
        let mut found = None;
        while self.child(name::PROPERTIES)?.is_some() {
            if found.is_some() {
                return Err(ConfigurationsError::Pid {
                    line: self.cursor.line(),
                    pid: pid.to_owned(),
                    what: "has properties twice".to_owned(),
                });
            }
            found = Some(self.properties(pid)?);
        }
        Ok(found.unwrap_or_default())
    }

    fn properties(&mut self, pid: &str) -> Result<Properties, ConfigurationsError> {
        let mut properties = Properties::new();
        let mut names = HashSet::new();
        while let Some(element) = self.child(name::PROPERTY)? {
            self.limit(names.len(), self.limits.properties, "properties")?;
            let line = self.cursor.line();
            let name = element.attribute(name::NAME).unwrap_or_default().to_owned();
            let wrong = |what: String| ConfigurationsError::Property {
                line,
                pid: pid.to_owned(),
                name: name.clone(),
                what,
            };
            if name.is_empty() {
                return Err(wrong("it has no name".to_owned()));
            }
            if !names.insert(name.clone()) {
                return Err(wrong("occurs twice".to_owned()));
            }
            let mut texts = self.values()?;
            // Before they are made: each password takes a page.
            let kind = element.attribute(name::TYPE).and_then(Kind::from_name);
            let kind = kind.unwrap_or(Kind::String);
            self.weigh(limits::of_values(kind, texts.len()) + limits::escapes(&name))?;
            let value = self.value(&element, &mut texts).map_err(wrong)?;
            if let Some(value) = value {
                self.weigh(limits::of_texts(&value))?;
                properties.insert(name, value);
            }
        }
        Ok(properties)
    }

    fn value(
        &mut self,
        element: &Element,
        texts: &mut [Zeroizing<String>],
    ) -> Result<Option<Value>, String> {
        let array = flag(element, name::ARRAY)?;
        let encrypted = flag(element, name::ENCRYPTED)?;
        let kind = match element.attribute(name::TYPE) {
            Some(kind) => kind,
            None if texts.is_empty() => return Ok(None),
            None => return Err("it has no type".to_owned()),
        };
        let kind = Kind::from_name(kind).ok_or_else(|| format!("type {kind:?} does not exist"))?;
        let mut scalars = Vec::with_capacity(texts.len());
        for text in texts {
            scalars.push(match kind {
                Kind::Password => Scalar::Password((self.open)(Sealed { encrypted, text })?),
                // It may be large.
                Kind::String => Scalar::String(std::mem::take(&mut **text)),
                _ => scalar::parse(kind, text)?,
            });
        }
        if array {
            return Ok((!scalars.is_empty()).then_some(Value::Array(kind, scalars)));
        }
        let count = scalars.len();
        match (scalars.pop(), count) {
            (Some(scalar), 1) => Ok(Some(Value::Scalar(scalar))),
            (None, _) => Err("it has no value".to_owned()),
            _ => Err(format!("it has {count} values, but is no array")),
        }
    }

    /// The texts of the values of a property, whose start was read last.
    fn values(&mut self) -> Result<Vec<Zeroizing<String>>, ConfigurationsError> {
        let mut values = Vec::new();
        while self.child(name::VALUE)?.is_some() {
            self.limit(values.len(), self.limits.values, "values of a property")?;
            let mut value = Zeroizing::new(String::new());
            loop {
                match self.cursor.next()? {
                    // The first part is most often all of it.
                    Node::Text(text) if value.is_empty() => value = text,
                    Node::Text(text) => value.push_str(&text),
                    Node::End => break,
                    Node::Start(_) | Node::Eof => {
                        return Err(self.cursor.structure("an element inside a value"))
                    }
                }
            }
            values.push(value);
        }
        Ok(values)
    }

    /// So much more was read.
    fn weigh(&mut self, more: usize) -> Result<(), ConfigurationsError> {
        self.weight = self.weight.saturating_add(more);
        if self.weight <= self.limits.weight {
            return Ok(());
        }
        Err(ConfigurationsError::Limit {
            line: self.cursor.line(),
            what: limits::WEIGHT,
            limit: self.limits.weight,
        })
    }

    fn limit(
        &self,
        count: usize,
        limit: usize,
        what: &'static str,
    ) -> Result<(), ConfigurationsError> {
        if count < limit {
            return Ok(());
        }
        Err(ConfigurationsError::Limit {
            line: self.cursor.line(),
            what,
            limit,
        })
    }

    /// The next child, which has to be of that name; elements of other namespaces are skipped.
    fn child(&mut self, local: &str) -> Result<Option<Element>, ConfigurationsError> {
        loop {
            match self.element()? {
                Some(element) if element.is(local) => return Ok(Some(element)),
                Some(element) if element.esf => {
                    let found = &element.local;
                    return Err(self
                        .cursor
                        .structure(format!("element {found:?} where {local:?} belongs")));
                }
                Some(_) => self.cursor.skip()?,
                None => return Ok(None),
            }
        }
    }

    /// The next element, or `None` at the end of the one around it.
    fn element(&mut self) -> Result<Option<Element>, ConfigurationsError> {
        loop {
            match self.cursor.next()? {
                Node::Start(element) => return Ok(Some(element)),
                Node::End | Node::Eof => return Ok(None),
                // White space, or what a template left; Kura does not look at it either.
                Node::Text(_) => {}
            }
        }
    }
}

/// As `Boolean.parseBoolean`, but what is neither is an error.
fn flag(element: &Element, name: &str) -> Result<bool, String> {
    match element.attribute(name) {
        None => Ok(false),
        Some(text) if text.eq_ignore_ascii_case("true") => Ok(true),
        Some(text) if text.eq_ignore_ascii_case("false") => Ok(false),
        Some(_) => Err(format!("attribute {name} is neither true nor false")),
    }
}
