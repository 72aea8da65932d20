//! The protobuf wire format, as protobuf-java reads it (`CodedInputStream.ArrayDecoder`,
//! `UnknownFieldSet`): tags and lengths are cut to 32 bits, a varint of ten bytes is negative,
//! groups nest at most 100 deep.
//! Nothing is allocated here.

use super::PayloadError;

/// protobuf-java's default recursion limit.
const MAX_DEPTH: u32 = 100;

/// One field as it stands on the wire.
#[derive(Clone, Copy, Debug)]
pub(super) enum Field<'a> {
    Varint(u64),
    Fixed64([u8; 8]),
    Bytes(&'a [u8]),
    /// A whole group, skipped.
    Group,
    Fixed32([u8; 4]),
}

/// Reads one message, or one embedded message.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    end: usize,
    depth: u32,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            end: bytes.len(),
            depth: 0,
        }
    }

    /// For a message embedded in this one, whose last byte was read just now.
    pub(super) fn embedded(&self, bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            end: self.offset(),
            depth: self.depth + 1,
        }
    }

    /// Bytes of the whole message before what is read next.
    pub(super) fn offset(&self) -> usize {
        self.end - self.rest.len()
    }

    pub(super) fn malformed(&self, what: &'static str) -> PayloadError {
        PayloadError::Malformed {
            offset: self.offset(),
            what,
        }
    }

    /// The next field and its number, or `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<(u32, Field<'a>)>, PayloadError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let (number, wire_type) = self.tag()?;
        match self.field(number, wire_type, self.depth)? {
            Some(field) => Ok(Some((number, field))),
            None => Err(self.malformed("a group ends that did not start")),
        }
    }

    fn tag(&mut self) -> Result<(u32, u32), PayloadError> {
        // protobuf-java keeps the lower 32 bits.
        let tag = self.varint()? as u32;
        if tag >> 3 == 0 {
            return Err(self.malformed("field number zero"));
        }
        Ok((tag >> 3, tag & 7))
    }

    /// `None` for the end of a group.
    fn field(
        &mut self,
        number: u32,
        wire_type: u32,
        depth: u32,
    ) -> Result<Option<Field<'a>>, PayloadError> {
        Ok(Some(match wire_type {
            0 => Field::Varint(self.varint()?),
            1 => Field::Fixed64(self.fixed()?),
            2 => {
                let length = self.varint()? as u32 as i32;
                let length = usize::try_from(length)
                    .map_err(|_| self.malformed("a length that is negative"))?;
                Field::Bytes(self.take(length)?)
            }
            3 => {
                self.skip_group(number, depth + 1)?;
                Field::Group
            }
            4 => return Ok(None),
            5 => Field::Fixed32(self.fixed()?),
            _ => return Err(self.malformed("a wire type that does not exist")),
        }))
    }

    /// Bounded by [`MAX_DEPTH`].
    fn skip_group(&mut self, group: u32, depth: u32) -> Result<(), PayloadError> {
        if depth > MAX_DEPTH {
            return Err(self.malformed("more than 100 levels"));
        }
        loop {
            if self.rest.is_empty() {
                return Err(self.malformed("a group that does not end"));
            }
            let (number, wire_type) = self.tag()?;
            if self.field(number, wire_type, depth)?.is_none() {
                if number == group {
                    return Ok(());
                }
                return Err(self.malformed("a group ends that did not start"));
            }
        }
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], PayloadError> {
        match self.rest.split_at_checked(length) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => Err(self.malformed("the end in the middle of a field")),
        }
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], PayloadError> {
        match self.rest.split_first_chunk::<N>() {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(*taken)
            }
            None => Err(self.malformed("the end in the middle of a field")),
        }
    }

    fn varint(&mut self) -> Result<u64, PayloadError> {
        let mut value = 0u64;
        for shift in (0..63).step_by(7) {
            let [byte] = self.fixed::<1>()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        // protobuf-java takes the tenth byte for the sign, whatever is in it.
        let [byte] = self.fixed::<1>()?;
        if byte & 0x80 == 0 {
            return Ok(value | 1 << 63);
        }
        Err(self.malformed("a varint of more than ten bytes"))
    }
}
