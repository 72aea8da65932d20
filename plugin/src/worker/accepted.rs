//! Which control messages were accepted: none is done a second time, whatever becomes of the
//! process, the power and the clock in between.
//!
//! `accepted.jsonl` in the component's folder, made with the first message; one line with its
//! checksum per record ([`crate::lines`]). A message counts as accepted once its line is on the
//! disk, and what it asks for is done after that: a loss of power in between loses it, and never
//! does it twice. An unfinished last line counts as not written. A file that is damaged otherwise
//! is replaced by one that takes no message from before the damage; see [`Accepted::open`].
//!
//! It judges no signature and reads no clock. Used by `control`; why it is so is in
//! `docs/decisions/accepted-once.md`.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use durable_file::Appender;
use serde::{Deserialize, Serialize};

use crate::lines::{line, parse};
use crate::time::rfc3339;
use crate::trust::replay::{digest_of, IdDigest, Replay, ReplayWindow};
use crate::trust::CLOCK_WINDOW_MS;

/// Its name in the component's folder.
const NAME: &str = "accepted.jsonl";
/// It is rewritten when it is longer than this and twice as long as after the last time.
const REWRITE_ABOVE: u64 = 64 * 1024;
/// A file larger than this was not written by us: twice 4,096 lines are 1.1 MiB.
const MAX_SIZE: u64 = 4 << 20;
/// A message and the clock may be this far from each other, either way, ms.
const WINDOW_MS: i64 = CLOCK_WINDOW_MS as i64;
/// A file system keeps times at least this exactly, ms.
const TIME_OF_FILE_MS: i64 = 2_000;

/// One line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Record {
    /// The first one.
    Start {
        /// Nothing of this `sig.timestamp` or an earlier one is taken: it may have been seen.
        closed_until_ms: Option<i64>,
        /// As that: there was a file before this one, which could not be read.
        damaged_until_ms: Option<i64>,
        /// The latest `sig.timestamp` that was ever accepted.
        newest_ms: Option<i64>,
    },
    /// A message.
    Accepted {
        /// SHA-256 of its `sig.id`, lower hex.
        id: String,
        /// Its `sig.timestamp`.
        at_ms: i64,
    },
}

/// Why a message is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum NotAccepted {
    /// It was before, or that cannot be told.
    #[error("it was accepted before, or may have been")]
    Before(Replay),
    /// The file was damaged, and the message is of that time.
    #[error("{} was damaged: no control message signed until {} is taken", path.display(), rfc3339(*until_ms))]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Ms since 1970.
        until_ms: i64,
    },
    /// That it was cannot be written down.
    #[error("{}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        error: io::Error,
    },
}

/// What the lines say together.
#[derive(Debug, Default)]
struct Said {
    window: ReplayWindow,
    damaged_until_ms: Option<i64>,
    newest_ms: Option<i64>,
}

impl Said {
    /// Of the bytes of a file, and the length of their good part.
    ///
    /// # Errors
    /// What is damaged, in words.
    fn of(content: &[u8]) -> Result<(Said, usize), String> {
        let mut said = Said::default();
        let mut good = 0;
        for (number, line) in content.split_inclusive(|byte| *byte == b'\n').enumerate() {
            let Some(whole) = line.strip_suffix(b"\n") else {
                break;
            };
            match (number, parse(whole)) {
                (0, Some(record @ Record::Start { .. })) => said.take(&record),
                (1.., Some(record @ Record::Accepted { .. })) => said.take(&record),
                _ => None,
            }
            .ok_or_else(|| format!("line {} is damaged", number + 1))?;
            good += line.len();
        }
        match good {
            // It is written whole before it gets its name.
            0 => Err("its first line is missing".into()),
            _ => Ok((said, good)),
        }
    }

    fn take(&mut self, record: &Record) -> Option<()> {
        match record {
            Record::Start {
                closed_until_ms,
                damaged_until_ms,
                newest_ms,
            } => {
                if let Some(until) = closed_until_ms {
                    self.window.close_until(*until);
                }
                self.damaged_until_ms = *damaged_until_ms;
                self.newest_ms = *newest_ms;
            }
            Record::Accepted { id, at_ms } => self.remember(from_hex(id)?, *at_ms),
        }
        Some(())
    }

