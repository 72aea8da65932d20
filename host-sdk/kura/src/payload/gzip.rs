//! Gzip around a message, read as `java.util.zip.GZIPInputStream` reads it (RFC 1952): several
//! members are joined, what follows the last one and is no member is ignored.

use std::io::Write;

use flate2::write::GzEncoder;
use flate2::{Compression, Crc, Decompress, FlushDecompress, Status};

use secret_text::Wiped;
use zeroize::{Zeroize, Zeroizing};

use super::room::{self, LARGE};
use super::PayloadError;

const MAGIC: [u8; 2] = [0x1f, 0x8b];
const CHUNK: usize = 16 << 10;
/// The most by which packing makes 16 MiB larger: headers, and five bytes for each piece of 16 KiB that
/// is stored as it is.
const PACKING: usize = 64 << 10;
/// Fewer bytes behind a member are never looked at: no header and trailer fit into them.
const SMALLEST_MEMBER: usize = 18;

/// Whether the bytes begin with the gzip magic. A KuraPayload never does.
pub fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC)
}

/// The message in gzip, whether or not that is shorter.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(
        Vec::with_capacity(bytes.len() / 2 + 32),
        Compression::default(),
    );
    // Writing into a Vec does not fail.
    let written = encoder.write_all(bytes);
    debug_assert!(written.is_ok());
    encoder.finish().unwrap_or_default()
}

/// The message out of gzip, one layer.
///
/// # Errors
/// [`PayloadError::Gzip`], or [`PayloadError::TooLarge`] as soon as `limit` bytes are exceeded,
/// whatever the ratio.
pub fn gunzip(bytes: &[u8], limit: usize) -> Result<Vec<u8>, PayloadError> {
    let mut apart = Apart {
        rest: bytes,
        out: Wiped::default(),
        limit,
    };
    inflate(&mut apart)?;
    Ok(apart.out.into_vec())
}

/// As [`gunzip`], of a message that is not needed any more: where it is large it is inflated within
/// its own memory, so that both together take little more than `limit`.
///
/// # Errors
/// As [`gunzip`]. [`PayloadError::TooLarge`] also where what is still compressed and what is
/// inflated already are more than `limit` together, which takes padding: no encoder makes what it
/// packs larger.
pub fn gunzip_owned(mut bytes: Vec<u8>, limit: usize) -> Result<Vec<u8>, PayloadError> {
    if bytes.len() <= LARGE {
        return gunzip(&Wiped::from(bytes), limit);
    }
    let (packed, size) = (bytes.len(), limit.saturating_add(PACKING));
    let Some(at) = size.checked_sub(packed) else {
        return Err(PayloadError::TooLarge { limit });
    };
    room::make(&mut bytes, at);
    bytes.resize(size, 0);
    bytes.copy_within(..packed, at);
    let mut within = Within {
        bytes: bytes.into(),
        at,
        out: 0,
        limit,
    };
    inflate(&mut within)?;
    let Within { mut bytes, out, .. } = within;
    if let Some(rest) = bytes.get_mut(out..) {
        rest.zeroize();
    }
    bytes.truncate(out);
    Ok(bytes.into_vec())
}

/// What is inflated, and where to.
trait Inflation {
    /// What is still compressed.
    fn rest(&self) -> &[u8];
    /// So many bytes of it are done with.
    fn skip(&mut self, bytes: usize);
    /// Takes what came out of them.
    fn put(&mut self, inflated: &[u8]) -> Result<(), PayloadError>;
}

/// Into memory of its own.
struct Apart<'a> {
    rest: &'a [u8],
    out: Wiped,
    limit: usize,
}

impl Inflation for Apart<'_> {
    fn rest(&self) -> &[u8] {
        self.rest
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }

    fn put(&mut self, inflated: &[u8]) -> Result<(), PayloadError> {
        if self.out.len() + inflated.len() > self.limit {
            return Err(PayloadError::TooLarge { limit: self.limit });
        }
        room::make(&mut self.out, inflated.len());
        self.out.extend_from_slice(inflated);
        Ok(())
    }
}

/// Within one piece of memory: inflated up to `out`, still compressed from `at`.
struct Within {
    bytes: Wiped,
    at: usize,
    out: usize,
    limit: usize,
}

