//! What connections remember over restarts: which are held, and of which transaction the account
//! has not heard yet.
//!
//! `connections.jsonl` in the data folder: one line of JSON per change, durable when the call
//! returns; the last line of a connection counts, and a torn one at the end counts as not
//! written. Without it a gateway that is started anew while a new account is applied and not yet
//! proved would connect to that account. Not here: what a person told a connection, which ends
//! with the process.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use durable_file::Appender;
use serde::{Deserialize, Serialize};

/// The name of the file.
pub const FILE: &str = "connections.jsonl";
/// The file is written anew when it has more bytes than this.
const COMPACT_ABOVE: usize = 16 * 1024;

/// What is remembered of one connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    /// Whether a component keeps it disconnected.
    pub(super) held: bool,
    /// The transaction that the next BIRTH carries.
    pub(super) transaction: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Line {
    connection: String,
    #[serde(flatten)]
    kept: Kept,
}

/// The memory of all connections. Any thread.
#[derive(Debug)]
pub struct Memory {
    path: PathBuf,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    kept: BTreeMap<String, Kept>,
    /// Up to the end of the last good line.
    length: u64,
    /// Opened with the first change: most starts change nothing.
    appender: Option<Appender>,
}

impl Memory {
    /// Reads the memory in the data folder; there may be none.
    ///
    /// # Errors
    /// The file system. A damaged line is passed over, and the log says so.
    pub fn open(data: &Path) -> io::Result<Memory> {
        let path = data.join(FILE);
        let content = match durable_file::read(&path) {
            Ok(content) => content,
            Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(e) => return Err(e),
        };
        let end = content.iter().rposition(|byte| *byte == b'\n');
        let mut length = end.map_or(0, |end| end + 1);
        let good = content.get(..length).unwrap_or_default();
        let mut kept = BTreeMap::new();
        for line in good.split(|byte| *byte == b'\n').filter(|l| !l.is_empty()) {
            match serde_json::from_slice(line) {
                Ok(Line {
                    connection,
                    kept: now,
                }) => drop(kept.insert(connection, now)),
                Err(e) => log::error!("{} has a damaged line: {e}", path.display()),
            }
        }
        kept.retain(|_, kept| *kept != Kept::default());
        if content.len() > COMPACT_ABOVE {
            length = compact(&path, &kept)?;
        }
        let inner = Mutex::new(Inner {
            kept,
            length: length as u64,
            appender: None,
        });
        Ok(Memory { path, inner })
    }

    /// What is remembered of a connection.
    pub(super) fn of(&self, connection: &str) -> Kept {
        let inner = self.lock();
        inner.kept.get(connection).cloned().unwrap_or_default()
    }

    /// Holds it from now on.
    pub(super) fn hold(&self, connection: &str) -> io::Result<()> {
        self.change(connection, true, |kept| kept.held = true)
    }

    /// Holds it no more; a transaction, if not empty, is for the next BIRTH.
    pub(super) fn release(&self, connection: &str, transaction: &str) -> io::Result<()> {
        self.change(connection, true, |kept| {
            kept.held = false;
            if !transaction.is_empty() {
                kept.transaction = Some(transaction.to_owned());
            }
        })
    }

    /// The account has heard of the transaction. Should a loss of power take this back, the
    /// account hears of it again, which does no harm: nobody waits for the disk.
    pub(super) fn announced(&self, connection: &str, transaction: &str) -> io::Result<()> {
        self.change(connection, false, |kept| {
            kept.transaction.take_if(|t| t == transaction);
        })
    }

    /// The connection was deleted.
    pub(super) fn forget(&self, connection: &str) -> io::Result<()> {
        self.change(connection, true, |kept| *kept = Kept::default())
    }

    fn change(
        &self,
        connection: &str,
        wait: bool,
        change: impl FnOnce(&mut Kept),
    ) -> io::Result<()> {
        let mut inner = self.lock();
        let before = inner.kept.get(connection).cloned().unwrap_or_default();
        let mut now = before.clone();
        change(&mut now);
        if now == before {
            return Ok(());
        }
        let line = line(connection, &now)?;
        let mut appender = match inner.appender.take() {
            Some(appender) => appender,
            None => Appender::open(&self.path, inner.length)?,
        };
        // After an error the end may be torn: the next change cuts it off.
        if wait {
            appender.append(&line)?;
        } else {
            appender.note(&line)?;
        }
        inner.length += line.len() as u64;
        inner.kept.insert(connection.to_owned(), now);
        if wait && inner.length > COMPACT_ABOVE as u64 {
            drop(appender);
            self.shorten(&mut inner);
        } else {
            inner.appender = Some(appender);
        }
        Ok(())
    }

