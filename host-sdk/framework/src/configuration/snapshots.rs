//! The folder of snapshots: their ids, the newest that can be read, writing, and clearing away.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use zeroize::Zeroizing;

use crate::crypto::Crypto;

use super::document::{self, Configurations, DocumentError};
use super::{room, ConfigurationError};

/// How many snapshots are kept, id 0 among them (`kura.snapshots.count`).
pub const KEPT: usize = 10;
/// Larger ids are none: JavaScript could not tell them apart, and there must be one above.
const MAX_ID: i64 = (1 << 53) - 1;

/// A snapshot that was passed over because it cannot be read.
#[derive(Debug)]
pub struct Finding {
    /// Its id.
    pub id: i64,
    /// Its file, left as it is.
    pub path: PathBuf,
    /// Why it cannot be read.
    pub problem: DocumentError,
}

/// The folder.
#[derive(Debug)]
pub(super) struct Snapshots {
    folder: PathBuf,
}

/// What opening found.
pub(super) struct Loaded {
    pub(super) id: i64,
    pub(super) configurations: Configurations,
    pub(super) findings: Vec<Finding>,
}

impl Snapshots {
    /// Opens the folder, making it where it does not exist, and removes what a killed writer
    /// left behind.
    pub(super) fn open(folder: &Path) -> Result<Snapshots, ConfigurationError> {
        let snapshots = Snapshots {
            folder: folder.to_owned(),
        };
        durable_file::create_folder(folder).map_err(|e| snapshots.storage(e))?;
        for name in snapshots.names()? {
            if name.starts_with('.') && name.ends_with(".tmp") {
                let path = folder.join(name);
                durable_file::remove(&path).map_err(|source| storage(path, source))?;
            }
        }
        Ok(snapshots)
    }

    /// The newest snapshot that can be read; nothing where there is no snapshot at all.
    pub(super) fn load(&self, crypto: &Crypto) -> Result<Option<Loaded>, ConfigurationError> {
        let mut findings = Vec::new();
        for id in self.ids()?.into_iter().rev() {
            match self.read(id, crypto) {
                Ok(configurations) => {
                    return Ok(Some(Loaded {
                        id,
                        configurations,
                        findings,
                    }))
                }
                Err(problem) => {
                    let path = self.path(id);
                    log::error!(
                        "{} cannot be read, using the snapshot before it: {problem}",
                        path.display()
                    );
                    findings.push(Finding { id, path, problem });
                }
            }
        }
        match findings.into_iter().next() {
            None => Ok(None),
            Some(newest) => Err(ConfigurationError::NoReadable {
                folder: self.folder.clone(),
                source: newest.problem,
            }),
        }
    }

    /// The ids, oldest first.
    pub(super) fn ids(&self) -> Result<Vec<i64>, ConfigurationError> {
        let mut ids: Vec<_> = self
            .names()?
            .iter()
            .filter_map(|name| id_of(name))
            .collect();
        ids.sort_unstable();
        Ok(ids)
    }

    /// The bytes of a snapshot, a Kura-encrypted document decrypted; passwords in it stay
    /// encrypted.
    pub(super) fn xml(&self, id: i64, crypto: &Crypto) -> Result<Vec<u8>, ConfigurationError> {
        let all = self.get(id, crypto)?;
        document::write(&all).map_err(|source| ConfigurationError::Snapshot { id, source })
    }

    /// The configurations of a snapshot.
    pub(super) fn get(
        &self,
        id: i64,
        crypto: &Crypto,
    ) -> Result<Configurations, ConfigurationError> {
        self.read(id, crypto).map_err(|source| match source {
            DocumentError::File(e) if e.kind() == io::ErrorKind::NotFound => {
                ConfigurationError::NoSnapshot { id }
            }
            source => ConfigurationError::Snapshot { id, source },
        })
    }

    fn read(&self, id: i64, crypto: &Crypto) -> Result<Configurations, DocumentError> {
        // One that was put there by hand may hold passwords in clear.
        let xml = Zeroizing::new(durable_file::read(&self.path(id))?);
        document::read(&xml, crypto)
    }

    /// Writes snapshot 0.
    pub(super) fn write_seed(&self, all: &Configurations) -> Result<(), ConfigurationError> {
        self.write_as(0, all)
    }

    /// Writes a new snapshot and clears old ones away. The id is the time in milliseconds, or
    /// one more than the largest id where the clock is behind.
    pub(super) fn write(&self, all: &Configurations) -> Result<i64, ConfigurationError> {
        let last = self.ids()?.last().copied().unwrap_or(0);
        let id = next_id(now(), last);
        self.write_as(id, all)?;
        self.clear();
        Ok(id)
    }

