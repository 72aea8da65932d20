//! The provisioning record: what happened here, for support and audit.
//!
//! `record.jsonl`, append-only, one JSON object per attempt. `previous` is the SHA-256 of the
//! line before (its bytes without the line feed), 64 zeros in the first, so that nobody can
//! change or drop a line unseen. No secret is ever in it.
//!
//! It is bounded, for a gateway whose platform is gone for years: where a line would make the file
//! larger than [`MAX_SIZE`], the file becomes [`OLDER`], in place of the one that had that name,
//! and the next begins with a line that follows from its last. So the newest megabyte at least is
//! always there, and the chain runs through both. What an entry costs does not grow with the
//! record: only its end is read. A rotation adds a rename and two syncs of the folder to some
//! thousand entries.

use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use durable_file::Appender;
use openssl::sha::sha256;
use serde::{Deserialize, Serialize};

/// Name of the file in the component's folder.
pub const FILE: &str = "record.jsonl";
/// Name of the file with the lines before those of [`FILE`], once there were too many.
pub const OLDER: &str = "record.older.jsonl";
/// Outcome of an attempt that went well.
pub const SUCCESS: &str = "ok";
/// Bytes of one file: 1 MiB, some 1,500 attempts.
pub const MAX_SIZE: u64 = 1 << 20;
/// The last line lies in so many bytes at the end. Ten fingerprints, nine packages and the
/// parameters at their bounds are less than 16 KiB.
const WINDOW: u64 = 64 * 1024;

/// One attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// End of the attempt, RFC 3339, UTC.
    pub time: String,
    /// The transaction.
    pub transaction: String,
    /// 1 for the first.
    pub attempt: u32,
    /// The provision broker.
    pub broker: String,
    /// The provisioning account.
    pub account: String,
    /// Who the gateway was.
    pub client_id: String,
    /// With which username.
    pub username: String,
    /// SHA-256 fingerprints of the received chain, leaf first.
    pub chain: Vec<String>,
    /// SHA-256 of the manifest; empty before a commit.
    pub manifest: String,
    /// `name version` of the packages in the plan; empty before a commit.
    pub packages: Vec<String>,
    /// `ok` or an error code.
    pub outcome: String,
    /// Bytes to the provision broker in this attempt, TLS included; absent in older lines.
    #[serde(default)]
    pub bytes_sent: u64,
    /// Bytes from it.
    #[serde(default)]
    pub bytes_received: u64,
}

#[derive(Serialize, Deserialize)]
struct Line {
    previous: String,
    #[serde(flatten)]
    entry: Entry,
}

/// Appends one entry, durably. A torn last line is cut off first. The success of a transaction is
/// written once, however often it is told.
pub fn append(folder: &Path, entry: Entry) -> io::Result<()> {
    append_within(folder, entry, MAX_SIZE)
}

fn append_within(folder: &Path, entry: Entry, max: u64) -> io::Result<()> {
    let path = folder.join(FILE);
    let end = End::of(&path)?;
    let last = match &end.last {
        Some(last) => Some(last.clone()),
        // Also if a loss of power came right behind a rotation.
        None => End::of(&folder.join(OLDER))?.last,
    };
    if entry.outcome == SUCCESS && last.as_deref().is_some_and(|last| tells(last, &entry)) {
        return Ok(());
    }
    let previous = last.map_or_else(zeros, |last| hex(&sha256(&last)));
    let mut line = serde_json::to_vec(&Line { previous, entry })?;
    line.push(b'\n');
    let full = end.last.is_some() && end.length.saturating_add(line.len() as u64) > max;
    if full || end.foreign {
        durable_file::rename(&path, &folder.join(OLDER))?;
        return Appender::open(&path, 0)?.append(&line);
    }
    Appender::open(&path, end.length)?.append(&line)
}

/// Whether `line` is the success that `entry` tells of.
fn tells(line: &[u8], entry: &Entry) -> bool {
    serde_json::from_slice(line).is_ok_and(|Line { entry: last, .. }| {
        last.outcome == SUCCESS && last.transaction == entry.transaction
    })
}

/// The end of a record.
#[derive(Default)]
struct End {
    /// The last whole line, without its line feed.
    last: Option<Vec<u8>>,
    /// Bytes up to its end.
    length: u64,
    /// No line ends where one must: this was not written here, and is put aside like a full one.
    foreign: bool,
}

impl End {
    /// Reads it; that of an empty record if there is no file.
    fn of(path: &Path) -> io::Result<End> {
        let mut file = match durable_file::open(path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(End::default()),
            Err(e) => return Err(e),
        };
        let start = file.metadata()?.len().saturating_sub(WINDOW);
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        file.take(WINDOW).read_to_end(&mut bytes)?;
        let feed = |bytes: &[u8]| bytes.iter().rposition(|byte| *byte == b'\n');
        let Some(whole) = feed(&bytes) else {
            // The first line, torn, or something else altogether.
            return Ok(End {
                foreign: start > 0,
                ..End::default()
            });
        };
        let length = start + whole as u64 + 1;
        bytes.truncate(whole);
        let last = match feed(&bytes) {
            Some(before) => Some(bytes.split_off(before + 1)),
            None if start == 0 => Some(bytes),
            None => None,
        };
        Ok(End {
            foreign: last.is_none(),
            last,
            length,
        })
    }
}

