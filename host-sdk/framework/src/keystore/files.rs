//! The files of one keystore. The alias is in the name of the file, what is no letter, digit,
//! `-` or `_` (nor a dot further on) as `%XX` of its UTF-8.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::entry::Entry;
use super::KeystoreError;

/// Largest file that is read, in bytes.
const MAX_FILE: u64 = 4 << 20;

/// Entries of one keystore, and their bytes together: a whole keystore is read for each connection
/// and for each message whose signature is judged. A Debian system trusts 140 roots in 0.2 MB.
const MAX_ENTRIES: usize = 256;
const MAX_BYTES: u64 = 2 << 20;

/// Who asks for room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// An operator or an account.
    Anybody,
    /// A component: a provisioning brings a few, and has to bring the signer behind its commit, or
    /// what it replaced when it is taken back.
    Component,
}

impl Room {
    fn entries(self) -> usize {
        MAX_ENTRIES + if self == Room::Component { 32 } else { 0 }
    }

    fn bytes(self) -> u64 {
        MAX_BYTES
            + if self == Room::Component {
                256 << 10
            } else {
                0
            }
    }
}

#[derive(Debug)]
pub(super) struct Files {
    folder: PathBuf,
}

impl Files {
    pub(super) fn of(folder: PathBuf) -> Files {
        Files { folder }
    }

    /// The aliases, sorted.
    pub(super) fn aliases(&self) -> Result<Vec<String>, KeystoreError> {
        let failed = |e| storage(&self.folder, e);
        let mut aliases = Vec::new();
        durable_file::check_folder(&self.folder).map_err(failed)?;
        for entry in fs::read_dir(&self.folder).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            aliases.extend(name.to_str().and_then(alias_of));
        }
        aliases.sort();
        Ok(aliases)
    }

    pub(super) fn read(&self, alias: &str) -> Result<Option<Entry>, KeystoreError> {
        let path = self.path(alias)?;
        let metadata = match fs::symlink_metadata(&path) {
            Ok(metadata) => metadata,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(storage(&path, e)),
        };
        let damaged = |what: String| KeystoreError::Damaged {
            path: path.clone(),
            what,
        };
        if metadata.len() > MAX_FILE {
            return Err(damaged(format!("it has more than {MAX_FILE} bytes")));
        }
        let text = durable_file::read(&path).and_then(|bytes| {
            String::from_utf8(bytes)
                .map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e.utf8_error()))
        });
        let text = match text {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) if e.kind() == io::ErrorKind::InvalidData => {
                return Err(damaged("it is no PEM text".to_owned()))
            }
            Err(e) => return Err(storage(&path, e)),
        };
        match Entry::from_text(&text) {
            Ok(entry) => Ok(Some(entry)),
            Err(e) => Err(damaged(e.to_string())),
        }
    }

    pub(super) fn write(
        &self,
        alias: &str,
        entry: &Entry,
        room: Room,
    ) -> Result<(), KeystoreError> {
        let path = self.path(alias)?;
        let text = entry.to_text()?;
        // Equal content is left alone: a repeated change costs no write.
        if durable_file::read(&path).is_ok_and(|old| old == text.as_bytes()) {
            return Ok(());
        }
        self.admit(alias, text.len() as u64, room)?;
        durable_file::write(&path, text.as_bytes()).map_err(|e| storage(&path, e))
    }

    /// Whether an entry of so many bytes may be there; what makes the keystore no larger always may.
    fn admit(&self, alias: &str, length: u64, room: Room) -> Result<(), KeystoreError> {
        let (mut entries, mut bytes, mut old) = (1, length, None);
        for other in self.aliases()? {
            let path = self.path(&other)?;
            let size = fs::symlink_metadata(&path).map_or(0, |metadata| metadata.len());
            if other == alias {
                old = Some(size);
            } else {
                entries += 1;
                bytes += size;
            }
        }
        let many = entries > room.entries() && old.is_none();
        let long = bytes > room.bytes() && length > old.unwrap_or_default();
        if !many && !long {
            return Ok(());
        }
        let keystore = self.folder.file_name().unwrap_or_default();
        Err(KeystoreError::TooMuch {
            keystore: keystore.to_string_lossy().into_owned(),
            alias: alias.to_owned(),
            entries,
            bytes,
            max_entries: room.entries(),
            max_bytes: room.bytes(),
        })
    }

    pub(super) fn remove(&self, alias: &str) -> Result<(), KeystoreError> {
        let path = self.path(alias)?;
        durable_file::remove(&path).map_err(|e| storage(&path, e))
    }

    fn path(&self, alias: &str) -> Result<PathBuf, KeystoreError> {
        let length = alias.chars().count();
        let control = alias.chars().any(char::is_control);
        let name = file_name(alias);
        // 255 is what file systems take; the temporary file beside it has a longer name.
        if !(1..=64).contains(&length) || control || name.len() > 220 {
            return Err(KeystoreError::BadAlias {
                alias: alias.chars().take(64).collect(),
            });
        }
        Ok(self.folder.join(name))
    }
}

pub(super) fn storage(path: &Path, source: io::Error) -> KeystoreError {
    KeystoreError::Storage {
        path: path.to_owned(),
        source,
    }
}

fn file_name(alias: &str) -> String {
    let mut name = String::new();
    for (at, byte) in alias.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => name.push(char::from(byte)),
            b'.' if at > 0 => name.push('.'),
            _ => name.push_str(&format!("%{byte:02X}")),
        }
    }
    name.push_str(".pem");
    name
}

/// The alias of a file, if it is the file of one.
fn alias_of(name: &str) -> Option<String> {
    let mut rest = name.strip_suffix(".pem")?;
    let mut bytes = Vec::new();
    while let Some(c) = rest.chars().next() {
        let (taken, behind) = match c {
            '%' => rest.split_at_checked(3)?,
            c => rest.split_at_checked(c.len_utf8())?,
        };
        match taken.strip_prefix('%') {
            Some(hex) => bytes.push(u8::from_str_radix(hex, 16).ok()?),
            None => bytes.extend_from_slice(taken.as_bytes()),
        }
        rest = behind;
    }
    let alias = String::from_utf8(bytes).ok()?;
    (file_name(&alias) == name).then_some(alias)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_alias_has_its_own_name_within_the_folder() {
        for alias in [
            "ssl-root", "a.b", ".hidden", "../up", "a/b", "ä 1", "%41", "A",
        ] {
            let name = file_name(alias);
            assert!(!name.contains('/') && !name.starts_with('.'), "{name}");
            assert_eq!(alias_of(&name).unwrap(), alias);
        }
        for name in [
            "x.crt",
            ".pem",
            ".x.pem.1-0.tmp",
            "a b.pem",
            "%4.pem",
            "%zz.pem",
        ] {
            assert_eq!(alias_of(name).filter(|a| !a.is_empty()), None, "{name}");
        }
    }
}
