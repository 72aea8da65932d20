//! A reader for the few DER structures that the `openssl` crate keeps to itself.
//!
//! It walks definite-length, low-tag-number TLVs and nothing else: enough for
//! the extensions of a certificate and for the head of a CMS SignedData. It
//! decides nothing about signatures, chains or dates, which are OpenSSL's
//! alone, and it refuses BER. Called by `facts` and `cms`.

/// Universal tags and the constructed context tags that are met here.
pub mod tag {
    /// Boolean.
    pub const BOOLEAN: u8 = 0x01;
    /// Integer.
    pub const INTEGER: u8 = 0x02;
    /// Bit string.
    pub const BIT_STRING: u8 = 0x03;
    /// Octet string.
    pub const OCTET_STRING: u8 = 0x04;
    /// Oid.
    pub const OID: u8 = 0x06;
    /// Sequence.
    pub const SEQUENCE: u8 = 0x30;
    /// Set.
    pub const SET: u8 = 0x31;
    /// Context 0 primitive.
    pub const CONTEXT_0_PRIMITIVE: u8 = 0x80;
    /// Context 1 primitive.
    pub const CONTEXT_1_PRIMITIVE: u8 = 0x81;
    /// Context 2 primitive.
    pub const CONTEXT_2_PRIMITIVE: u8 = 0x82;
    /// Context 4 primitive.
    pub const CONTEXT_4_PRIMITIVE: u8 = 0x84;
    /// Context 0.
    pub const CONTEXT_0: u8 = 0xa0;
    /// Context 1.
    pub const CONTEXT_1: u8 = 0xa1;
    /// Context 3.
    pub const CONTEXT_3: u8 = 0xa3;
}

/// One element: its tag, its content, and the whole of it with its head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element<'a> {
    /// Its tag octet.
    pub tag: u8,
    /// Its content octets.
    pub content: &'a [u8],
    /// Tag, length and content.
    pub whole: &'a [u8],
}

/// Reads one element after the other; `None` is always "not DER, or not that".
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// At the first of these bytes.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Whether nothing is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next element.
    pub fn element(&mut self) -> Option<Element<'a>> {
        let start = self.rest;
        let (&[tag, first], mut rest) = start.split_first_chunk::<2>()?;
        if tag & 0x1f == 0x1f {
            return None;
        }
        let length = match first {
            0..=0x7f => usize::from(first),
            0x81..=0x84 => {
                let (octets, after) = rest.split_at_checked(usize::from(first & 0x7f))?;
                rest = after;
                let value = octets
                    .iter()
                    .fold(0usize, |value, octet| value << 8 | usize::from(*octet));
                // DER: the shortest form, no leading zero octet.
                if value < 0x80 || octets.first() == Some(&0) {
                    return None;
                }
                value
            }
            _ => return None,
        };
        let (content, after) = rest.split_at_checked(length)?;
        let whole = start.get(..start.len() - after.len())?;
        self.rest = after;
        Some(Element {
            tag,
            content,
            whole,
        })
    }

    /// The content of the next element, which must have this tag.
    pub fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        let element = self.element()?;
        (element.tag == tag).then_some(element.content)
    }

    /// The content of the next element if it has this tag; else nothing is read.
    pub fn optional(&mut self, tag: u8) -> Option<&'a [u8]> {
        if self.rest.first() != Some(&tag) {
            return None;
        }
        self.expect(tag)
    }

    /// The elements to the end, or `None` if one of them is damaged.
    pub fn all(mut self) -> Option<Vec<Element<'a>>> {
        let mut elements = Vec::new();
        while !self.is_empty() {
            elements.push(self.element()?);
        }
        Some(elements)
    }
}

/// The content of the one element that fills `bytes`, if it has this tag.
pub fn only(bytes: &[u8], tag: u8) -> Option<&[u8]> {
    let mut reader = Reader::new(bytes);
    let content = reader.expect(tag)?;
    reader.is_empty().then_some(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_long_lengths_are_read() {
        assert_eq!(
            only(&[0x04, 2, 7, 8], tag::OCTET_STRING),
            Some(&[7u8, 8][..])
        );
        let mut long = vec![0x04, 0x81, 0x80];
        long.extend([9; 0x80]);
        assert_eq!(only(&long, tag::OCTET_STRING), Some(&[9u8; 0x80][..]));
    }

    #[test]
    fn ber_and_damage_are_refused() {
        for bytes in [
            &[0x30, 0x80, 0, 0][..],       // indefinite length
            &[0x04, 0x81, 0x01, 7][..],    // not the shortest form
            &[0x04, 0x82, 0x00, 0x80][..], // leading zero octet
            &[0x1f, 0x01, 0][..],          // high tag number
            &[0x04, 3, 1, 2][..],          // cut off
            &[0x04, 0x84, 255, 255, 255, 255][..],
            &[0x04][..],
            &[][..],
            &[0x04, 1, 1, 0][..], // trailing byte
        ] {
            assert_eq!(
                only(bytes, bytes.first().copied().unwrap_or(4)),
                None,
                "{bytes:?}"
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            if let Some(elements) = Reader::new(&bytes).all() {
                let read: Vec<u8> = elements.iter().flat_map(|element| element.whole).copied().collect();
                proptest::prop_assert_eq!(read, bytes);
            }
        }
    }
}
