//! Whether a value fits its parameter: type, number of values, min and max, options. What
//! Kura's web console checks in the browser (`ValidationUtil`); its server checks nothing.

use std::cmp::Ordering;

use gateway_component_abi::value::{Kind, Scalar, Value};

use super::values::scalar;
use super::{Ad, FieldProblem};

impl Ad {
    /// Checks the type, the number of values and each value: min and max are the bounds of a
    /// number or character and the length limits of a String (in characters), options are the
    /// only values allowed, and a required String or Password must not be empty. Bounds that
    /// are no number, and those of a Boolean or Password, mean nothing, as in Kura.
    pub fn check(&self, value: &Value) -> Result<(), FieldProblem> {
        self.check_type(value)?;
        match value {
            Value::Scalar(scalar) => self.check_scalar(scalar),
            Value::Array(_, items) if items.is_empty() && self.required => {
                Err(self.problem(None, "is required"))
            }
            Value::Array(_, items) => items.iter().try_for_each(|item| self.check_scalar(item)),
        }
    }

    /// Checks the type and the number of values only.
    pub fn check_type(&self, value: &Value) -> Result<(), FieldProblem> {
        if value.kind() != self.kind {
            let allowed = format!(
                "must be of type {}, not {}",
                self.kind.name(),
                value.kind().name()
            );
            return Err(self.problem(None, allowed));
        }
        match value {
            Value::Scalar(_) if self.is_array() => {
                Err(self.problem(None, format!("must be an array of {}", self.kind.name())))
            }
            Value::Scalar(_) => Ok(()),
            Value::Array(_, items) => {
                let most = self.cardinality.unsigned_abs();
                if most == 0 {
                    return Err(self.problem(None, "must be one value, not an array"));
                }
                if u32::try_from(items.len()).map_or(true, |count| count > most) {
                    let given = items.len().to_string();
                    return Err(self.problem(Some(&given), format!("takes at most {most} values")));
                }
                Ok(())
            }
        }
    }

    fn check_scalar(&self, value: &Scalar) -> Result<(), FieldProblem> {
        let empty = match value {
            Scalar::String(text) => text.is_empty(),
            Scalar::Password(secret) => secret.is_empty(),
            _ => false,
        };
        if empty {
            return if self.required && !self.read_only() {
                Err(self.problem(None, "is required"))
            } else {
                Ok(())
            };
        }
        self.check_bounds(value)?;
        self.check_options(value)
    }

    fn check_bounds(&self, value: &Scalar) -> Result<(), FieldProblem> {
        let of_length = matches!(self.kind, Kind::String);
        if of_length && self.read_only() {
            return Ok(());
        }
        let nan = match value {
            Scalar::Double(v) => v.is_nan(),
            Scalar::Float(v) => v.is_nan(),
            _ => false,
        };
        if nan && (self.min.is_some() || self.max.is_some()) {
            return Err(self.problem(Some("NaN"), "must be a number"));
        }
        let noun = if of_length {
            "length must be"
        } else {
            "must be"
        };
        let below = |bound: &Option<String>, wrong: Ordering, word: &str| {
            let bound = bound.as_deref()?;
            (compare(value, bound)? == wrong).then(|| format!("{noun} at {word} {bound}"))
        };
        let problem = below(&self.min, Ordering::Less, "least")
            .or_else(|| below(&self.max, Ordering::Greater, "most"));
        match problem {
            Some(allowed) => Err(self.problem(Some(&text_of(value)), allowed)),
            None => Ok(()),
        }
    }

    fn check_options(&self, value: &Scalar) -> Result<(), FieldProblem> {
        let text = text_of(value);
        let among =
            |option: &str| option == text || scalar(self.kind, option.trim()).as_ref() == Ok(value);
        if self.options.is_empty() || self.options.iter().any(|option| among(&option.value)) {
            return Ok(());
        }
        let values: Vec<_> = self.options.iter().map(|o| o.value.as_str()).collect();
        Err(self.problem(Some(&text), format!("must be one of {}", values.join(", "))))
    }
}

/// How the value compares with a bound; nothing where the bound means nothing.
fn compare(value: &Scalar, bound: &str) -> Option<Ordering> {
    let bound = bound.trim();
    let whole = |value: i64| Some(value.cmp(&bound.parse().ok()?));
    match value {
        Scalar::Long(v) => whole(*v),
        Scalar::Integer(v) => whole((*v).into()),
        Scalar::Short(v) => whole((*v).into()),
        Scalar::Byte(v) => whole((*v).into()),
        Scalar::Double(v) => decimal(*v, bound),
        Scalar::Float(v) => decimal((*v).into(), bound),
        Scalar::String(v) => whole(v.chars().count().try_into().ok()?),
        Scalar::Char(v) => Some(v.cmp(&bound.chars().next()?)),
        Scalar::Boolean(_) | Scalar::Password(_) => None,
    }
}

fn decimal(value: f64, bound: &str) -> Option<Ordering> {
    value.partial_cmp(&bound.parse().ok()?)
}

/// The value as a person would type it; nothing of a secret.
fn text_of(value: &Scalar) -> String {
    match value {
        Scalar::String(v) => v.clone(),
        Scalar::Long(v) => v.to_string(),
        Scalar::Double(v) => v.to_string(),
        Scalar::Float(v) => v.to_string(),
        Scalar::Integer(v) => v.to_string(),
        Scalar::Byte(v) => v.to_string(),
        Scalar::Char(v) => v.to_string(),
        Scalar::Boolean(v) => v.to_string(),
        Scalar::Short(v) => v.to_string(),
        Scalar::Password(_) => String::new(),
    }
}
