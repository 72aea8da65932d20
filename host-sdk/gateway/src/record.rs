//! The provisioning record of a component: `record.jsonl` in its folder, as this host reads it.
//!
//! One JSON object per attempt and line. `previous` is the SHA-256, in lower hex, of the line
//! before (its bytes without the line feed), 64 zeros in the first: a line that was changed,
//! dropped or put in between breaks the chain at the next. The last line has no next, so a
//! changed or dropped end is not seen; a copy kept elsewhere tells. A last line without its line
//! feed was torn by a loss of power; the component cuts it off when it writes next. Nothing here
//! writes. `gateway record` calls it.

use openssl::sha::sha256;
use serde_json::{Map, Value};
use thiserror::Error;

/// Name of the file in the component's folder.
pub const FILE: &str = "record.jsonl";

/// The first line that does not fit.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("line {line}: {why}")]
pub struct Broken {
    /// Its number, from 1.
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
}

/// Reads a record and checks its chain.
///
/// # Errors
/// [`Broken`] names the first line that is none or does not follow from the one before.
pub fn read(content: &[u8]) -> Result<Entries, Broken> {
    let mut expected = "0".repeat(64);
    let mut found = Entries::default();
    let lines = content.split_inclusive(|byte| *byte == b'\n');
    for (text, line) in lines.zip(1..) {
        let broken = |why| Broken { line, why };
        let Some((b'\n', text)) = text.split_last() else {
            found.torn = true;
            break;
        };
        let entry: Map<String, Value> =
            serde_json::from_slice(text).map_err(|_| broken("is no JSON object"))?;
        match entry.get("previous").and_then(Value::as_str) {
            Some(previous) if previous == expected => {}
            Some(_) => return Err(broken("does not follow from the line before")),
            None => return Err(broken("has no \"previous\"")),
        }
        expected = sha256(text)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        found.entries.push(entry);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
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

    #[test]
    fn a_whole_record_is_read() {
        let found = read(record().as_bytes()).unwrap();
        assert_eq!((found.entries.len(), found.torn), (3, false));
        assert_eq!(read(b"").unwrap(), Entries::default());
    }

    #[test]
    fn changed_dropped_and_foreign_lines_are_named() {
        let whole = record();
        let line_of = |text: String| read(text.as_bytes()).unwrap_err().line;
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
        let found = read(torn.as_bytes()).unwrap();
        assert_eq!((found.entries.len(), found.torn), (3, true));
    }
}
