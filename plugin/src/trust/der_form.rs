//! Whether octets are DER all through, as far as that shows without knowing what they mean.
//!
//! Of BER it finds what the reader of the head alone never meets: lengths that are indefinite or
//! longer than need be, and strings in pieces, in whatever depth. What depends on the type (the
//! order of a SET OF, the octets of an INTEGER) shows when OpenSSL writes the structure anew. What
//! stands inside a string is content, and not looked at. Called by `cms`.

use super::der::{tag, Reader};

/// Elements within each other; a signature with certificates has about twelve.
const MAX_NESTING: u8 = 32;
/// Set in the tag of an element that consists of elements.
const CONSTRUCTED: u8 = 0x20;
/// The class of a tag; zero is the universal one.
const CLASS: u8 = 0xc0;

/// Whether `bytes` are elements that are DER in their form, and so is all within them.
pub(super) fn is_der(bytes: &[u8]) -> bool {
    within(bytes, MAX_NESTING)
}

fn within(bytes: &[u8], nesting: u8) -> bool {
    let Some(elements) = Reader::new(bytes).all() else {
        return false;
    };
    elements.iter().all(|element| {
        let constructed = element.tag & CONSTRUCTED != 0;
        let composed = matches!(element.tag | CONSTRUCTED, tag::SEQUENCE | tag::SET);
        // Of the universal types only these two consist of elements, and always do.
        if element.tag & CLASS == 0 && constructed != composed {
            return false;
        }
        !constructed
            || nesting
                .checked_sub(1)
                .is_some_and(|left| within(element.content, left))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_strings_are_looked_at_in_whatever_depth() {
        for (bytes, form) in [
            (&[][..], true),
            (&[0x30, 0][..], true),
            (&[0x30, 4, 0xa0, 2, 0x04, 0][..], true),
            // What a string holds is no matter of its form.
            (&[0x04, 2, 0x30, 0x80][..], true),
            (&[0x30, 5, 0xa0, 3, 0x04, 0x81, 0][..], false),
            (&[0x30, 0x80, 0, 0][..], false),
            (&[0x30, 4, 0x24, 2, 0x04, 0][..], false),
            (&[0x10, 0][..], false),
            (&[0x30, 2, 0x04, 1][..], false),
        ] {
            assert_eq!(is_der(bytes), form, "{bytes:02x?}");
        }
    }

    #[test]
    fn what_is_nested_too_deep_is_refused_and_does_not_exhaust_the_stack() {
        let nested = |depth: usize| {
            let mut bytes = Vec::new();
            for _ in 0..depth {
                let length = bytes.len();
                let mut outer = vec![0x30];
                match u8::try_from(length) {
                    Ok(short) if short < 0x80 => outer.push(short),
                    _ => {
                        outer.push(0x83);
                        outer.extend(length.to_be_bytes().iter().skip(5));
                    }
                }
                outer.extend(bytes);
                bytes = outer;
            }
            bytes
        };
        assert!(is_der(&nested(usize::from(MAX_NESTING))));
        assert!(!is_der(&nested(usize::from(MAX_NESTING) + 2)));
        assert!(!is_der(&nested(10_000)));
    }
}
