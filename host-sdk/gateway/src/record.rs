//! The provisioning record of a component: `record.jsonl` in its folder, as this host reads it.
//!
//! One JSON object per attempt and line. `previous` is the SHA-256, in lower hex, of the line
//! before (its bytes without the line feed), 64 zeros in the first: a line that was changed,
//! dropped or put in between breaks the chain at the next. The last line has no next, so a
//! changed or dropped end is not seen; a copy kept elsewhere tells. A last line without its line
//! feed was torn by a loss of power; the component cuts it off when it writes next.
//!
//! A full record becomes `record.older.jsonl`, in place of the one before, and the next follows
//! from its last line. Both are read as one; what came before the older one was given up for room,
//! so its first line has no neighbour that vouches for it. Nothing here writes. `gateway record`
//! calls it.

use std::io;
use std::path::{Path, PathBuf};

use openssl::sha::sha256;
use serde_json::{Map, Value};
use thiserror::Error;

/// Name of the file in the component's folder.
pub const FILE: &str = "record.jsonl";
/// Name of the file with the lines before those.
pub const OLDER: &str = "record.older.jsonl";
/// So often a record is read again if the component began a new file meanwhile.
const READS: u32 = 3;

/// The first line that does not fit.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{file}, line {line}: {why}")]
pub struct Broken {
    /// In which file: [`FILE`] or [`OLDER`].
    pub file: &'static str,
    /// Its number there, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub why: &'static str,
}

/// A record whose chain holds.
#[derive(Debug, Default, PartialEq)]
pub struct Entries {
    /// The attempts, the oldest first.
    pub entries: Vec<Map<String, Value>>,
    /// Whether a torn last line was left out.
    pub torn: bool,
    /// Whether older attempts were given up for room.
    pub shortened: bool,
}

/// The bytes of a record.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// Those of [`OLDER`], if it is there.
    pub older: Option<Vec<u8>>,
    /// Those of [`FILE`].
    pub newest: Vec<u8>,
}

impl Content {
    /// Reads the record in `folder`, also one that a running component is writing.
    ///
    /// # Errors
    /// The file, and what the system says of it; also if there is no record.
    pub fn of(folder: &Path) -> Result<Content, (PathBuf, io::Error)> {
        let mut content = Content::once(folder)?;
        for _ in 1..READS {
            let again = Content::once(folder)?;
            if again.older == content.older {
                break;
            }
            content = again;
        }
        Ok(content)
    }

    fn once(folder: &Path) -> Result<Content, (PathBuf, io::Error)> {
        let read = |name| {
            let path = folder.join(name);
            durable_file::read(&path).map_err(|e| (path, e))
        };
        let absent = |(_, e): &(PathBuf, io::Error)| e.kind() == io::ErrorKind::NotFound;
        let older = match read(OLDER) {
            Ok(older) => Some(older),
            Err(e) if absent(&e) => None,
            Err(e) => return Err(e),
        };
        let newest = match read(FILE) {
            Ok(newest) => newest,
            // Cut off in between, the older one stands alone.
            Err(e) if older.is_some() && absent(&e) => Vec::new(),
            Err(e) => return Err(e),
        };
        Ok(Content { older, newest })
    }
}

/// Reads a record and checks its chain.
///
/// # Errors
/// [`Broken`] names the first line that is none or does not follow from the one before.
pub fn read(content: &Content) -> Result<Entries, Broken> {
    let mut found = Entries::default();
    let zeros = "0".repeat(64);
    let mut expected = None;
    if let Some(older) = &content.older {
        expected = found.follow(OLDER, older, expected)?;
        let first = found
            .entries
            .first()
            .and_then(|entry| entry.get("previous"));
        found.shortened = first.is_some_and(|previous| *previous != *zeros);
    }
    // Without an older file this one is the whole record.
    found.follow(FILE, &content.newest, expected.or(Some(zeros)))?;
    Ok(found)
}