    fn remember(&mut self, id: IdDigest, at_ms: i64) {
        self.window.remember(id, at_ms);
        self.newest_ms = self.newest_ms.max(Some(at_ms));
    }

    /// After a file of which nothing is certain: it was last written at `witness_ms`, when the
    /// clock was at most [`WINDOW_MS`] behind all that it had accepted.
    fn after_damage(content: &[u8], witness_ms: i64) -> Said {
        let mut said = Said::default();
        let mut until = witness_ms.saturating_add(WINDOW_MS + TIME_OF_FILE_MS);
        for record in content.split(|byte| *byte == b'\n').filter_map(parse) {
            let ends = match record {
                Record::Start {
                    closed_until_ms,
                    damaged_until_ms,
                    newest_ms,
                } => {
                    said.newest_ms = said.newest_ms.max(newest_ms);
                    closed_until_ms.max(damaged_until_ms).max(newest_ms)
                }
                Record::Accepted { at_ms, .. } => {
                    said.newest_ms = said.newest_ms.max(Some(at_ms));
                    Some(at_ms)
                }
            };
            until = until.max(ends.unwrap_or(until));
        }
        said.damaged_until_ms = Some(until);
        said
    }

    fn lines(&self) -> io::Result<Vec<u8>> {
        let mut lines = line(&Record::Start {
            closed_until_ms: self.window.closed_until(),
            damaged_until_ms: self.damaged_until_ms,
            newest_ms: self.newest_ms,
        })?;
        for (at_ms, id) in self.window.entries() {
            lines.extend(accepted_line(id, at_ms)?);
        }
        Ok(lines)
    }
}

fn accepted_line(id: &IdDigest, at_ms: i64) -> io::Result<Vec<u8>> {
    let id = id.iter().map(|octet| format!("{octet:02x}")).collect();
    line(&Record::Accepted { id, at_ms })
}

fn from_hex(text: &str) -> Option<IdDigest> {
    let mut digest = IdDigest::default();
    let mut digits = text.bytes();
    for octet in &mut digest {
        let mut digit = || char::from(digits.next()?).to_digit(16);
        *octet = u8::try_from(digit()? << 4 | digit()?).ok()?;
    }
    digits.next().is_none().then_some(digest)
}

/// The accepted messages of an instance.
#[derive(Debug)]
pub struct Accepted {
    path: PathBuf,
    said: Said,
    /// `None` where there is no file yet, and after an error.
    appender: Option<Appender>,
    /// Up to the end of the last good line.
    length: u64,
    /// As the file was written last as a whole.
    rewritten: u64,
}