    /// For a gateway that runs for months. What was said stands, whatever comes of this: an error is
    /// only worth a line, and the next change tries again.
    fn shorten(&self, inner: &mut Inner) {
        inner.kept.retain(|_, kept| *kept != Kept::default());
        match compact(&self.path, &inner.kept) {
            Ok(length) => inner.length = length as u64,
            Err(e) => {
                log::warn!("{} stays long: {e}", self.path.display());
                // The old one or the new one, and whole.
                if let Ok(there) = std::fs::symlink_metadata(&self.path) {
                    if there.is_file() {
                        inner.length = there.len();
                    }
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Replaces the file by what it says; its length then.
fn compact(path: &Path, kept: &BTreeMap<String, Kept>) -> io::Result<usize> {
    let mut text = Vec::new();
    for (connection, kept) in kept {
        text.extend(line(connection, kept)?);
    }
    durable_file::write(path, &text)?;
    Ok(text.len())
}

fn line(connection: &str, kept: &Kept) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(&Line {
        connection: connection.to_owned(),
        kept: kept.clone(),
    })?;
    line.push(b'\n');
    Ok(line)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use super::*;

    #[test]
    fn a_hold_and_a_transaction_outlive_the_process() {
        let dir = tempfile::tempdir().unwrap();
        let memory = Memory::open(dir.path()).unwrap();
        memory.hold("a").unwrap();
        memory.hold("b").unwrap();
        memory.release("b", "t-1").unwrap();
        let memory = Memory::open(dir.path()).unwrap();
        assert!(memory.of("a").held);
        assert_eq!(memory.of("b").transaction.as_deref(), Some("t-1"));
        memory.announced("b", "t-0").unwrap();
        assert_eq!(memory.of("b").transaction.as_deref(), Some("t-1"));
        memory.announced("b", "t-1").unwrap();
        memory.forget("a").unwrap();
        let memory = Memory::open(dir.path()).unwrap();
        assert_eq!((memory.of("a"), memory.of("b")), Default::default());
    }

    #[test]
    fn a_torn_end_counts_as_not_written_at_every_byte() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        Memory::open(dir.path()).unwrap().hold("a").unwrap();
        let before = fs::read(&path).unwrap().len();
        let memory = Memory::open(dir.path()).unwrap();
        memory.release("a", "t-1").unwrap();
        let after = fs::read(&path).unwrap();
        for end in before..after.len() {
            fs::write(&path, after.get(..end).unwrap()).unwrap();
            let memory = Memory::open(dir.path()).unwrap();
            assert!(memory.of("a").held, "cut at {end}");
            memory.release("a", "t-1").unwrap();
            assert_eq!(fs::read(&path).unwrap(), after);
        }
    }

    #[test]
    fn it_does_not_grow_for_ever_and_is_not_made_for_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        let memory = Memory::open(dir.path()).unwrap();
        memory.release("a", "").unwrap();
        assert!(!path.exists());
        let size = || fs::metadata(&path).unwrap().len();
        let bound = (COMPACT_ABOVE + 100) as u64;
        memory.release("b", "t-1").unwrap();
        for _ in 0..600 {
            memory.hold("a").unwrap();
            assert!(size() < bound);
            memory.release("a", "").unwrap();
            assert!(size() < bound);
        }
        memory.hold("a").unwrap();
        // What is written anew is whole, also for the process that comes after.
        let memory = Memory::open(dir.path()).unwrap();
        assert!(memory.of("a").held);
        assert_eq!(memory.of("b").transaction.as_deref(), Some("t-1"));
    }

    #[test]
    fn what_cannot_be_written_anew_stays_and_the_change_counts() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        let memory = Memory::open(dir.path()).unwrap();
        memory.release("b", "t-1").unwrap();
        let change = |held: bool| match held {
            true => memory.hold("a").unwrap(),
            false => memory.release("a", "").unwrap(),
        };
        let mut held = false;
        while memory.lock().length + 100 < COMPACT_ABOVE as u64 {
            held = !held;
            change(held);
        }
        let before = fs::read(&path).unwrap();
        // A folder is in the way of the new file.
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        while memory.lock().appender.is_some() {
            held = !held;
            change(held);
        }
        assert_eq!(memory.of("a").held, held);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        fs::remove_dir(&path).unwrap();
        fs::write(&path, before).unwrap();
        change(!held);
        assert!(fs::metadata(&path).unwrap().len() < 200);
        let memory = Memory::open(dir.path()).unwrap();
        assert_eq!(memory.of("a").held, !held);
        assert_eq!(memory.of("b").transaction.as_deref(), Some("t-1"));
    }
}
