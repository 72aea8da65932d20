//! Gzip around a message, read as `java.util.zip.GZIPInputStream` reads it (RFC 1952): several
//! members are joined, what follows the last one and is no member is ignored.

use std::io::{Read, Write};

use flate2::write::GzEncoder;
use flate2::{Compression, Crc, Decompress, FlushDecompress, Status};

use super::PayloadError;

const MAGIC: [u8; 2] = [0x1f, 0x8b];
const CHUNK: usize = 16 << 10;
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
    let mut out = Vec::new();
    let mut rest = header(bytes).ok_or(gzip_error("the header is damaged"))?;
    loop {
        rest = member(rest, limit, &mut out)?;
        if rest.len() <= SMALLEST_MEMBER {
            return Ok(out);
        }
        match header(rest) {
            Some(next) => rest = next,
            None => return Ok(out),
        }
    }
}

fn gzip_error(what: &'static str) -> PayloadError {
    PayloadError::Gzip { what }
}

/// What follows the header of a member, or `None` if that is not one.
fn header(bytes: &[u8]) -> Option<&[u8]> {
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
    Some(rest)
}

/// Inflates one member behind its header; gives what follows its trailer.
fn member<'a>(
    mut rest: &'a [u8],
    limit: usize,
    out: &mut Vec<u8>,
) -> Result<&'a [u8], PayloadError> {
    let damaged = || gzip_error("the compressed data is damaged");
    let mut inflate = Decompress::new(false);
    let mut crc = Crc::new();
    let mut chunk = vec![0u8; CHUNK];
    loop {
        let (read, written) = (inflate.total_in(), inflate.total_out());
        let status = inflate
            .decompress(rest, &mut chunk, FlushDecompress::None)
            .map_err(|_| damaged())?;
        let read = (inflate.total_in() - read) as usize;
        let written = (inflate.total_out() - written) as usize;
        rest = rest.get(read..).ok_or_else(damaged)?;
        let inflated = chunk.get(..written).ok_or_else(damaged)?;
        if out.len() + inflated.len() > limit {
            return Err(PayloadError::TooLarge { limit });
        }
        crc.update(inflated);
        out.extend_from_slice(inflated);
        if status == Status::StreamEnd {
            break;
        }
        if read == 0 && written == 0 {
            return Err(gzip_error("the compressed data ends early"));
        }
    }
    let mut trailer = [0u8; 8];
    rest.read_exact(&mut trailer)
        .map_err(|_| gzip_error("the trailer is cut off"))?;
    let [a, b, c, d, e, f, g, h] = trailer;
    if u32::from_le_bytes([a, b, c, d]) != crc.sum()
        || u32::from_le_bytes([e, f, g, h]) != inflate.total_out() as u32
    {
        return Err(gzip_error("checksum or length do not match"));
    }
    Ok(rest)
}