impl Entries {
    /// Takes the lines of one file, of which the first is to have `expected` as its `previous`; with
    /// `None` any. Gives back what the next one is to have.
    fn follow(
        &mut self,
        file: &'static str,
        content: &[u8],
        mut expected: Option<String>,
    ) -> Result<Option<String>, Broken> {
        let lines = content.split_inclusive(|byte| *byte == b'\n');
        for (text, line) in lines.zip(1..) {
            let broken = |why| Broken { file, line, why };
            let Some((b'\n', text)) = text.split_last() else {
                self.torn = true;
                break;
            };
            let entry: Map<String, Value> =
                serde_json::from_slice(text).map_err(|_| broken("is no JSON object"))?;
            match entry.get("previous").and_then(Value::as_str) {
                Some(previous) if expected.as_deref().is_none_or(|e| e == previous) => {}
                Some(_) => return Err(broken("does not follow from the line before")),
                None => return Err(broken("has no \"previous\"")),
            }
            let digest = sha256(text);
            expected = Some(digest.iter().map(|byte| format!("{byte:02x}")).collect());
            self.entries.push(entry);
        }
        Ok(expected)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    /// Three lines; the hashes were computed with sha256sum.
    fn record() -> String {
        let mut previous = "0".repeat(64);
        let mut text = String::new();
        for (attempt, after) in [(1, "f0820a9a"), (2, "23c648d3"), (3, "01f3ab2f")] {
            let line = format!(r#"{{"previous":"{previous}","attempt":{attempt},"outcome":"ok"}}"#);
            previous = sha256(line.as_bytes())
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            assert_eq!(previous.get(..8).unwrap(), after);
            text.push_str(&line);
            text.push('\n');
        }
        text
    }

    fn content(older: Option<&str>, newest: &str) -> Content {
        Content {
            older: older.map(|text| text.as_bytes().to_vec()),
            newest: newest.as_bytes().to_vec(),
        }
    }

    #[test]
    fn a_whole_record_is_read() {
        let found = read(&content(None, &record())).unwrap();
        assert_eq!((found.entries.len(), found.torn), (3, false));
        assert_eq!(read(&content(None, "")).unwrap(), Entries::default());
    }

    #[test]
    fn changed_dropped_and_foreign_lines_are_named() {
        let whole = record();
        let line_of = |text: String| read(&content(None, &text)).unwrap_err().line;
        assert_eq!(line_of(whole.replacen("ok", "no", 1)), 2);
        let lines: Vec<&str> = whole.lines().collect();
        let dropped = format!("{}\n{}\n", lines.first().unwrap(), lines.get(2).unwrap());
        assert_eq!(line_of(dropped), 2);
        assert_eq!(line_of(whole.clone() + "{}\n"), 4);
        assert_eq!(line_of("\n".to_owned() + &whole), 1);
    }

    #[test]
    fn a_torn_end_is_told_and_is_no_forgery() {
        let torn = record() + "{\"previous\":\"";
        let found = read(&content(None, &torn)).unwrap();
        assert_eq!((found.entries.len(), found.torn), (3, true));
    }

    #[test]
    fn a_record_in_two_files_is_one_chain() {
        let whole = record();
        let ends: Vec<usize> = whole.match_indices('\n').map(|(at, _)| at + 1).collect();
        let (one, two) = (ends[0], ends[1]);
        for at in [one, two, whole.len()] {
            let (older, newest) = whole.split_at(at);
            let found = read(&content(Some(older), newest)).unwrap();
            assert_eq!((found.entries.len(), found.shortened), (3, false));
        }
        // The first of three given up.
        let found = read(&content(Some(&whole[one..two]), &whole[two..])).unwrap();
        assert_eq!((found.entries.len(), found.shortened), (2, true));
        let broken = |older: Option<&str>, newest: &str| {
            let broken = read(&content(older, newest)).unwrap_err();
            (broken.file, broken.line)
        };
        // Half a record is none, and nothing may be missing between the two.
        assert_eq!(broken(None, &whole[one..]), (FILE, 1));
        assert_eq!(broken(Some(&whole[..one]), &whole[two..]), (FILE, 1));
        let changed = whole[..two].replacen("ok", "no", 1);
        assert_eq!(broken(Some(&changed), &whole[two..]), (OLDER, 2));
    }

    #[test]
    fn the_files_of_a_folder_are_read_and_a_missing_record_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let (path, error) = Content::of(folder.path()).unwrap_err();
        assert!(path.ends_with(FILE) && error.kind() == io::ErrorKind::NotFound);
        std::fs::write(folder.path().join(OLDER), "older").unwrap();
        let read = Content::of(folder.path()).unwrap();
        assert_eq!(read, content(Some("older"), ""));
        std::fs::write(folder.path().join(FILE), "newest").unwrap();
        let read = Content::of(folder.path()).unwrap();
        assert_eq!(read, content(Some("older"), "newest"));
    }
}
