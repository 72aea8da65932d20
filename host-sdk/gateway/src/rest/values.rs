//! Properties as Kura's REST interface writes them: `{"key": {"value": …, "type": "INTEGER"}}`.
//!
//! Out: passwords are never shown; a set one reads `"Placeholder"`, the word of Kura's web
//! console. In: that word leaves the password as it is (Kura's web console does so too; Kura's
//! REST interface would store the word itself). `null` removes the property, as in Kura. A
//! number that does not fit its type is refused; Kura narrows it silently.

use gateway_component_abi::value::{Kind, Properties, Scalar, Secret, Value};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{json, Value as Json};
use zeroize::Zeroizing;

/// Stands for a password that is set. Kura's REST interface writes it in lower case.
pub const PLACEHOLDER: &str = "Placeholder";

/// One property in a request.
#[derive(Debug, Deserialize)]
pub struct Property {
    /// Scalar, array, or null.
    #[serde(default)]
    pub value: Json,
    /// `STRING`, ... in upper case; `Integer` is understood as well.
    #[serde(rename = "type")]
    pub kind: String,
}

/// What is wrong with one property of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The component.
    pub pid: String,
    /// The property.
    pub parameter: String,
    /// One line, without a secret.
    pub message: String,
}

/// A change to one property.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// It becomes this.
    Set(Value),
    /// It goes.
    Remove,
    /// It stays: the placeholder came back.
    Keep,
}

/// The name of a type in JSON.
#[must_use]
pub fn type_name(kind: Kind) -> String {
    kind.name().to_ascii_uppercase()
}

/// Properties as JSON, passwords hidden. One after the other: as JSON values, all of them would take
/// many times their text.
#[derive(Debug)]
pub struct Shown(pub Properties);

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| {
            let kind = type_name(value.kind());
            let value = Plain(value);
            (name, Typed { kind, value })
        }))
    }
}

#[derive(Serialize)]
struct Typed<'a> {
    #[serde(rename = "type")]
    kind: String,
    value: Plain<'a>,
}

/// A value as JSON; a text is not copied for it.
struct Plain<'a>(&'a Value);

impl Serialize for Plain<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Scalar(Scalar::String(text)) => serializer.serialize_str(text),
            value => value_to_json(value).serialize(serializer),
        }
    }
}

fn value_to_json(value: &Value) -> Json {
    match value {
        Value::Scalar(scalar) => scalar_to_json(scalar),
        Value::Array(_, items) => Json::Array(items.iter().map(scalar_to_json).collect()),
    }
}

fn scalar_to_json(scalar: &Scalar) -> Json {
    match scalar {
        Scalar::String(text) => json!(text),
        Scalar::Long(n) => json!(n),
        Scalar::Double(n) => json!(n),
        Scalar::Float(n) => json!(n),
        Scalar::Integer(n) => json!(n),
        Scalar::Byte(n) => json!(n),
        Scalar::Char(c) => json!(c),
        Scalar::Boolean(b) => json!(b),
        Scalar::Short(n) => json!(n),
        Scalar::Password(secret) if secret.is_empty() => json!(""),
        Scalar::Password(_) => json!(PLACEHOLDER),
    }
}

/// A property of a request as a change.
///
/// # Errors
/// What does not fit the type, in words; never a password.
pub fn from_json(property: Property) -> Result<Change, String> {
    let kind = Kind::ALL
        .into_iter()
        .find(|kind| kind.name().eq_ignore_ascii_case(&property.kind))
        .ok_or_else(|| format!("there is no type {:?}", property.kind))?;
    match property.value {
        Json::Null => Ok(Change::Remove),
        Json::Array(items) => {
            let items: Result<Vec<_>, _> = items
                .into_iter()
                .map(|item| scalar_from_json(kind, item))
                .collect();
            Value::array(kind, items?)
                .map(Change::Set)
                .ok_or_else(|| format!("the values are not all of type {}", type_name(kind)))
        }
        Json::String(text) if kind == Kind::Password => {
            let text = Zeroizing::new(text);
            if text.eq_ignore_ascii_case(PLACEHOLDER) {
                return Ok(Change::Keep);
            }
            Ok(Change::Set(Value::from(Secret::new(text.to_string()))))
        }
        value => scalar_from_json(kind, value).map(|scalar| Change::Set(Value::Scalar(scalar))),
    }
}

