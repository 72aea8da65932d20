//! The journal: what the transaction has done so far, durable record by record.
//!
//! `journal.jsonl` in the component's folder, one line with its checksum per record
//! ([`crate::lines`]). A last line that is torn or does not match counts as not written. A bad line
//! before the last one makes no sense: the file is moved aside and reported, never guessed at.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use durable_file::Appender;
use serde::{Deserialize, Serialize};

pub use crate::lines::line;
use crate::lines::parse;
use crate::provisioner::GaveUp;

/// The journal is rewritten as one record when it has more bytes than this.
const COMPACT_ABOVE: usize = 32 * 1024;
/// A journal larger than this was not written by us.
const MAX_SIZE: u64 = 4 << 20;

/// One entry of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Record {
    /// A transaction begins: its identity is frozen from here on.
    Started {
        /// Its UUID.
        transaction: String,
        /// Client-id of all its attempts.
        client_id: String,
        /// Username of all its attempts.
        username: String,
        /// Fingerprint of the parameters it runs with.
        parameters: String,
    },
    /// The first packet of attempt `n` is about to be sent.
    Attempt {
        /// 1 for the first.
        n: u32,
        /// Wall clock, ms since 1970.
        at_ms: i64,
    },
    /// A key that was not there is about to be made.
    Key(Made),
    /// The plan is durable, and its operations may begin.
    Sealed,
    /// Everything is as before; the transaction stays open for the next attempt.
    Undone,
    /// The new account is proved: there is no way back.
    Committed {
        /// Wall clock, ms since 1970.
        at_ms: i64,
    },
    /// The way forward is complete.
    Finished {
        /// Whether the root of the accepted chain was trusted.
        root_verified: bool,
    },
    /// The transaction ends without success: its parameters changed, or it gave up.
    Abandoned,
    /// All there is to know, in place of the records before.
    Summary(Box<Summary>),
}

/// A key that the host makes for an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// E.g. `SSLKeystore`.
    pub keystore: String,
    /// Its alias.
    pub alias: String,
}

/// How far the open transaction has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Nothing outside the component's folder was touched.
    #[default]
    Open,
    /// The plan is durable; any of its operations may have been done.
    Sealed,
    /// Proved: only the way forward is left.
    Committed,
}

/// What the journal says, taken together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// The open transaction.
    pub transaction: Option<Open>,
    /// Whether a transaction was ever finished here.
    pub provisioned_before: bool,
    /// The latest good time, ms since 1970; 0 if none.
    pub good_time_ms: i64,
    /// Attempts of the last finished transaction.
    pub last_attempts: u32,
    /// The last finished transaction.
    pub last_transaction: Option<String>,
    /// Whether the root of the chain accepted then was trusted.
    pub root_verified: Option<bool>,
    /// The attempts of the last transaction were used up. Older versions do not know it, and leave
    /// it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gave_up: Option<Box<GaveUp>>,
}

/// The open transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// Its UUID.
    pub id: String,
    /// Frozen client-id.
    pub client_id: String,
    /// Frozen username.
    pub username: String,
    /// Fingerprint of its parameters.
    pub parameters: String,
    /// Attempts so far.
    pub attempts: u32,
    /// How far it has come.
    pub phase: Phase,
    /// Keys that were made in this attempt, and go with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<Made>,
}

