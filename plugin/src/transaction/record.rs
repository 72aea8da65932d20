//! The provisioning record: what happened here, for support and audit.
//!
//! `record.jsonl`, append-only, one JSON object per attempt. `previous` is the SHA-256 of the
//! line before (its bytes without the line feed), 64 zeros in the first, so that nobody can
//! change or drop a line unseen. No secret is ever in it.

use std::io::{self, BufRead, BufReader};
use std::path::Path;

use durable_file::Appender;
use openssl::sha::sha256;
use serde::{Deserialize, Serialize};

/// Name of the file in the component's folder.
pub const FILE: &str = "record.jsonl";
/// Outcome of an attempt that went well.
pub const SUCCESS: &str = "ok";

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
    let path = folder.join(FILE);
    let (previous, length, last) = last(&path)?;
    if entry.outcome == SUCCESS
        && serde_json::from_slice(&last).is_ok_and(|Line { entry: last, .. }| {
            last.outcome == SUCCESS && last.transaction == entry.transaction
        })
    {
        return Ok(());
    }
    let mut line = serde_json::to_vec(&Line { previous, entry })?;
    line.push(b'\n');
    Appender::open(&path, length)?.append(&line)
}

/// Hash of the last whole line, the length up to its end, and the line.
fn last(path: &Path) -> io::Result<(String, u64, Vec<u8>)> {
    let file = match durable_file::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok((zeros(), 0, Vec::new())),
        Err(e) => return Err(e),
    };
    let (mut hash, mut length, mut last) = (zeros(), 0, Vec::new());
    let mut line = Vec::new();
    let mut reader = BufReader::new(file);
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line)?;
        if line.pop() != Some(b'\n') {
            return Ok((hash, length, last));
        }
        hash = hex(&sha256(&line));
        length += read as u64;
        std::mem::swap(&mut last, &mut line);
    }
}

/// Checks the chain of a record and returns its entries; the error names the first line that
/// does not fit.
pub fn verify(content: &str) -> Result<Vec<Entry>, String> {
    let mut expected = zeros();
    let mut entries = Vec::new();
    for (number, text) in content.lines().enumerate() {
        let line: Line =
            serde_json::from_str(text).map_err(|e| format!("line {}: {e}", number + 1))?;
        if line.previous != expected {
            return Err(format!(
                "line {}: does not follow from the line before",
                number + 1
            ));
        }
        expected = hex(&sha256(text.as_bytes()));
        entries.push(line.entry);
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
        assert_eq!(verify(&content).unwrap().len(), 3);
        let changed = content.replacen("silent", "absent", 1);
        assert!(verify(&changed).unwrap_err().starts_with("line 2"));
        let lines: Vec<&str> = content.lines().collect();
        let dropped = format!("{}\n{}", lines.first().unwrap(), lines.get(2).unwrap());
        assert!(verify(&dropped).unwrap_err().starts_with("line 2"));
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
        assert_eq!(verify(&content).unwrap(), [success("a"), success("b")]);
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
        assert_eq!(verify(&content).unwrap().len(), 2);
    }
}
