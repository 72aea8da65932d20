//! Distinguished names as text (RFC 4514): `CN=gateway 7,O=Example\, Inc.,C=IT`. As the RFC has
//! it, the text begins with the last component of the name. Names with several attributes in
//! one component (`+`) and values in hexadecimal (`#...`) are refused.

use openssl::x509::{X509Name, X509NameBuilder};

use super::KeystoreError;

/// Attribute types by the names that RFC 4514, Java and Bouncy Castle give them, and the name
/// that OpenSSL has for them.
const TYPES: [(&str, &str); 17] = [
    ("CN", "CN"),
    ("O", "O"),
    ("OU", "OU"),
    ("C", "C"),
    ("L", "L"),
    ("ST", "ST"),
    ("S", "ST"),
    ("STREET", "street"),
    ("DC", "DC"),
    ("UID", "UID"),
    ("E", "emailAddress"),
    ("EMAILADDRESS", "emailAddress"),
    ("SERIALNUMBER", "serialNumber"),
    ("T", "title"),
    ("GIVENNAME", "GN"),
    ("SURNAME", "SN"),
    ("DNQ", "dnQualifier"),
];

/// The name that the text stands for.
///
/// # Errors
/// [`KeystoreError::BadSubject`], naming the component.
pub(super) fn parse(text: &str) -> Result<X509Name, KeystoreError> {
    let mut components = split(text)?;
    if components.is_empty() {
        return Err(bad("it is empty"));
    }
    components.reverse();
    let mut name = X509NameBuilder::new()?;
    for (kind, value) in &components {
        let upper = kind.to_ascii_uppercase();
        let dotted = upper.strip_prefix("OID.").unwrap_or(&upper);
        let known = TYPES.iter().find(|(given, _)| *given == upper);
        let field = match known {
            Some((_, field)) => *field,
            None if is_oid(dotted) => dotted,
            None => return Err(bad(format!("the attribute type {kind:?} is not known"))),
        };
        name.append_entry_by_text(field, value)
            .map_err(|source| KeystoreError::BadSubject {
                what: format!("{kind} cannot be {value:?}"),
                source: Some(source),
            })?;
    }
    Ok(name.build())
}

/// The components as type and value, in the order of the text.
fn split(text: &str) -> Result<Vec<(String, String)>, KeystoreError> {
    let mut components = Vec::new();
    let mut rest = text;
    while !rest.trim().is_empty() {
        let (kind, behind) = rest
            .split_once('=')
            .ok_or_else(|| bad(format!("{:?} is no TYPE=value", rest.trim())))?;
        let (value, behind) = value(behind)?;
        let kind = kind.trim();
        if value.is_empty() {
            return Err(bad(format!("{kind} has no value")));
        }
        components.push((kind.to_owned(), value));
        rest = match behind {
            Some(behind) if behind.trim().is_empty() => return Err(bad("it ends in a comma")),
            Some(behind) => behind,
            None => "",
        };
    }
    Ok(components)
}

/// A value, unescaped, and what follows its comma, if there is one.
fn value(text: &str) -> Result<(String, Option<&str>), KeystoreError> {
    let text = text.trim_start_matches(' ');
    if text.starts_with('#') {
        return Err(bad("a value in hexadecimal is not supported"));
    }
    let mut bytes: Vec<u8> = Vec::new();
    // Up to here the value stays when blanks at its end are cut off: escaped ones count.
    let mut kept = 0;
    let mut characters = text.char_indices();
    let mut behind = None;
    while let Some((at, c)) = characters.next() {
        match c {
            ',' | ';' => {
                behind = text.get(at + 1..);
                break;
            }
            '+' => {
                return Err(bad(
                    "a component of several attributes (+) is not supported",
                ))
            }
            '"' | '<' | '>' | '\0' => return Err(bad(format!("{c:?} must be escaped"))),
            '\\' => {
                let pair = text.get(at + 1..at + 3);
                let byte = pair.and_then(|pair| {
                    let hex = pair.chars().all(|c| c.is_ascii_hexdigit());
                    hex.then(|| u8::from_str_radix(pair, 16).ok())?
                });
                match (byte, characters.next()) {
                    (Some(byte), _) => {
                        characters.next();
                        bytes.push(byte);
                    }
                    (None, Some((_, escaped))) => {
                        bytes.extend_from_slice(escaped.encode_utf8(&mut [0; 4]).as_bytes());
                    }
                    (None, None) => return Err(bad("it ends in a backslash")),
                }
                kept = bytes.len();
            }
            c => {
                bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                if c != ' ' {
                    kept = bytes.len();
                }
            }
        }
    }
    bytes.truncate(kept);
    let value = String::from_utf8(bytes).map_err(|_| bad("an escaped value is no UTF-8"))?;
    Ok((value, behind))
}

fn is_oid(text: &str) -> bool {
    let numbers = text
        .split('.')
        .all(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    numbers && text.contains('.')
}

fn bad(what: impl Into<String>) -> KeystoreError {
    KeystoreError::BadSubject {
        what: what.into(),
        source: None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn entries(text: &str) -> Vec<(String, String)> {
        let name = parse(text).unwrap();
        name.entries()
            .map(|entry| {
                let kind = entry.object().nid().short_name().unwrap().to_owned();
                let value = entry.data().to_string().unwrap();
                (kind, value)
            })
            .collect()
    }

    #[test]
    fn the_text_begins_with_the_last_component() {
        let expected = [("C", "IT"), ("O", "Example, Inc."), ("CN", "gateway 7")];
        let expected = expected.map(|(k, v)| (k.to_owned(), v.to_owned()));
        assert_eq!(entries(r"CN=gateway 7, O=Example\, Inc. ,C=IT"), expected);
        assert_eq!(
            entries(r"cn=gateway\207,O=Example\2C Inc.,2.5.4.6=IT"),
            expected
        );
    }

    #[test]
    fn escapes_reach_the_value() {
        let value = |text: &str| entries(text).pop().unwrap().1;
        assert_eq!(value(r"CN=\ a\ "), " a ");
        assert_eq!(value(r"CN=a\\b\+c\=d"), r"a\b+c=d");
        assert_eq!(value(r"CN=Lu\C4\8Di\C4\87"), "Lučić");
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        for text in [
            "", "CN", "CN=", "CN=a,", "XX=a", "CN=a+O=b", "CN=#0401", "C=Italy", "CN=a\\",
            "CN=\\C4",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }
}