impl Inflation for Within {
    fn rest(&self) -> &[u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    fn skip(&mut self, bytes: usize) {
        self.at += bytes;
    }

    fn put(&mut self, inflated: &[u8]) -> Result<(), PayloadError> {
        let end = self.out + inflated.len();
        let free = self.at.min(self.limit);
        let place = self.bytes.get_mut(self.out..end).filter(|_| end <= free);
        let place = place.ok_or(PayloadError::TooLarge { limit: self.limit })?;
        place.copy_from_slice(inflated);
        self.out = end;
        Ok(())
    }
}

fn inflate(it: &mut impl Inflation) -> Result<(), PayloadError> {
    let mut chunk = Zeroizing::new(vec![0u8; CHUNK]);
    let mut begin = header(it.rest()).ok_or(gzip_error("the header is damaged"))?;
    loop {
        it.skip(begin);
        member(it, &mut chunk)?;
        if it.rest().len() <= SMALLEST_MEMBER {
            return Ok(());
        }
        match header(it.rest()) {
            Some(next) => begin = next,
            None => return Ok(()),
        }
    }
}

fn gzip_error(what: &'static str) -> PayloadError {
    PayloadError::Gzip { what }
}

/// The length of a member's header, or `None` if that is not one.
fn header(bytes: &[u8]) -> Option<usize> {
    const FHCRC: u8 = 2;
    const FEXTRA: u8 = 4;
    const FNAME: u8 = 8;
    const FCOMMENT: u8 = 16;
    let (fixed, mut rest) = bytes.split_first_chunk::<10>()?;
    let [a, b, method, flags, ..] = *fixed;
    if [a, b] != MAGIC || method != 8 {
        return None;
    }
    if flags & FEXTRA != 0 {
        let (length, after) = rest.split_first_chunk::<2>()?;
        rest = after.get(usize::from(u16::from_le_bytes(*length))..)?;
    }
    for flag in [FNAME, FCOMMENT] {
        if flags & flag != 0 {
            let end = rest.iter().position(|byte| *byte == 0)?;
            rest = rest.get(end + 1..)?;
        }
    }
    if flags & FHCRC != 0 {
        let mut crc = Crc::new();
        crc.update(bytes.get(..bytes.len() - rest.len())?);
        let (stored, after) = rest.split_first_chunk::<2>()?;
        if u16::from_le_bytes(*stored) != crc.sum() as u16 {
            return None;
        }
        rest = after;
    }
    Some(bytes.len() - rest.len())
}

/// What inflates. It keeps the last 32 KiB of the message, which may hold a secret.
struct Window(Decompress);

impl Drop for Window {
    fn drop(&mut self) {
        // That overwrites them, and must not be left out because nobody looks at them afterwards.
        self.0.reset(false);
        std::hint::black_box(&self.0);
    }
}

/// Inflates one member behind its header, and skips its trailer.
fn member(it: &mut impl Inflation, chunk: &mut [u8]) -> Result<(), PayloadError> {
    let damaged = || gzip_error("the compressed data is damaged");
    let mut window = Window(Decompress::new(false));
    let Window(inflate) = &mut window;
    let mut crc = Crc::new();
    loop {
        let (read, written) = (inflate.total_in(), inflate.total_out());
        let status = inflate
            .decompress(it.rest(), chunk, FlushDecompress::None)
            .map_err(|_| damaged())?;
        let read = (inflate.total_in() - read) as usize;
        let written = (inflate.total_out() - written) as usize;
        let inflated = chunk.get(..written).ok_or_else(damaged)?;
        it.skip(read);
        crc.update(inflated);
        it.put(inflated)?;
        if status == Status::StreamEnd {
            break;
        }
        if read == 0 && written == 0 {
            return Err(gzip_error("the compressed data ends early"));
        }
    }
    let Some(trailer) = it.rest().first_chunk::<8>() else {
        return Err(gzip_error("the trailer is cut off"));
    };
    let [a, b, c, d, e, f, g, h] = *trailer;
    it.skip(trailer.len());
    if u32::from_le_bytes([a, b, c, d]) != crc.sum()
        || u32::from_le_bytes([e, f, g, h]) != inflate.total_out() as u32
    {
        return Err(gzip_error("checksum or length do not match"));
    }
    Ok(())
}
