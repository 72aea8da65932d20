//! Properties as Rust values: the ten types of the OSGi metatype as Kura writes them
//! (`org.eclipse.kura.configuration.metatype.Scalar`), scalar or array.

use std::collections::BTreeMap;

/// The properties of one component, by name.
pub type Properties = BTreeMap<String, Value>;

pub use secret_text::Secret;

/// The type of a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Text.
    String,
    /// 64 bits, signed.
    Long,
    /// IEEE 754, 64 bits.
    Double,
    /// IEEE 754, 32 bits.
    Float,
    /// 32 bits, signed.
    Integer,
    /// 8 bits, signed.
    Byte,
    /// One character.
    Char,
    /// True or false.
    Boolean,
    /// 16 bits, signed.
    Short,
    /// A secret text.
    Password,
}

impl Kind {
    /// All ten, in the order of `GWC_TYPE_...`.
    pub const ALL: [Kind; 10] = [
        Kind::String,
        Kind::Long,
        Kind::Double,
        Kind::Float,
        Kind::Integer,
        Kind::Byte,
        Kind::Char,
        Kind::Boolean,
        Kind::Short,
        Kind::Password,
    ];

    /// The name in metatypes and snapshots, e.g. `Integer`, `Char`.
    pub fn name(self) -> &'static str {
        match self {
            Kind::String => "String",
            Kind::Long => "Long",
            Kind::Double => "Double",
            Kind::Float => "Float",
            Kind::Integer => "Integer",
            Kind::Byte => "Byte",
            Kind::Char => "Char",
            Kind::Boolean => "Boolean",
            Kind::Short => "Short",
            Kind::Password => "Password",
        }
    }

    /// The type of that name, exactly as Kura spells it.
    pub fn from_name(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// `GWC_TYPE_...` of this type.
    pub fn code(self) -> u32 {
        use crate::types as t;
        match self {
            Kind::String => t::TYPE_STRING,
            Kind::Long => t::TYPE_LONG,
            Kind::Double => t::TYPE_DOUBLE,
            Kind::Float => t::TYPE_FLOAT,
            Kind::Integer => t::TYPE_INTEGER,
            Kind::Byte => t::TYPE_BYTE,
            Kind::Char => t::TYPE_CHAR,
            Kind::Boolean => t::TYPE_BOOLEAN,
            Kind::Short => t::TYPE_SHORT,
            Kind::Password => t::TYPE_PASSWORD,
        }
    }

    /// The type of that `GWC_TYPE_...`.
    pub fn from_code(code: u32) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.code() == code)
    }
}

/// One scalar value.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    /// See [`Kind::String`].
    String(String),
    /// See [`Kind::Long`].
    Long(i64),
    /// See [`Kind::Double`].
    Double(f64),
    /// See [`Kind::Float`].
    Float(f32),
    /// See [`Kind::Integer`].
    Integer(i32),
    /// See [`Kind::Byte`].
    Byte(i8),
    /// See [`Kind::Char`].
    Char(char),
    /// See [`Kind::Boolean`].
    Boolean(bool),
    /// See [`Kind::Short`].
    Short(i16),
    /// See [`Kind::Password`].
    Password(Secret),
}

impl Scalar {
    /// Its type.
    pub fn kind(&self) -> Kind {
        match self {
            Scalar::String(_) => Kind::String,
            Scalar::Long(_) => Kind::Long,
            Scalar::Double(_) => Kind::Double,
            Scalar::Float(_) => Kind::Float,
            Scalar::Integer(_) => Kind::Integer,
            Scalar::Byte(_) => Kind::Byte,
            Scalar::Char(_) => Kind::Char,
            Scalar::Boolean(_) => Kind::Boolean,
            Scalar::Short(_) => Kind::Short,
            Scalar::Password(_) => Kind::Password,
        }
    }
}

/// The value of a property: one scalar, or an array whose elements are all of one type.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// One value.
    Scalar(Scalar),
    /// Any number of values of the type; see [`Value::array`].
    Array(Kind, Vec<Scalar>),
}

impl Value {
    /// An array, or `None` if an element is of another type.
    pub fn array(kind: Kind, items: Vec<Scalar>) -> Option<Value> {
        items
            .iter()
            .all(|item| item.kind() == kind)
            .then_some(Value::Array(kind, items))
    }

    /// Its type, or that of its elements.
    pub fn kind(&self) -> Kind {
        match self {
            Value::Scalar(scalar) => scalar.kind(),
            Value::Array(kind, _) => *kind,
        }
    }

    /// The text of a String scalar.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Scalar(Scalar::String(text)) => Some(text),
            _ => None,
        }
    }

    /// The value of a Boolean scalar.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Scalar(Scalar::Boolean(value)) => Some(*value),
            _ => None,
        }
    }

    /// The value of an Integer scalar.
    pub fn as_integer(&self) -> Option<i32> {
        match self {
            Value::Scalar(Scalar::Integer(value)) => Some(*value),
            _ => None,
        }
    }

    /// The secret of a Password scalar.
    pub fn as_secret(&self) -> Option<&Secret> {
        match self {
            Value::Scalar(Scalar::Password(secret)) => Some(secret),
            _ => None,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Scalar(Scalar::String(text.to_owned()))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::Scalar(Scalar::String(text))
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Value::Scalar(Scalar::Boolean(value))
    }
}

impl From<i32> for Value {
    fn from(value: i32) -> Self {
        Value::Scalar(Scalar::Integer(value))
    }
}

impl From<Secret> for Value {
    fn from(secret: Secret) -> Self {
        Value::Scalar(Scalar::Password(secret))
    }
}