/// Checks the chain through the older file, if there is one, and the present one, and returns
/// their entries; the error names the first line that does not fit, by its number in its file.
pub fn verify(older: Option<&str>, content: &str) -> Result<Vec<Entry>, String> {
    let mut entries = Vec::new();
    // What came before the older file is gone, so its first line is taken as it is.
    let mut expected = older.is_none().then(zeros);
    for (name, text) in [(OLDER, older.unwrap_or_default()), (FILE, content)] {
        for (text, number) in text.lines().zip(1..) {
            let line: Line =
                serde_json::from_str(text).map_err(|e| format!("{name}, line {number}: {e}"))?;
            if expected.is_some_and(|expected| line.previous != expected) {
                return Err(format!(
                    "{name}, line {number}: does not follow from the line before"
                ));
            }
            expected = Some(hex(&sha256(text.as_bytes())));
            entries.push(line.entry);
        }
    }
    Ok(entries)
}

fn zeros() -> String {
    "0".repeat(64)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use super::*;

    fn entry(attempt: u32) -> Entry {
        Entry {
            attempt,
            outcome: "platform.silent".into(),
            ..Entry::default()
        }
    }

    #[test]
    fn a_changed_or_dropped_line_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        for n in 1..=3 {
            append(dir.path(), entry(n)).unwrap();
        }
        let content = fs::read_to_string(dir.path().join(FILE)).unwrap();
        assert_eq!(verify(None, &content).unwrap().len(), 3);
        let changed = content.replacen("silent", "absent", 1);
        assert!(verify(None, &changed)
            .unwrap_err()
            .starts_with("record.jsonl, line 2"));
        let lines: Vec<&str> = content.lines().collect();
        let dropped = format!("{}\n{}", lines.first().unwrap(), lines.get(2).unwrap());
        assert!(verify(None, &dropped)
            .unwrap_err()
            .starts_with("record.jsonl, line 2"));
    }

    #[test]
    fn a_success_that_is_told_twice_is_written_once() {
        let dir = tempfile::tempdir().unwrap();
        let success = |transaction: &str| Entry {
            transaction: transaction.into(),
            outcome: SUCCESS.into(),
            ..Entry::default()
        };
        for transaction in ["a", "a", "b", "b"] {
            append(dir.path(), success(transaction)).unwrap();
        }
        let content = fs::read_to_string(dir.path().join(FILE)).unwrap();
        assert_eq!(
            verify(None, &content).unwrap(),
            [success("a"), success("b")]
        );
    }

    #[test]
    fn a_torn_line_is_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        append(dir.path(), entry(1)).unwrap();
        let path = dir.path().join(FILE);
        let mut content = fs::read(&path).unwrap();
        content.extend_from_slice(b"{\"previous\":\"");
        fs::write(&path, content).unwrap();
        append(dir.path(), entry(2)).unwrap();
        let content = fs::read_to_string(&path).unwrap();
        assert_eq!(verify(None, &content).unwrap().len(), 2);
    }

    /// Both files, the older one first.
    fn files(folder: &Path) -> [Option<String>; 2] {
        [OLDER, FILE].map(|name| fs::read_to_string(folder.join(name)).ok())
    }

    #[test]
    fn years_of_attempts_take_two_files_and_the_chain_runs_through_both() {
        let dir = tempfile::tempdir().unwrap();
        let max = 2000;
        let mut newest = 0;
        for n in 1..=100 {
            append_within(dir.path(), entry(n), max).unwrap();
            let [older, content] = files(dir.path());
            let content = content.unwrap();
            assert!(content.len() as u64 <= max, "{} after {n}", content.len());
            assert!(older.as_ref().is_none_or(|text| text.len() as u64 <= max));
            let entries = verify(older.as_deref(), &content).unwrap();
            assert_eq!(entries.last(), Some(&entry(n)));
            let (first, kept) = (entries.first().unwrap().attempt, entries.len() as u32);
            assert_eq!(first + kept - 1, n, "an attempt is missing");
            newest = kept;
        }
        assert!((5..100).contains(&newest), "{newest} attempts are kept");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
        let [older, content] = files(dir.path());
        let (older, content) = (older.unwrap(), content.unwrap());
        let changed = older.replace("silent", "absent");
        assert!(verify(Some(&changed), &content)
            .unwrap_err()
            .starts_with("record.older.jsonl, line 2"));
        // Without its older half it is not taken for a whole one.
        assert!(verify(None, &content)
            .unwrap_err()
            .starts_with("record.jsonl, line 1"));
    }

    #[test]
    fn cut_off_in_a_rotation_it_goes_on_where_it_was() {
        for (content, torn) in [(None, false), (Some(""), false), (Some("{\"prev"), true)] {
            let dir = tempfile::tempdir().unwrap();
            let success = Entry {
                transaction: "t".into(),
                outcome: SUCCESS.into(),
                ..entry(1)
            };
            append(dir.path(), success.clone()).unwrap();
            let path = dir.path().join(FILE);
            fs::rename(&path, dir.path().join(OLDER)).unwrap();
            if let Some(content) = content {
                fs::write(&path, content).unwrap();
            }
            // Told again, it is there already.
            append(dir.path(), success.clone()).unwrap();
            append(dir.path(), entry(2)).unwrap();
            let [older, content] = files(dir.path());
            let entries = verify(older.as_deref(), &content.unwrap()).unwrap();
            assert_eq!(entries, [success, entry(2)], "torn: {torn}");
        }
    }

    #[test]
    fn what_nobody_here_wrote_is_put_aside_and_not_read_whole() {
        for garbage in [vec![b'x'; 100_000], [&[b'x'; 100_000][..], b"\n"].concat()] {
            let dir = tempfile::tempdir().unwrap();
            fs::write(dir.path().join(FILE), &garbage).unwrap();
            append(dir.path(), entry(1)).unwrap();
            assert_eq!(fs::read(dir.path().join(OLDER)).unwrap(), garbage);
            let [_, content] = files(dir.path());
            assert_eq!(verify(None, &content.unwrap()).unwrap(), [entry(1)]);
        }
    }
}