fn scalar_from_json(kind: Kind, value: Json) -> Result<Scalar, String> {
    let scalar = match (kind, &value) {
        (Kind::String, Json::String(text)) => Some(Scalar::String(text.clone())),
        (Kind::Password, Json::String(text)) => Some(Scalar::Password(Secret::from(text.as_str()))),
        (Kind::Boolean, Json::Bool(b)) => Some(Scalar::Boolean(*b)),
        (Kind::Char, Json::String(text)) => {
            let mut chars = text.chars();
            chars
                .next()
                .filter(|_| chars.next().is_none())
                .map(Scalar::Char)
        }
        (Kind::Long, Json::Number(n)) => whole(n).map(Scalar::Long),
        (Kind::Integer, Json::Number(n)) => narrow(n).map(Scalar::Integer),
        (Kind::Short, Json::Number(n)) => narrow(n).map(Scalar::Short),
        (Kind::Byte, Json::Number(n)) => narrow(n).map(Scalar::Byte),
        (Kind::Double, Json::Number(n)) => n.as_f64().map(Scalar::Double),
        // A Float is read as the nearest one, as Java does.
        #[allow(clippy::cast_possible_truncation)]
        (Kind::Float, Json::Number(n)) => n
            .as_f64()
            .map(|n| n as f32)
            .filter(|n| n.is_finite())
            .map(Scalar::Float),
        _ => None,
    };
    scalar.ok_or_else(|| match kind {
        Kind::Password => "a password is a text".to_owned(),
        kind => format!("{} is not of type {}", shown(&value), type_name(kind)),
    })
}

/// Java writes whole numbers as `5.0` at times.
fn whole(n: &serde_json::Number) -> Option<i64> {
    #[allow(clippy::cast_possible_truncation)]
    let exact = |n: f64| (n.fract() == 0.0 && n.abs() < 9e15).then_some(n as i64);
    n.as_i64().or_else(|| n.as_f64().and_then(exact))
}

fn narrow<T: TryFrom<i64>>(n: &serde_json::Number) -> Option<T> {
    whole(n).and_then(|n| T::try_from(n).ok())
}

/// A value in an error message: not longer than a line.
fn shown(value: &Json) -> String {
    let text = value.to_string();
    match text.char_indices().nth(64) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(value: Json, kind: &str) -> Result<Change, String> {
        from_json(Property {
            value,
            kind: kind.to_owned(),
        })
    }

    #[test]
    fn every_type_goes_out_and_comes_back() {
        let all = [
            Scalar::String("ä,b".into()),
            Scalar::Long(i64::MIN),
            Scalar::Double(0.1),
            Scalar::Float(0.1),
            Scalar::Integer(-7),
            Scalar::Byte(-128),
            Scalar::Char('€'),
            Scalar::Boolean(true),
            Scalar::Short(300),
        ];
        for scalar in all {
            for value in [
                Value::Scalar(scalar.clone()),
                Value::array(scalar.kind(), vec![scalar.clone(), scalar.clone()]).unwrap(),
            ] {
                let json = value_to_json(&value);
                let back = read(json, &type_name(value.kind())).unwrap();
                assert_eq!(back, Change::Set(value));
            }
        }
    }

    #[test]
    fn a_password_never_goes_out_and_its_placeholder_changes_nothing() {
        let mut properties = Properties::new();
        properties.insert("p".into(), Value::from(Secret::from("canary")));
        let json = serde_json::to_value(Shown(properties)).unwrap();
        assert!(!json.to_string().contains("canary"));
        for word in [PLACEHOLDER, "placeholder"] {
            assert_eq!(read(json!(word), "PASSWORD").unwrap(), Change::Keep);
        }
        let new = read(json!("new"), "PASSWORD").unwrap();
        assert_eq!(new, Change::Set(Value::from(Secret::from("new"))));
    }

    #[test]
    fn a_number_too_large_for_its_type_is_refused_not_narrowed() {
        assert_eq!(
            read(json!(300), "BYTE").unwrap_err(),
            "300 is not of type BYTE"
        );
        assert_eq!(
            read(json!(1.5), "INTEGER").unwrap_err(),
            "1.5 is not of type INTEGER"
        );
        assert_eq!(
            read(json!(5.0), "INTEGER").unwrap(),
            Change::Set(Value::from(5))
        );
        assert!(read(json!("5"), "INTEGER").is_err());
        assert!(read(json!({"a": 1}), "PASSWORD").is_err());
        assert!(read(json!("x"), "COLOUR").is_err());
    }
}