impl Accepted {
    /// Reads what is in `folder`; a folder without the file is one that has accepted nothing.
    ///
    /// A damaged file is replaced. What it can have accepted was signed at most 300 s after the
    /// time at which it was last written (`witness` gives that time where that of the file, in ms
    /// since 1970, is none at which it can have been): nothing until then is taken any more. So it
    /// depends neither on what is left of the file nor on what the clock says now, and ends
    /// some minutes after the last message.
    ///
    /// # Errors
    /// [`NotAccepted::Io`]: it can neither be read nor replaced.
    pub fn open(folder: &Path, witness: impl Fn(i64) -> i64) -> Result<Accepted, NotAccepted> {
        let path = folder.join(NAME);
        let io = |error| NotAccepted::Io {
            path: path.clone(),
            error,
        };
        let data = match fs::symlink_metadata(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                return Ok(Accepted {
                    path,
                    said: Said::default(),
                    appender: None,
                    length: 0,
                    rewritten: 0,
                });
            }
            Err(e) => return Err(io(e)),
            Ok(data) => data,
        };
        // A bad sector is damage as well as wrong octets are, and so is a link in its place.
        let content = match data.len() > MAX_SIZE {
            true => Err("it is too large".to_owned()),
            false => durable_file::read(&path).map_err(|e| e.to_string()),
        };
        let said = content.as_deref().map_err(Clone::clone).and_then(Said::of);
        let why = match said {
            Ok((said, good)) => {
                let length = good as u64;
                return Ok(Accepted {
                    appender: Some(Appender::open(&path, length).map_err(io)?),
                    said,
                    path,
                    length,
                    rewritten: length,
                });
            }
            Err(why) => why,
        };
        let written_ms = data.mtime().saturating_mul(1000);
        let left = content.unwrap_or_default();
        let said = Said::after_damage(&left, witness(written_ms));
        log::warn!(
            "{} was damaged ({why}): no control message signed until {} is taken",
            path.display(),
            rfc3339(said.damaged_until_ms.unwrap_or_default()),
        );
        let mut accepted = Accepted {
            path: path.clone(),
            said,
            appender: None,
            length: 0,
            rewritten: 0,
        };
        accepted.rewrite().map_err(io)?;
        Ok(accepted)
    }

    /// The clock was not before this when the latest message was accepted, ms since 1970.
    pub fn good_time_ms(&self) -> i64 {
        self.said
            .newest_ms
            .map_or(0, |newest| newest.saturating_sub(WINDOW_MS))
    }

    /// Accepts a message, if it was not yet: when this returns, that is on the disk.
    ///
    /// # Errors
    /// [`NotAccepted`]: it must not be done.
    pub fn accept(&mut self, id: &str, at_ms: i64) -> Result<(), NotAccepted> {
        let id = digest_of(id);
        match (
            self.said.window.check(&id, at_ms),
            self.said.damaged_until_ms,
        ) {
            (Err(Replay::Seen), _) => return Err(NotAccepted::Before(Replay::Seen)),
            (_, Some(until_ms)) if at_ms <= until_ms => {
                return Err(NotAccepted::Damaged {
                    path: self.path.clone(),
                    until_ms,
                })
            }
            (Err(replay), _) => return Err(NotAccepted::Before(replay)),
            (Ok(()), _) => {}
        }
        self.append(&id, at_ms).map_err(|error| NotAccepted::Io {
            path: self.path.clone(),
            error,
        })?;
        self.said.remember(id, at_ms);
        if self.length > REWRITE_ABOVE.max(self.rewritten.saturating_mul(2)) {
            self.shorten();
        }
        Ok(())
    }

    fn append(&mut self, id: &IdDigest, at_ms: i64) -> io::Result<()> {
        let line = accepted_line(id, at_ms)?;
        let mut appender = match self.appender.take() {
            Some(appender) => appender,
            None if self.length == 0 => {
                self.rewrite()?;
                Appender::open(&self.path, self.length)?
            }
            None => Appender::open(&self.path, self.length)?,
        };
        if let Err(error) = appender.append(&line) {
            // The end may be torn: cut it, or the next line would hide behind it.
            self.appender = Appender::open(&self.path, self.length).ok();
            return Err(error);
        }
        self.length += line.len() as u64;
        self.appender = Some(appender);
        Ok(())
    }

    /// Forgets what no clock can bring back: when the latest message was accepted, the clock was
    /// at most one window before it, and one that is taken then at most another one. The lines
    /// stand, whatever comes of this: an error is only worth a line in the log.
    fn shorten(&mut self) {
        if let Some(newest) = self.said.newest_ms {
            let passed = newest.saturating_sub(2 * WINDOW_MS);
            self.said.window.close_until(passed.saturating_sub(1));
        }
        if let Err(e) = self.rewrite() {
            log::warn!("{} stays long: {e}", self.path.display());
            // The old one or the new one, and whole.
            self.length = fs::symlink_metadata(&self.path).map_or(u64::MAX, |data| data.len());
            self.rewritten = self.length;
        }
    }

    fn rewrite(&mut self) -> io::Result<()> {
        self.appender = None;
        let lines = self.said.lines()?;
        durable_file::write(&self.path, &lines)?;
        self.length = lines.len() as u64;
        self.rewritten = self.length;
        Ok(())
    }
}

#[cfg(test)]
#[path = "accepted_tests.rs"]
mod tests;