    fn write_as(&self, id: i64, all: &Configurations) -> Result<(), ConfigurationError> {
        let xml = document::write(all).map_err(ConfigurationError::Unwritable)?;
        room::readable_bytes(xml.len())?;
        let path = self.path(id);
        durable_file::write(&path, &xml).map_err(|source| {
            // It may be there and only not be safe: what has failed must not come back.
            let _ = durable_file::remove(&path);
            storage(path, source)
        })
    }

    /// Changes the snapshots that `change` says need it, each as a whole. One that cannot be read
    /// is left as it is; after an error others may have been changed.
    pub(super) fn rewrite(
        &self,
        crypto: &Crypto,
        mut change: impl FnMut(&mut Configurations) -> bool,
    ) -> Result<(), ConfigurationError> {
        let mut unwritable = None;
        // One at a time: all of them may be large.
        let changed = self.ids()?.into_iter().filter_map(|id| {
            let mut all = match self.read(id, crypto) {
                Ok(all) => all,
                Err(e) => {
                    log::warn!("{} stays as it is: {e}", self.path(id).display());
                    return None;
                }
            };
            if !change(&mut all) {
                return None;
            }
            match document::write(&all) {
                Ok(xml) => Some((file_name(id), xml)),
                Err(e) => {
                    unwritable.get_or_insert(e);
                    None
                }
            }
        });
        durable_file::write_all(&self.folder, changed).map_err(|e| self.storage(e))?;
        match unwritable {
            Some(e) => Err(ConfigurationError::Unwritable(e)),
            None => Ok(()),
        }
    }

    /// Removes the oldest beyond [`KEPT`], but never 0. What cannot be removed is removed
    /// another time.
    fn clear(&self) {
        let ids = self.ids().unwrap_or_default();
        let surplus = ids.len().saturating_sub(KEPT);
        for id in ids.into_iter().filter(|id| *id != 0).take(surplus) {
            if let Err(e) = durable_file::remove(&self.path(id)) {
                log::warn!("{} cannot be removed: {e}", self.path(id).display());
            }
        }
    }

    pub(super) fn path(&self, id: i64) -> PathBuf {
        self.folder.join(file_name(id))
    }

    fn names(&self) -> Result<Vec<String>, ConfigurationError> {
        durable_file::check_folder(&self.folder).map_err(|e| self.storage(e))?;
        let entries = fs::read_dir(&self.folder).map_err(|e| self.storage(e))?;
        Ok(entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .collect())
    }

    fn storage(&self, source: io::Error) -> ConfigurationError {
        storage(self.folder.clone(), source)
    }
}

fn storage(path: PathBuf, source: io::Error) -> ConfigurationError {
    ConfigurationError::Storage { path, source }
}

fn file_name(id: i64) -> String {
    format!("snapshot_{id}.xml")
}

/// The id in a file name as we and Kura write it: no leading zeros, no sign.
fn id_of(name: &str) -> Option<i64> {
    let digits = name.strip_prefix("snapshot_")?.strip_suffix(".xml")?;
    let id: i64 = digits.parse().ok()?;
    (id.to_string() == digits && (0..MAX_ID).contains(&id)).then_some(id)
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(0))
}

fn next_id(now: i64, last: i64) -> i64 {
    now.max(last + 1)
}

#[cfg(test)]
mod tests {
    use super::{id_of, next_id};

    #[test]
    fn ids_grow_whatever_the_clock_says() {
        assert_eq!(next_id(5_000, 10), 5_000);
        assert_eq!(next_id(5_000, 5_000), 5_001);
        assert_eq!(next_id(0, 5_000), 5_001);
        assert_eq!(next_id(0, 0), 1);
    }

    #[test]
    fn only_names_as_kura_writes_them_are_snapshots() {
        assert_eq!(id_of("snapshot_0.xml"), Some(0));
        assert_eq!(id_of("snapshot_1700000000000.xml"), Some(1_700_000_000_000));
        for name in [
            "snapshot_-1.xml",
            "snapshot_007.xml",
            "snapshot_.xml",
            "snapshot_1.xml.bak",
            ".snapshot_1.xml.2-0.tmp",
            "snapshot_9223372036854775807.xml",
        ] {
            assert_eq!(id_of(name), None, "{name}");
        }
    }
}
