//! Undo data: the configurations of some components as they are, and which of them do not
//! exist. Encrypted as a whole, as the passwords in it are.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::crypto::Crypto;

use super::document::{self, Configurations, DocumentError};

#[derive(Serialize, Deserialize)]
struct Undo {
    format: u32,
    /// A snapshot of those that exist.
    present: String,
    absent: Vec<String>,
}

const FORMAT: u32 = 1;

/// What the named components are.
pub(super) fn capture<'a>(
    all: &Configurations,
    pids: impl IntoIterator<Item = &'a str>,
    crypto: &Crypto,
) -> Result<Vec<u8>, DocumentError> {
    let mut present = BTreeMap::new();
    let mut absent = Vec::new();
    for pid in pids {
        match all.get_key_value(pid) {
            Some((pid, properties)) => drop(present.insert(pid, properties)),
            None => absent.push(pid.to_owned()),
        }
    }
    let present = String::from_utf8(document::write_of(present)?)
        .map_err(|e| form(e.utf8_error().to_string()))?;
    let undo = Undo {
        format: FORMAT,
        present,
        absent,
    };
    // Room for the quotes in it, so that it hardly grows.
    let mut json = Vec::with_capacity(undo.present.len() + undo.present.len() / 8);
    serde_json::to_writer(&mut json, &undo).map_err(|e| form(e.to_string()))?;
    drop(undo);
    Ok(crypto.encrypt(&json)?)
}

/// Which components were captured.
pub(super) fn pids(undo: &[u8], crypto: &Crypto) -> Result<Vec<String>, DocumentError> {
    let (present, absent) = read(undo, crypto)?;
    Ok(present.into_keys().chain(absent).collect())
}

/// Brings the captured components back to what they were; all others stay.
pub(super) fn restore(
    all: &mut Configurations,
    undo: &[u8],
    crypto: &Crypto,
) -> Result<(), DocumentError> {
    let (present, absent) = read(undo, crypto)?;
    all.extend(present);
    all.retain(|pid, _| !absent.contains(pid));
    Ok(())
}

fn read(undo: &[u8], crypto: &Crypto) -> Result<(Configurations, Vec<String>), DocumentError> {
    let json = crypto.decrypt(undo)?;
    let undo: Undo = serde_json::from_slice(&json).map_err(|e| form(e.to_string()))?;
    if undo.format != FORMAT {
        return Err(form(format!("format {}", undo.format)));
    }
    let present = document::read(undo.present.as_bytes(), crypto)?;
    Ok((present, undo.absent))
}

fn form(what: String) -> DocumentError {
    DocumentError::Form { what }
}
