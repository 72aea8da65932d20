//! Metatypes: the typed, bounded parameters of a component, in the dialect that Kura's users
//! write (`OSGI-INF/metatype/*.xml`). [`read()`] takes what Kura takes, and what the OSGi schemas
//! 1.0 to 1.4 allow beside it; [`Ocd::defaults`] and [`Ad::parse`] follow Kura's rules, and
//! [`Ocd::validate`] checks what Kura's browser checks. Nothing here stores a value or knows a
//! component; the configuration service and the console call it.

mod bounds;
mod localize;
mod read;
#[cfg(test)]
mod tests;
mod tokens;
mod values;
mod xml;

use std::collections::{HashMap, HashSet};

use gateway_component_abi::value::{Kind, Properties, Value};

pub use localize::localized;
pub use read::{read, MetatypeError};

/// A metatype document.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metatype {
    /// Base name of the localization files; Kura writes `en_us` and never resolves it.
    pub localization: Option<String>,
    /// The object class definitions, in the order of the document.
    pub ocds: Vec<Ocd>,
    /// Which pid has which definition.
    pub designates: Vec<Designate>,
}

/// Binds a pid or factory pid to an OCD.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Designate {
    /// The pid of a singleton; Kura's descriptors often repeat the factory pid here.
    pub pid: Option<String>,
    /// The factory pid; a component with one is a factory.
    pub factory_pid: Option<String>,
    /// The id of the OCD; empty where the document names none.
    pub ocd_ref: String,
}

/// An object class definition: the parameters of one component.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ocd {
    /// The id that designates refer to.
    pub id: String,
    /// The name to show; the id where the document gives none.
    pub name: String,
    /// The text to show, empty where there is none.
    pub description: String,
    /// The parameters, in the order of the document.
    pub ads: Vec<Ad>,
    /// The icons.
    pub icons: Vec<Icon>,
}

/// An icon of an OCD.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Icon {
    /// Path inside the bundle.
    pub resource: String,
    /// Width in pixels; 0 where the document says nothing usable.
    pub size: u32,
}

/// An attribute definition: one parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Ad {
    /// The name of the property.
    pub id: String,
    /// The name to show; the id where the document gives none.
    pub name: String,
    /// The text to show, without the suffix that asks for a text area.
    pub description: String,
    /// Whether the description asks for a text area (`...|TextArea`, Kura's web console).
    pub text_area: bool,
    /// The type.
    pub kind: Kind,
    /// 0, 1 and -1: one value; else an array of at most that many, whatever the sign.
    pub cardinality: i32,
    /// Smallest number or character, or shortest text; as written.
    pub min: Option<String>,
    /// Largest number or character, or longest text; as written.
    pub max: Option<String>,
    /// The default as written; see [`Ad::default_value`].
    pub default: Option<String>,
    /// Whether a value must be there. Absent means true, anything but `true` false, as in Kura.
    pub required: bool,
    /// The allowed values, if any.
    pub options: Vec<AdOption>,
}

/// One of the allowed values of an [`Ad`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AdOption {
    /// The text to show.
    pub label: String,
    /// The value as written.
    pub value: String,
}

/// Why a value does not fit its parameter. Prints as one line, never with a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldProblem {
    /// The id of the parameter.
    pub id: String,
    /// What was given, at most 64 characters of it; nothing for a Password or an absent value.
    pub given: Option<String>,
    /// What is allowed, as a sentence without its end: `must be at least 10`.
    pub allowed: String,
}

impl std::fmt::Display for FieldProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.id, self.allowed)?;
        match &self.given {
            Some(given) => write!(f, ", not {given:?}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for FieldProblem {}

impl Metatype {
    /// The OCD of a pid or factory pid.
    pub fn ocd_of(&self, pid: &str) -> Option<&Ocd> {
        let designate = self.designates.iter().find(|designate| {
            designate.factory_pid.as_deref() == Some(pid) || designate.pid.as_deref() == Some(pid)
        })?;
        self.ocds.iter().find(|ocd| ocd.id == designate.ocd_ref)
    }

    /// Whether the pid is that of a factory: a designate with this factory pid exists.
    pub fn is_factory(&self, pid: &str) -> bool {
        self.designates
            .iter()
            .any(|designate| designate.factory_pid.as_deref() == Some(pid))
    }
}

impl Ocd {
    /// The parameter of that id; the first, where it is defined more than once.
    pub fn ad(&self, id: &str) -> Option<&Ad> {
        self.ads.iter().find(|ad| ad.id == id)
    }

    /// The defaults of all parameters that have one. Kura's rules: an empty default is none, and
    /// the first default of an id counts. A default that does not fit its type, or that of the
    /// first definition of its id, is left out; see [`Ocd::bad_defaults`].
    pub fn defaults(&self) -> Properties {
        let mut properties = Properties::new();
        let mut first = HashMap::new();
        for ad in &self.ads {
            let form = (ad.kind, ad.is_array());
            if *first.entry(ad.id.as_str()).or_insert(form) != form {
                continue;
            }
            if let Ok(Some(value)) = ad.default_value() {
                properties.entry(ad.id.clone()).or_insert(value);
            }
        }
        properties
    }

    /// The defaults that do not fit their type. (Kura does not configure the component then.)
    pub fn bad_defaults(&self) -> Vec<FieldProblem> {
        let problems = self.ads.iter().filter_map(|ad| ad.default_value().err());
        problems.collect()
    }

    /// Leaves out what a form shows read-only: it must not change what it cannot show to be
    /// changed. For the console; other interfaces may write such properties, as in Kura.
    pub fn drop_read_only(&self, properties: &mut Properties) {
        properties.retain(|id, _| !self.ad(id).is_some_and(Ad::read_only));
    }

    /// All that is wrong with the properties, in the order of the parameters. Properties that
    /// the OCD does not know are accepted, as in Kura. Of an id that is defined more than once,
    /// the first definition counts.
    pub fn validate(&self, properties: &Properties) -> Vec<FieldProblem> {
        let mut known = HashSet::new();
        self.ads
            .iter()
            .filter(|ad| known.insert(ad.id.as_str()))
            .filter_map(|ad| match properties.get(&ad.id) {
                Some(value) => ad.check(value).err(),
                None if ad.required => Some(ad.problem(None, "is required")),
                None => None,
            })
            .collect()
    }
}

impl Ad {
    /// Whether forms show it read-only: Kura's convention, min and max are the same text.
    pub fn read_only(&self) -> bool {
        self.min.is_some() && self.min == self.max
    }

    /// Whether it holds an array.
    pub fn is_array(&self) -> bool {
        self.cardinality.unsigned_abs() > 1
    }

    /// The problem of a value of this parameter, `given` kept out of it for a Password.
    fn problem(&self, given: Option<&str>, allowed: impl Into<String>) -> FieldProblem {
        let given = given.filter(|_| self.kind != Kind::Password);
        FieldProblem {
            id: self.id.clone(),
            given: given.map(|text| text.chars().take(64).collect()),
            allowed: allowed.into(),
        }
    }

    /// Takes a value whose type differs only in form: a String given for a Password becomes one.
    pub fn coerce(&self, value: Value) -> Value {
        values::coerce(self, value)
    }
}

/// Kura's convention: a description that ends in `|TextArea`, in whatever case, asks for a text
/// area and is the text before the last `|`.
fn split_text_area(description: String) -> (String, bool) {
    match description.rsplit_once('|') {
        Some((text, suffix)) if suffix.trim().eq_ignore_ascii_case("TextArea") => {
            (text.to_owned(), true)
        }
        _ => (description, false),
    }
}
