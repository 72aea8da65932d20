//! From text to values: defaults by Kura's rule (`ComponentUtil.getDefaultValue`), and what a
//! person typed into a form (`GwtServerUtil.getObjectValue`).

use gateway_component_abi::value::{Kind, Scalar, Secret, Value};

use super::tokens::split;
use super::{Ad, FieldProblem};

impl Ad {
    /// The default as a value, or nothing where the default is absent or empty. The text is
    /// split at unescaped commas; a scalar takes the first token. Any Boolean but `true` is
    /// false, and a Char takes the first character, as in Kura.
    pub fn default_value(&self) -> Result<Option<Value>, FieldProblem> {
        let Some(text) = self.default.as_deref().filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        let mut scalars = Vec::new();
        for token in split(text) {
            let scalar = match self.kind {
                Kind::Boolean => Ok(Scalar::Boolean(token.eq_ignore_ascii_case("true"))),
                Kind::Char => token
                    .chars()
                    .next()
                    .map(Scalar::Char)
                    .ok_or(expectation(Kind::Char)),
                kind => scalar(kind, &token),
            };
            scalars.push(scalar.map_err(|allowed| self.problem(Some(&token), allowed))?);
        }
        Ok(if self.is_array() {
            Value::array(self.kind, scalars)
        } else {
            scalars.into_iter().next().map(Value::Scalar)
        })
    }

    /// The value that a person typed, or `None` where the property is to be removed: an emptied
    /// number, Char, Boolean or Password. A String is taken as it is, the empty one too; the rest
    /// is trimmed. Arrays are written as defaults are: separated by commas, `\` escapes. Only
    /// the type is checked here, the bounds by [`Ad::check`].
    pub fn parse(&self, text: &str) -> Result<Option<Value>, FieldProblem> {
        if self.is_array() {
            if text.trim().is_empty() {
                return Ok(None);
            }
            let scalars = split(text)
                .iter()
                .map(|token| scalar(self.kind, token))
                .collect::<Result<Vec<_>, _>>()
                .map_err(|allowed| self.problem(Some(text), allowed))?;
            return Ok(Value::array(self.kind, scalars));
        }
        let text = match self.kind {
            Kind::String => return Ok(Some(Value::from(text))),
            // A single blank is a character that can be meant.
            Kind::Char if text.chars().count() == 1 => text,
            _ => text.trim(),
        };
        if text.is_empty() {
            return Ok(None);
        }
        scalar(self.kind, text)
            .map(|scalar| Some(Value::Scalar(scalar)))
            .map_err(|allowed| self.problem(Some(text), allowed))
    }
}

/// One scalar of the type, strictly; else what would have been allowed.
pub(super) fn scalar(kind: Kind, text: &str) -> Result<Scalar, String> {
    let scalar = match kind {
        Kind::String => Some(Scalar::String(text.to_owned())),
        Kind::Password => Some(Scalar::Password(Secret::from(text))),
        Kind::Long => text.parse().ok().map(Scalar::Long),
        Kind::Integer => text.parse().ok().map(Scalar::Integer),
        Kind::Short => text.parse().ok().map(Scalar::Short),
        Kind::Byte => text.parse().ok().map(Scalar::Byte),
        Kind::Double => decimal(text).parse().ok().map(Scalar::Double),
        Kind::Float => decimal(text).parse().ok().map(Scalar::Float),
        Kind::Boolean if text.eq_ignore_ascii_case("true") => Some(Scalar::Boolean(true)),
        Kind::Boolean if text.eq_ignore_ascii_case("false") => Some(Scalar::Boolean(false)),
        Kind::Boolean => None,
        Kind::Char => {
            let mut characters = text.chars();
            match (characters.next(), characters.next()) {
                (Some(c), None) => Some(Scalar::Char(c)),
                _ => None,
            }
        }
    };
    scalar.ok_or_else(|| expectation(kind))
}

/// Java lets a decimal number end in its type: `1.5f`, `2d`.
fn decimal(text: &str) -> &str {
    text.strip_suffix(['f', 'F', 'd', 'D'])
        .filter(|rest| rest.ends_with(|c: char| c.is_ascii_digit() || c == '.'))
        .unwrap_or(text)
}

/// What texts of the type look like.
pub(super) fn expectation(kind: Kind) -> String {
    match kind {
        Kind::String | Kind::Password => "must be a text".to_owned(),
        Kind::Boolean => "must be true or false".to_owned(),
        Kind::Char => "must be one character".to_owned(),
        Kind::Double | Kind::Float => "must be a number".to_owned(),
        Kind::Long => whole(i64::MIN, i64::MAX),
        Kind::Integer => whole(i32::MIN.into(), i32::MAX.into()),
        Kind::Short => whole(i16::MIN.into(), i16::MAX.into()),
        Kind::Byte => whole(i8::MIN.into(), i8::MAX.into()),
    }
}

fn whole(min: i64, max: i64) -> String {
    format!("must be a whole number from {min} to {max}")
}

/// A String where a Password is wanted becomes one: the safe direction, and what arrives from
/// Kura, whose components receive passwords as String.
pub(super) fn coerce(ad: &Ad, value: Value) -> Value {
    match (ad.kind, value) {
        (Kind::Password, Value::Scalar(Scalar::String(text))) => Secret::new(text).into(),
        (Kind::Password, Value::Array(Kind::String, items)) => {
            let items = items.into_iter().map(|item| match item {
                Scalar::String(text) => Scalar::Password(Secret::new(text)),
                other => other,
            });
            Value::Array(Kind::Password, items.collect())
        }
        (_, value) => value,
    }
}
