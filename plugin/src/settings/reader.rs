//! Takes typed values out of a property map and gathers what does not fit.
//!
//! A host hands over what somebody typed in a form, sent over REST or wrote in a snapshot. Where
//! another type can only mean one thing it is taken: a Long, Short, Byte or a String of digits for
//! an Integer, a String `true` or `false` for a Boolean, a String for a Password (hosts of the
//! Kura family hand Passwords over as Strings), an array of one element for a scalar. A Float or
//! Double is no Integer, and a Password is no String, as a String is shown.

use gateway_component_abi::value::{Kind, Properties, Scalar, Secret, Value};

use super::problem::Problem;

/// The property map, and what was wrong with it so far.
pub(super) struct Reader<'a> {
    properties: &'a Properties,
    pub(super) problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(properties: &'a Properties) -> Self {
        Self {
            properties,
            problems: Vec::new(),
        }
    }

    /// The one value of `id`; `None` if absent, an empty array, or not one value (a problem).
    fn scalar(&mut self, id: &'static str, wanted: Kind) -> Option<&'a Scalar> {
        let items = match self.properties.get(id)? {
            Value::Scalar(scalar) => return Some(scalar),
            Value::Array(_, items) => items,
        };
        match items.as_slice() {
            [] => None,
            [one] => Some(one),
            many => {
                let given = format!("{} values", many.len());
                self.problem(id, &given, format!("one {}", wanted.name()));
                None
            }
        }
    }

    pub(super) fn problem(&mut self, id: &'static str, given: &str, allowed: impl Into<String>) {
        self.problems.push(Problem::new(id, given, allowed));
    }

    fn wrong_type(&mut self, id: &'static str, given: &Scalar, wanted: &str) {
        let given = match given {
            Scalar::Password(_) => "a Password".to_owned(),
            other => format!("{} of type {}", shown(other), other.kind().name()),
        };
        self.problem(id, &given, wanted);
    }

    /// A Boolean. Absent: false.
    pub(super) fn boolean(&mut self, id: &'static str, default: bool) -> bool {
        match self.scalar(id, Kind::Boolean) {
            None => default,
            Some(Scalar::Boolean(value)) => *value,
            Some(Scalar::String(text)) if text.trim().eq_ignore_ascii_case("true") => true,
            Some(Scalar::String(text)) if text.trim().eq_ignore_ascii_case("false") => false,
            Some(Scalar::String(text)) if text.trim().is_empty() => default,
            Some(other) => {
                self.wrong_type(id, other, "true or false");
                default
            }
        }
    }

    /// An Integer that `holds`. Absent or an empty String: the default.
    pub(super) fn integer(
        &mut self,
        id: &'static str,
        default: i64,
        allowed: &'static str,
        holds: impl Fn(i64) -> bool,
    ) -> i64 {
        let Some(scalar) = self.scalar(id, Kind::Integer) else {
            return default;
        };
        let value = match scalar {
            Scalar::Integer(value) => Some(i64::from(*value)),
            Scalar::Long(value) => Some(*value),
            Scalar::Short(value) => Some(i64::from(*value)),
            Scalar::Byte(value) => Some(i64::from(*value)),
            Scalar::String(text) if text.trim().is_empty() => return default,
            Scalar::String(text) => digits(text.trim()),
            _ => None,
        };
        match value {
            Some(value) if holds(value) => value,
            Some(value) => {
                self.problem(id, &value.to_string(), allowed);
                default
            }
            None => {
                self.wrong_type(id, scalar, allowed);
                default
            }
        }
    }

    /// A String. Absent: empty.
    pub(super) fn text(&mut self, id: &'static str) -> &'a str {
        match self.scalar(id, Kind::String) {
            None => "",
            Some(Scalar::String(text)) => text,
            Some(other) => {
                self.wrong_type(id, other, "a String");
                ""
            }
        }
    }

    /// A Password. Absent: empty.
    pub(super) fn secret(&mut self, id: &'static str) -> Secret {
        match self.scalar(id, Kind::Password) {
            None => Secret::default(),
            Some(Scalar::Password(secret)) => secret.clone(),
            Some(Scalar::String(text)) => Secret::from(text.as_str()),
            Some(_) => {
                self.problems.push(Problem::secret(id, "a Password"));
                Secret::default()
            }
        }
    }
}

/// A decimal number without `+` or leading zeros beyond one; what else `parse` takes is a typing
/// mistake more likely than a number.
fn digits(text: &str) -> Option<i64> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let plain = unsigned.bytes().all(|b| b.is_ascii_digit())
        && (unsigned.len() == 1 || !unsigned.starts_with('0'));
    plain.then(|| text.parse().ok()).flatten()
}

fn shown(scalar: &Scalar) -> String {
    match scalar {
        Scalar::String(text) => text.clone(),
        Scalar::Long(value) => value.to_string(),
        Scalar::Double(value) => value.to_string(),
        Scalar::Float(value) => value.to_string(),
        Scalar::Integer(value) => value.to_string(),
        Scalar::Byte(value) => value.to_string(),
        Scalar::Char(value) => value.to_string(),
        Scalar::Boolean(value) => value.to_string(),
        Scalar::Short(value) => value.to_string(),
        Scalar::Password(_) => "***".to_owned(),
    }
}
