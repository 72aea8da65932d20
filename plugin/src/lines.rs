//! Records in a log of the component, one a line, each with its checksum.
//!
//! `{"crc":"xxxxxxxx","record":{...}}`, the CRC-32 being of the record's bytes as they stand there.
//! What the records say together, and what a bad line means, is its owner's business: the journal's
//! ([`crate::transaction::journal`]), and that of the accepted control messages.

use std::io;

use serde::de::DeserializeOwned;
use serde::Serialize;

/// A record as it stands in the log, with its line feed.
///
/// # Errors
/// Of the JSON encoder; none is known.
pub fn line<T: Serialize>(record: &T) -> io::Result<Vec<u8>> {
    let json = serde_json::to_string(record)?;
    let crc = crc32fast::hash(json.as_bytes());
    Ok(format!("{{\"crc\":\"{crc:08x}\",\"record\":{json}}}\n").into_bytes())
}

/// The record of a line without its line feed; `None` if it is damaged.
pub fn parse<T: DeserializeOwned>(line: &[u8]) -> Option<T> {
    let rest = line.strip_prefix(b"{\"crc\":\"")?;
    let (crc, rest) = rest.split_at_checked(8)?;
    let json = rest.strip_prefix(b"\",\"record\":")?.strip_suffix(b"}")?;
    let crc = u32::from_str_radix(std::str::from_utf8(crc).ok()?, 16).ok()?;
    if crc32fast::hash(json) != crc {
        return None;
    }
    serde_json::from_slice(json).ok()
}
