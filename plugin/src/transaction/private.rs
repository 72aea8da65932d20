//! Bytes of a plan that may hold passwords: they are overwritten when they are dropped, and stand in
//! the text of the plan as base64, because a text with escapes passes through memory of the parser
//! that nobody overwrites.

use std::fmt;
use std::ops::Deref;

use openssl::base64::{decode_block, encode_block};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

/// See the module documentation.
#[derive(Clone)]
pub struct Private(Zeroizing<Vec<u8>>);

impl Private {
    /// Takes them over.
    pub fn new(bytes: Vec<u8>) -> Private {
        Private(Zeroizing::new(bytes))
    }
}

impl Deref for Private {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl Serialize for Private {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Zeroizing::new(encode_block(&self.0)))
    }
}

impl<'de> Deserialize<'de> for Private {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Private, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = Private;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("base64")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Private, E> {
                decode_block(text)
                    .map(Private::new)
                    .map_err(|_| E::custom("no base64"))
            }
        }

        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn all_bytes_come_back_and_no_escape_is_needed() {
        for length in [0, 1, 2, 3, 256, 1000] {
            let bytes: Vec<u8> = (0..=255).rev().cycle().take(length).collect();
            let text = serde_json::to_string(&Private::new(bytes.clone())).unwrap();
            assert!(!text.contains('\\'), "{text}");
            let back: Private = serde_json::from_str(&text).unwrap();
            assert_eq!(*back, *bytes);
        }
        for damaged in ["\"a\"", "\"<xml/>\"", "7", "\"AAA\""] {
            assert!(
                serde_json::from_str::<Private>(damaged).is_err(),
                "{damaged}"
            );
        }
    }
}
