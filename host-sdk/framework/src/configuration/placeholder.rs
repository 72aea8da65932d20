//! The texts that stand for a password in forms. Kura's web console shows `Placeholder` and
//! takes it back as "unchanged"; its REST interface shows `placeholder` and stores it as the
//! password. Here both mean "unchanged".

use gateway_component_abi::value::{Kind, Properties, Scalar, Value};

/// Texts that mean "the password as it is".
pub const PLACEHOLDERS: [&str; 2] = ["Placeholder", "placeholder"];

/// Replaces placeholders among the supplied passwords by what is running; one that replaces
/// nothing is left out.
pub fn resolve_placeholders(supplied: &mut Properties, running: &Properties) {
    supplied.retain(|name, value| match (value, running.get(name)) {
        (Value::Scalar(scalar), _) => !is_placeholder(scalar),
        (Value::Array(Kind::Password, items), Some(Value::Array(Kind::Password, old))) => {
            let mut old = old.iter();
            for item in items.iter_mut() {
                let old = old.next();
                if is_placeholder(item) {
                    *item = old.cloned().unwrap_or(Scalar::Password(Default::default()));
                }
            }
            true
        }
        (Value::Array(Kind::Password, items), _) => !items.iter().any(is_placeholder),
        (Value::Array(..), _) => true,
    });
}

fn is_placeholder(scalar: &Scalar) -> bool {
    matches!(scalar, Scalar::Password(secret) if PLACEHOLDERS.contains(&secret.expose()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use gateway_component_abi::value::Secret;

    use super::*;

    fn secret(text: &str) -> Value {
        Secret::from(text).into()
    }

    fn secrets(texts: &[&str]) -> Value {
        let items = texts.iter().map(|t| Scalar::Password(Secret::from(*t)));
        Value::array(Kind::Password, items.collect()).unwrap()
    }

    #[test]
    fn a_placeholder_keeps_the_old_password() {
        let running = Properties::from([
            ("a".to_owned(), secret("old")),
            ("list".to_owned(), secrets(&["x", "y"])),
        ]);
        let mut supplied = Properties::from([
            ("a".to_owned(), secret("Placeholder")),
            ("b".to_owned(), secret("placeholder")),
            ("c".to_owned(), secret("new")),
            ("name".to_owned(), Value::from("Placeholder")),
            ("list".to_owned(), secrets(&["new", "placeholder"])),
        ]);
        resolve_placeholders(&mut supplied, &running);
        assert_eq!(supplied.keys().collect::<Vec<_>>(), ["c", "list", "name"]);
        assert_eq!(supplied["list"], secrets(&["new", "y"]));
    }
}
