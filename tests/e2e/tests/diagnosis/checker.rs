//! As much of JSON Schema 2020-12 as `status.schema.json` uses. A keyword that is not known here is
//! an error, so that nothing in the schema goes unchecked.

use serde_json::Value;

/// What says something to people, or is looked up where it is used.
const SILENT: [&str; 6] = ["$schema", "$defs", "title", "description", "if", "else"];

/// Where `value` does not fit `schema`, one line each.
pub fn check(root: &Value, value: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    fits(root, root, value, "", &mut wrong);
    wrong
}

fn fits(root: &Value, schema: &Value, value: &Value, at: &str, wrong: &mut Vec<String>) {
    let keywords = schema.as_object().expect("a schema is an object");
    for (keyword, wanted) in keywords {
        let holds = match keyword.as_str() {
            "$ref" => {
                let path = wanted.as_str().unwrap().strip_prefix('#').unwrap();
                let referred = root.pointer(path).expect("the reference leads somewhere");
                fits(root, referred, value, at, wrong);
                true
            }
            "type" => match wanted {
                Value::Array(types) => types.iter().any(|one| is(one, value)),
                one => is(one, value),
            },
            "enum" => wanted.as_array().unwrap().contains(value),
            "minimum" => value.as_i64().is_none_or(|n| n >= wanted.as_i64().unwrap()),
            "pattern" => value
                .as_str()
                .is_none_or(|text| matches(wanted.as_str().unwrap(), text)),
            "format" => {
                assert_eq!(wanted, "date-time");
                value.as_str().is_none_or(is_time)
            }
            "required" => {
                for name in wanted.as_array().unwrap() {
                    let name = name.as_str().unwrap();
                    if value.as_object().is_some_and(|o| !o.contains_key(name)) {
                        wrong.push(format!("{at}/{name} is missing"));
                    }
                }
                true
            }
            "properties" => {
                for (name, schema) in wanted.as_object().unwrap() {
                    if let Some(member) = value.get(name) {
                        fits(root, schema, member, &format!("{at}/{name}"), wrong);
                    }
                }
                true
            }
            "additionalProperties" => {
                let known = |name| {
                    keywords
                        .get("properties")
                        .is_some_and(|p| p.get(name).is_some())
                };
                for (name, member) in value.as_object().into_iter().flatten() {
                    match wanted {
                        _ if known(name) => {}
                        Value::Bool(false) => {
                            wrong.push(format!("{at}/{name} is not described"));
                        }
                        of_each => fits(root, of_each, member, &format!("{at}/{name}"), wrong),
                    }
                }
                true
            }
            "items" => {
                for (n, item) in value.as_array().into_iter().flatten().enumerate() {
                    fits(root, wanted, item, &format!("{at}/{n}"), wrong);
                }
                true
            }
            silent if SILENT.contains(&silent) => true,
            unknown => panic!("{at}: the checker does not know {unknown:?}"),
        };
        if !holds {
            wrong.push(format!("{at}: {value} is not of {keyword} {wanted}"));
        }
    }
    if let (Some(condition), Some(otherwise)) = (keywords.get("if"), keywords.get("else")) {
        let mut misses = Vec::new();
        fits(root, condition, value, at, &mut misses);
        if !misses.is_empty() {
            fits(root, otherwise, value, at, wrong);
        }
    }
}

fn is(name: &Value, value: &Value) -> bool {
    match name.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "null" => value.is_null(),
        unknown => panic!("the checker does not know the type {unknown:?}"),
    }
}

/// The two patterns there are.
fn matches(pattern: &str, text: &str) -> bool {
    let word =
        |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
    match pattern {
        "^[a-z-]+[.][a-z-]+$" => text
            .split_once('.')
            .is_some_and(|(area, name)| word(area) && word(name)),
        "^[0-9a-f]{64}$" => {
            text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        }
        unknown => panic!("the checker does not know the pattern {unknown:?}"),
    }
}

/// RFC 3339 in UTC, to the second or finer.
fn is_time(text: &str) -> bool {
    let shape: String = text
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    let Some(rest) = shape.strip_prefix("0000-00-00T00:00:00") else {
        return false;
    };
    let fraction = rest.strip_suffix('Z');
    fraction.is_some_and(|fraction| {
        fraction.is_empty()
            || fraction
                .strip_prefix('.')
                .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b == b'0'))
    })
}