impl Summary {
    /// The summary after `record`. A record that does not fit is an error.
    pub fn after(mut self, record: &Record) -> Result<Summary, &'static str> {
        match record {
            Record::Summary(summary) => return Ok((**summary).clone()),
            Record::Started {
                transaction,
                client_id,
                username,
                parameters,
            } => {
                if self.transaction.is_some() {
                    return Err("a transaction starts while another one is open");
                }
                self.gave_up = None;
                self.transaction = Some(Open {
                    id: transaction.clone(),
                    client_id: client_id.clone(),
                    username: username.clone(),
                    parameters: parameters.clone(),
                    ..Open::default()
                });
                return Ok(self);
            }
            _ => {}
        }
        let Some(open) = &mut self.transaction else {
            return Err("a record belongs to no transaction");
        };
        match (record, open.phase) {
            // The time of an attempt is no good time: a clock that ran ahead would keep the gateway
            // from ever trying again once it is set right.
            (Record::Attempt { n, .. }, Phase::Open) => open.attempts = *n,
            (Record::Key(made), Phase::Open) => {
                if !open.keys.contains(made) {
                    open.keys.push(made.clone());
                }
            }
            (Record::Sealed, Phase::Open) => open.phase = Phase::Sealed,
            (Record::Undone, Phase::Sealed | Phase::Open) => {
                open.phase = Phase::Open;
                open.keys.clear();
            }
            (Record::Committed { at_ms }, Phase::Sealed) => {
                open.phase = Phase::Committed;
                self.good_time_ms = self.good_time_ms.max(*at_ms);
            }
            (Record::Finished { root_verified }, Phase::Committed) => {
                self.root_verified = Some(*root_verified);
                self.provisioned_before = true;
                self.last_attempts = open.attempts;
                self.last_transaction = Some(open.id.clone());
                self.transaction = None;
            }
            (Record::Abandoned, Phase::Open) if open.keys.is_empty() => self.transaction = None,
            _ => return Err("the records are out of order"),
        }
        Ok(self)
    }
}

/// Why the journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Reading or writing failed.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        error: io::Error,
    },
    /// The journal made no sense and was moved aside.
    #[error("{} made no sense ({reason}) and was kept as {}", path.display(), kept.display())]
    Corrupt {
        /// The journal.
        path: PathBuf,
        /// Where it is now.
        kept: PathBuf,
        /// What was wrong.
        reason: String,
    },
    /// A record that does not follow from the ones before: a bug.
    #[error("a journal record is out of order: {0}")]
    Order(&'static str),
}

/// What records are appended to: a file, or in tests one whose disk fails.
pub(super) trait Log: Send {
    /// As [`Appender::append`].
    fn append(&mut self, lines: &[u8]) -> io::Result<()>;
}

impl Log for Appender {
    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        Appender::append(self, lines)
    }
}

/// As [`Appender::settle`].
pub(super) type OpenLog = Box<dyn Fn(&Path, u64) -> io::Result<Box<dyn Log>> + Send>;

/// The journal, open for appending.
pub struct Journal {
    path: PathBuf,
    pub(super) open: OpenLog,
    /// None after an error, when the file may hold more than `length`.
    pub(super) log: Option<Box<dyn Log>>,
    /// Up to the end of the last good record; None if the file is whole and was not looked at.
    length: Option<u64>,
    summary: Summary,
}

impl Journal {
    /// Opens the journal in `folder` and says what it holds. A corrupt one is moved aside and
    /// reported; the next call starts a new one.
    pub fn open(folder: &Path) -> Result<Journal, JournalError> {
        let path = folder.join("journal.jsonl");
        let io = |error| JournalError::Io {
            path: path.clone(),
            error,
        };
        let content = match fs::symlink_metadata(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(e) => return Err(io(e)),
            Ok(data) if data.len() > MAX_SIZE => {
                return Err(set_aside(&path, format!("{} bytes", data.len())));
            }
            Ok(_) => durable_file::read(&path).map_err(io)?,
        };
        let (summary, good) = match replay(&content) {
            Ok(replayed) => replayed,
            Err(reason) => return Err(set_aside(&path, reason)),
        };
        let mut length = good as u64;
        if content.len() > COMPACT_ABOVE {
            length = compact(&path, &summary).map_err(io)?;
        }
        let open: OpenLog = Box::new(|path, length| Ok(Box::new(Appender::settle(path, length)?)));
        let log = Some(open(&path, length).map_err(io)?);
        Ok(Journal {
            path,
            open,
            log,
            length: Some(length),
            summary,
        })
    }

    /// What it says now.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Cuts off, durably, what an append that failed has left behind, whole or in part: until then
    /// the next start may believe it. Does nothing where nothing can be left.
    pub fn settle(&mut self) -> Result<(), JournalError> {
        self.opened().map(drop).map_err(|error| self.io(error))
    }

    /// The log, and its length.
    fn opened(&mut self) -> io::Result<(&mut dyn Log, u64)> {
        let length = match self.length {
            Some(length) => length,
            None => fs::symlink_metadata(&self.path)?.len(),
        };
        self.length = Some(length);
        let log = match self.log.take() {
            Some(log) => log,
            None => (self.open)(&self.path, length)?,
        };
        Ok((&mut **self.log.insert(log), length))
    }

    fn io(&self, error: io::Error) -> JournalError {
        JournalError::Io {
            path: self.path.clone(),
            error,
        }
    }

    /// Appends `records`, durably, with one wait for the disk. After an I/O error they count
    /// as not written, and are gone once [`settle`](Self::settle) says so.
    pub fn append(&mut self, records: &[Record]) -> Result<(), JournalError> {
        let mut next = self.summary.clone();
        for record in records {
            next = next.after(record).map_err(JournalError::Order)?;
        }
        let mut lines = Vec::new();
        for record in records {
            lines.extend_from_slice(&line(record).map_err(|error| self.io(error))?);
        }
        let (log, length) = match self.opened() {
            Ok(opened) => opened,
            Err(error) => return Err(self.io(error)),
        };
        if let Err(error) = log.append(&lines) {
            self.log = None;
            let error = self.io(error);
            if let Err(e) = self.settle() {
                log::warn!("what could not be written is not cut off yet: {e}");
            }
            return Err(error);
        }
        let length = length + lines.len() as u64;
        self.length = Some(length);
        self.summary = next;
        if length > COMPACT_ABOVE as u64 {
            self.shorten();
        }
        Ok(())
    }

    /// Writes anew what was read: after this it is certainly on the disk. A record whose sync failed
    /// may be read back from memory alone, also by the next process, and no later sync of the same
    /// file brings it to the disk.
    ///
    /// # Errors
    /// The file system's; the old content stays.
    pub fn assure(&mut self) -> Result<(), JournalError> {
        self.log = None;
        let written = compact(&self.path, &self.summary);
        self.length = None;
        written.map(drop).map_err(|e| self.io(e))
    }

    /// For a gateway that tries for months without a restart. The records stand, whatever comes of
    /// this: an error is only worth a line.
    fn shorten(&mut self) {
        self.log = None;
        if let Err(e) = compact(&self.path, &self.summary) {
            log::warn!("{} stays long: {e}", self.path.display());
        }
        // The old one or the new one, and whole.
        self.length = None;
    }
}

/// Replaces the journal by what it says; its length then.
fn compact(path: &Path, summary: &Summary) -> io::Result<u64> {
    let line = line(&Record::Summary(Box::new(summary.clone())))?;
    durable_file::write(path, &line)?;
    Ok(line.len() as u64)
}

/// What the bytes of a journal say together, and the length of their good part: a torn last line
/// is not in it.
///
/// # Errors
/// Which line makes no sense, and why.
pub fn replay(content: &[u8]) -> Result<(Summary, usize), String> {
    let mut summary = Summary::default();
    let mut good = 0;
    let mut number = 0;
    let mut rest = content;
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        number += 1;
        let (line, tail) = rest.split_at(end);
        let tail = tail.get(1..).unwrap_or_default();
        match parse(line) {
            Some(record) => {
                summary = summary
                    .after(&record)
                    .map_err(|reason| format!("line {number}: {reason}"))?;
            }
            None if tail.is_empty() => return Ok((summary, good)),
            None => return Err(format!("line {number} is damaged")),
        }
        good += end + 1;
        rest = tail;
    }
    Ok((summary, good))
}

/// Whether this is a journal that made no sense.
pub(super) fn is_set_aside(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy());
    name.is_some_and(|name| name.starts_with("journal.jsonl.corrupt"))
}

fn set_aside(path: &Path, reason: String) -> JournalError {
    let mut kept = path.with_extension("jsonl.corrupt");
    let mut number = 1;
    while kept.exists() {
        number += 1;
        kept = path.with_extension(format!("jsonl.corrupt-{number}"));
    }
    match durable_file::rename(path, &kept) {
        Ok(()) => JournalError::Corrupt {
            path: path.to_owned(),
            kept,
            reason,
        },
        Err(error) => JournalError::Io {
            path: path.to_owned(),
            error,
        },
    }
}

#[cfg(test)]
#[path = "journal_tests.rs"]
mod tests;
